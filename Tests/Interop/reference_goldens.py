"""Records what the reference converter writes: reference_goldens.py LLAMA_CPP_DIR MODELS_DIR TARGETS_DIR"""

import hashlib
import json
import logging
import sys
import tempfile
from pathlib import Path

import torch

import reference


def dump(golden):
    """The golden as JSON with one line a tensor and a key."""
    def line(value):
        return json.dumps(value, ensure_ascii=False)

    blocks = [f'"version": {golden["version"]}']
    for name in ("tensors", "metadata"):
        blocks.append(f'"{name}": [\n' + ",\n".join(line(item) for item in golden[name]) + "\n]")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def record(converter, cases, targets):
    """Writes the goldens of these folders and types, and their sums."""
    targets.mkdir(parents=True, exist_ok=True)
    for checkpoint, outtype in cases:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "model.gguf"
            reference.convert(converter, checkpoint.resolve(), outtype, out)
            golden = reference.describe(out)
        (targets / f"{checkpoint.name}.{outtype}.json").write_text(dump(golden), encoding="utf-8")
        print(checkpoint.name, outtype, flush=True)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(targets.glob("*.json"))]
    (targets / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def main():
    llama_cpp, models, targets = (Path(argument) for argument in sys.argv[1:4])
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    converter = reference.load(llama_cpp)
    seeded = sorted(path for path in (models / "seeded").iterdir() if path.is_dir())
    record(converter, [(path, outtype) for path in seeded for outtype in reference.OUTTYPES], targets / "gguf")
    record(converter, reference.ascend_cases(models), targets / "gguf-ascend")


if __name__ == "__main__":
    main()
