"""Times conversions against cp and llama.cpp's converter, in turn, and compares the best times.

    run.py [--rounds N]

The commands take turns, so that all meet the same noise; the best time of each counts, and the
largest peak of memory. Fails when port misses what its documentation promises.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PORT = os.environ.get("PORT", str(ROOT / ".build/release/port"))
WORK = ROOT / ".build/bench"
MODEL = WORK / "models/qwen2"
OUT = WORK / "out"
SCHEMES = ("f16", "bf16", "q8_0")
REFERENCE = """
import sys
sys.path.insert(0, sys.argv[1])
import reference
reference.convert(reference.load(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5])
"""


def measured(command):
    """Seconds and peak bytes of a command that must succeed."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def convert(target, scheme, output):
    quantize = ["--quantize", scheme] if scheme else []
    return [PORT, "convert", MODEL, "--to", target, *quantize, "-o", output, "--progress", "none"]


def planned(target, scheme):
    """The peak that the plan promises."""
    command = [*convert(target, scheme, OUT / "x"), "--plan", "--json"]
    plan = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return plan["peak_memory_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    weights = MODEL / "model.safetensors"
    commands = {"cp": ["cp", weights, OUT / "copy"]}
    for scheme in SCHEMES:
        commands[f"port gguf {scheme}"] = convert("gguf", scheme, OUT / "m.gguf")
    commands["port copy"] = convert("safetensors", None, OUT / "m.safetensors")
    for scheme in SCHEMES:
        commands[f"llama.cpp {scheme}"] = [
            sys.executable, "-c", REFERENCE, ROOT / "Tests/Interop", ROOT / ".build/interop-reference",
            MODEL, scheme, OUT / "m.gguf",
        ]
    best, peak = {}, {}
    with open(weights, "rb") as file:
        while file.read(1 << 20):  # into the system's cache; children inherit this process's peak
            pass
    for number in range(rounds):
        for name, command in commands.items():
            if name.startswith("llama.cpp") and number >= 2:
                continue
            seconds, size = measured(command)
            best[name] = min(seconds, best.get(name, seconds))
            peak[name] = max(size, peak.get(name, size))
    shutil.rmtree(OUT, ignore_errors=True)
    print(f"{weights.stat().st_size / 1e9:.2f} GB, best of {rounds}")
    for name in commands:
        print(f"{name:16} {best[name]:7.2f} s {peak[name] / 1e6:8.1f} MB")
    misses = []
    for scheme in SCHEMES:
        mine, theirs = f"port gguf {scheme}", f"llama.cpp {scheme}"
        speed, memory = best[theirs] / best[mine], peak[theirs] / peak[mine]
        print(f"{scheme}: {speed:.1f} times as fast as llama.cpp, 1/{memory:.0f} of its memory")
        if speed < 8 or memory < 5:
            misses.append(f"{scheme} is not 8 times as fast in a fifth of the memory")
        if peak[mine] > planned("gguf", scheme):
            misses.append(f"{scheme} takes {peak[mine]} bytes, the plan says {planned('gguf', scheme)}")
    print(f"copy: {best['port copy'] / best['cp']:.2f} times as long as cp, and durable")
    if best["port copy"] > 1.5 * best["cp"]:
        misses.append("a copy takes more than 1.5 times as long as cp")
    for miss in misses:
        print(f"MISSED {miss}")
    sys.exit(1 if misses else 0)


if __name__ == "__main__":
    main()
