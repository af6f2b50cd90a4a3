"""Judges FP8 checkpoints turned into bfloat16 and float32."""

import json
import tempfile
from pathlib import Path

import torch
import transformers

import ascend_judges
import ascend_model
import checks
import fp8
import plain
from tensors import read, unequal

STORED_FP8 = ["tiny-deepseek-v3", "seeded-ascend/kimi-k2", "seeded-ascend/llama-fp8-channel",
              "seeded-ascend/llama-fp8-tensor"]
# The least share of equal best tokens and the largest mean divergence in nats that a cast may cost.
LOGITS = {"bf16": (0.99, 0.002), "f32": (1, 1e-9)}


def judge_index(check, name, folder, tensors):
    """The index, where there is one, names the tensors that are stored and their files."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        check.same(f"{name}: index", sorted(tensors), sorted(names))
        check.that(f"{name}: files of the index", all((folder / file).is_file() for file in names.values()), "absent")


def judge_config(check, name, folder, source, quantization, dtype):
    """config.json is the source's but for what says how the weights are stored."""
    found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    expected = json.loads((source / "config.json").read_text(encoding="utf-8"))
    expected.pop("quantization_config", None)
    check.that(f"{name}: quantization_config", found.pop("quantization_config", None) == quantization, found)
    kinds = {found.pop(key, dtype) for key in ("torch_dtype", "dtype")}
    check.that(f"{name}: dtype in config.json", kinds == {dtype}, kinds)
    for key in ("torch_dtype", "dtype"):
        expected.pop(key, None)
    check.that(f"{name}: the rest of config.json", found == expected, "differs")


def judge_cast(check, folder, out, scheme, dtype):
    """One float32 product, rounded once; scales gone; what was not FP8 as the cast of a plain checkpoint has it."""
    name, source = f"{folder.name} {scheme}", read(folder)
    checks.port_convert(folder, "safetensors", out, "--quantize", scheme)
    found, expected = read(out), {}
    for key, value in fp8.values(source).items():
        kept = key.endswith("e_score_correction_bias")
        expected[key] = value if kept else value.to(dtype)
    check.that(f"{name}: values", not (bad := unequal(expected, found)), bad[:4])
    judge_index(check, name, out, found)
    judge_config(check, name, out, folder, None, scheme_dtype(dtype))
    if folder.name.startswith("tiny"):
        model = ascend_judges.Source(folder)
        share, divergence = ascend_model.agreement(model.logits, ascend_model.logits(plain.load(out), model.rows))
        least, most = LOGITS[scheme]
        check.that(f"{name}: in transformers", share >= least and divergence <= most, f"{share}, {divergence} nats")


def scheme_dtype(dtype):
    """A type as config.json spells it."""
    return str(dtype).removeprefix("torch.")


def main():
    check = checks.Checks(__file__)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for model in STORED_FP8:
        with tempfile.TemporaryDirectory() as temporary:
            for scheme, dtype in (("bf16", torch.bfloat16), ("f32", torch.float32)):
                with check.group(f"{model} {scheme}"):
                    judge_cast(check, checks.MODELS / model, Path(temporary) / scheme, scheme, dtype)
    check.finish()


if __name__ == "__main__":
    main()
