"""Judges FP8 checkpoints turned into bfloat16 and float32, and bfloat16 ones turned into FP8 blocks."""

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
STORED_BF16 = ["tiny-qwen2", "seeded-ascend/deepseek-v2-lite", "seeded/qwen3moe"]


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


def judge_blocks(check, folder, out, name):
    """Codes and scales by definition, and a value no further off than half a step of its code."""
    source = read(folder)
    checks.port_convert(folder, "safetensors", out, "--quantize", "fp8-block128")
    found, expected = read(out), {}
    for key, value in source.items():
        last = key.removesuffix(".weight").rpartition(".")[2]
        if "_proj" in last and last != "eh_proj" and key.endswith(".weight"):
            expected[key], expected[f"{key}_scale_inv"] = fp8.quantize_blocks(value.float())
        else:
            expected[key] = value
    check.that(f"{name}: codes and scales", not (bad := unequal(expected, found)), bad[:4])
    check.that(f"{name}: FP8 at all", any(value.dtype == torch.float8_e4m3fn for value in found.values()))
    worst, values = 0.0, fp8.values(found)
    for key, value in source.items():
        scales = found.get(f"{key}_scale_inv")
        if scales is not None:
            scaled = value.float() / fp8.spread(scales, value.shape)
            step = torch.ldexp(torch.ones_like(scaled), torch.frexp(scaled.abs().clamp(min=2 ** -6)).exponent - 1 - 3)
            off = (values[key] - value.float()).abs() / fp8.spread(scales, value.shape)
            worst = max(worst, float((off / step).max()))
    check.that(f"{name}: within half a step", 0 < worst <= 0.5001, f"{worst} steps")
    judge_index(check, name, out, found)
    judge_config(check, name, out, folder, {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                                            "weight_block_size": [128, 128]}, "bfloat16")


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
            with check.group(f"{model} and back"):
                name = f"{Path(model).name} and back"
                judge_blocks(check, Path(temporary) / "bf16", Path(temporary) / "again", name)
    for model in STORED_BF16:
        with check.group(f"{model} fp8-block128"), tempfile.TemporaryDirectory() as temporary:
            judge_blocks(check, checks.MODELS / model, Path(temporary) / "out", f"{Path(model).name} fp8-block128")
    check.finish()


if __name__ == "__main__":
    main()
