"""Compares port's GGUF files with those of the reference converter: tensors and metadata, in file order."""

import json
import logging
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import checks
import reference
from reference_goldens import dump


def compare(check, name, expected, found):
    """The checks of one file."""
    for part in ("name", "type", "shape", "sha256"):
        check.same(f"{name}: tensor {part}s", [t[part] for t in expected["tensors"]], [t[part] for t in found["tensors"]])
    pairs = {pair["key"]: pair for pair in found["metadata"]}
    check.same(f"{name}: order of keys", [p["key"] for p in expected["metadata"]], [p["key"] for p in found["metadata"]])
    for group, prefix in (("general", "general."), ("tokenizer", "tokenizer."), ("architecture", "")):
        chosen = [p for p in expected["metadata"]
                  if p["key"].startswith(prefix) and (prefix or not p["key"].startswith(("general.", "tokenizer.")))]
        check.same(f"{name}: {group} metadata", chosen, [pairs.get(p["key"]) for p in chosen])


def respelled(scratch):
    """Seeded checkpoints under other names and with other settings of published ones."""
    def same(name):
        return name

    def without(name):
        return name.removeprefix("model.")

    def old(name):
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 64}
    for model, config, rename, buffers in (
            ("qwen2", {"architectures": ["Qwen2Model"], "is_causal": False}, without, []),
            ("qwen3", {"architectures": ["Qwen3Model"]}, without, []),
            ("bert", {}, old, []),
            ("llama", {"rope_scaling": {"type": "yarn", "factor": 4.0}}, same, ["model.rotary_emb.inv_freq"]),
            ("mistral", {"rope_scaling": llama3}, same, []),
            ("mixtral", {"rope_scaling": llama3}, same, [])):
        folder = scratch / model
        shutil.copytree(checks.SEEDED / model, folder)
        stated = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(stated | config), encoding="utf-8")
        for path in folder.glob("*.safetensors"):
            tensors = {rename(name): tensor for name, tensor in load_file(path).items()}
            save_file(tensors | {name: torch.zeros(4) for name in buffers}, path, metadata={"format": "pt"})
        yield folder


def main():
    check = checks.Checks(__file__)
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    converter = reference.load(checks.REFERENCE)
    cases = [(folder, outtype) for folder in checks.seeded() for outtype in reference.OUTTYPES]
    cases += reference.ascend_cases(checks.MODELS)
    cases += [(checks.minilm(), outtype) for outtype in ("f16", "q8_0")]
    scratch = tempfile.TemporaryDirectory()
    others = list(respelled(Path(scratch.name) / "respelled"))
    cases += [(folder, outtype) for folder in others for outtype in ("f16", "q8_0")]
    for folder, outtype in cases:
        name = f"{'all-MiniLM-L6-v2' if folder == checks.minilm() else folder.name} {outtype}"
        if folder in others:
            name += ", respelled"
        with check.group(name), tempfile.TemporaryDirectory() as temporary:
            expected, found = Path(temporary) / "reference.gguf", Path(temporary) / "port.gguf"
            reference.convert(converter, folder, outtype, expected)
            described = reference.describe(expected)
            if folder != checks.minilm() and folder not in others:
                targets = checks.ROOT / "Fixtures/targets" / ("gguf" if folder.parent == checks.SEEDED else "gguf-ascend")
                golden = (targets / f"{folder.name}.{outtype}.json").read_text(encoding="utf-8")
                check.that(f"{name}: recorded target", golden == dump(described),
                           f"the reference writes something else than {targets.name} records")
            checks.port_convert(folder, "gguf", found, "--quantize", outtype)
            compare(check, name, described, reference.describe(found))
    check.finish()


if __name__ == "__main__":
    main()
