"""Converts checkpoints to the AscendV1 format and has vLLM-Ascend, msModelSlim and the emulated operators judge them."""

import json
import os
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

import ascend_folder
import ascend_judges
import ascend_mindie
import ascend_writer
import checks

TRAINED = ["tiny-deepseek-v3", "tiny-qwen2", "tiny-llama"]
SEEDED = ["seeded-ascend/deepseek-v2-lite", "seeded-ascend/kimi-k2", "seeded-ascend/llama-fp8-channel",
          "seeded-ascend/llama-fp8-tensor", "seeded/qwen2", "seeded/llama3"]
# Each scheme, and the types that its linears and its routed experts must have at least once.
SCHEMES = {"float": ("FLOAT", "FLOAT"), "w8a8-dynamic": ("W8A8_DYNAMIC", "W8A8_DYNAMIC"),
           "w4a8": ("W8A8_DYNAMIC", "W4A8_DYNAMIC"), "w8a16": ("W8A16", "W8A8_DYNAMIC"),
           "w8a16-g32": ("W8A16", "W8A8_DYNAMIC"), "w8a16-g64": ("W8A16", "W8A8_DYNAMIC"),
           "w8a8-mxfp8": ("W8A8_MXFP8", "W8A8_MXFP8"), "w4a8-mxfp": ("W4A8_MXFP", "W4A8_MXFP"),
           "w4a4-mxfp4": ("W4A4_MXFP4", "W4A4_MXFP4")}
CALIBRATED = {"w8a8": ("W8A8", "W8A8_DYNAMIC"), "w8a8-mix": ("W8A8_MIX", "W8A8_DYNAMIC")}
# What cannot be: kimi-k2 has rows of 48, which groups of 32 do not divide, and int4 experts are for experts.
LEFT_OUT = {("kimi-k2", "w4a8-mxfp"), ("kimi-k2", "w4a4-mxfp4"), ("kimi-k2", "w8a16-g32")}
# The models whose quantized rows groups of 64 divide.
WIDE = ("tiny-qwen2", "tiny-llama", "llama3")


def judge_types(check, name, source, folder, expected):
    """The scheme's types are used at all: a folder of floats would pass every other judge."""
    linear, expert = expected
    kinds = {kind for part, kind in folder.kinds.items() if ".experts." not in part}
    check.that(f"{name}: linears of type {linear}", linear in kinds, sorted(kinds))
    if "n_routed_experts" in source.config:
        kinds = {kind for part, kind in folder.kinds.items() if ".experts." in part and not ahead(source, part)}
        check.that(f"{name}: experts of type {expert}", kinds == {expert}, sorted(kinds))


def ahead(source, name):
    """Whether a linear is in the layers for the tokens after the next."""
    parts = name.split(".")
    return "layers" in parts and int(parts[parts.index("layers") + 1]) >= source.config["num_hidden_layers"]


def compare(check, source, scheme, expected, out, *options, bounds=None, caches=None):
    """Converts, and converts once more into parts of limited size, and judges both."""
    name = f"{source.path.name} {scheme}"
    checks.port_convert(source.path, "ascend-910c", out / "one", "--quantize", scheme, *options)
    folder = ascend_folder.Folder(out / "one")
    judge_types(check, name, source, folder, expected)
    ascend_judges.judge_read(check, name, source, folder, bounds, caches)
    if scheme == "w8a8-dynamic":
        checks.port_convert(source.path, "ascend-910c", out / "parts", "--quantize", scheme, "--shard-size", "40000B")
        parts = ascend_folder.Folder(out / "parts")
        check.that(f"{name}: several parts", len(set(parts.files.values())) > 1, "one")
        ascend_folder.judge_files(check, f"{name} in parts", source.path, parts)
        same = parts.tensors.keys() == folder.tensors.keys() and all(
            torch.equal(tensor, parts.tensors[key]) for key, tensor in folder.tensors.items())
        check.that(f"{name}: the same in parts", same and parts.description == folder.description)


def compare_mindie(check, source, scheme, out, *options):
    """Converts for MindIE too, which wants the same tensors under other names."""
    checks.port_convert(source.path, "ascend-910b", out / "same", "--quantize", scheme, *options)
    folder = ascend_folder.Folder(out / "same")
    for part, size in (("mindie", "4GiB"), ("mindie-parts", "60kB")):
        checks.port_convert(source.path, "ascend-910b:mindie", out / part, "--quantize", scheme, "--shard-size", size, *options)
        ascend_mindie.judge(check, f"{source.path.name} {scheme} {part}", source.config, folder, out / part)


def compare_ahead(check, source, out):
    """Layers for the tokens after the next are dropped, or lose what they only repeat; the rest is as ever."""
    same = None
    repeated = {"embed_tokens.weight": "model.embed_tokens.weight", "shared_head.head.weight": "lm_head.weight"}
    for choice in ("keep", "drop", "merge"):
        name = f"{source.path.name} {choice}"
        checks.port_convert(source.path, "ascend-910c", out / choice, "--mtp", choice)
        folder = ascend_folder.Folder(out / choice)
        same = same or folder
        left = {n for n in same.tensors if ahead(source, n) and (
            choice == "drop" or choice == "merge" and n.split(".", 3)[3] in repeated)}
        check.that(f"{name}: something is left out", bool(left) == (choice != "keep"), sorted(left)[:4])
        check.same(f"{name}: tensors", sorted(same.tensors.keys() - left), sorted(folder.tensors))
        check.same(f"{name}: described tensors", sorted(folder.tensors), sorted(folder.types))
        check.that(f"{name}: values", all(torch.equal(same.tensors[n], t) for n, t in folder.tensors.items()))
        if choice == "merge":
            check.that(f"{name}: copies", all(
                torch.equal(source.tensors[n], source.tensors[repeated[n.split(".", 3)[3]]]) for n in left))
        config = {key: value for key, value in source.config.items() if key != "quantization_config"}
        config["num_nextn_predict_layers"] *= choice != "drop"
        check.that(f"{name}: config.json", folder.config == config, folder.config.get("num_nextn_predict_layers"))


def compare_layout(check, source, scheme, out):
    """Weights once more in the matrix unit's tiles, and all else as ever."""
    name = f"{source.path.name} {scheme} nz"
    checks.port_convert(source.path, "ascend-910c", out / "nd", "--quantize", scheme)
    checks.port_convert(source.path, "ascend-910c", out / "nz", "--quantize", scheme, "--layout", "nz", "--shard-size", "90kB")
    plain, folder = ascend_folder.Folder(out / "nd"), ascend_folder.Folder(out / "nz")
    check.that(f"{name}: the same beside it", folder.tensors.keys() == plain.tensors.keys() and all(
        torch.equal(tensor, folder.tensors[key]) for key, tensor in plain.tensors.items()))
    tiles, shapes = {}, {}
    files = sorted((out / "nz" / "nz").glob("*.safetensors"))
    for number, file in enumerate(files):
        part = f"-{number + 1:05}-of-{len(files):05}" if len(files) > 1 else ""
        check.same(f"{name}: part", [f"quant_model_weights_nz{part}.safetensors"], [file.name])
        with safe_open(file, "pt") as reader:
            shapes |= reader.metadata()
            tiles |= {key: reader.get_tensor(key) for key in reader.keys()}
    check.that(f"{name}: layout", shapes.get("layout") == "FRACTAL_NZ", shapes.get("layout"))
    linears = {key for key, value in plain.tensors.items() if key.endswith("_proj.weight") or key.endswith("_mqa.weight")
               if value.dtype in (torch.int8, torch.bfloat16, torch.float16) and not key.endswith(("kv_b_proj.weight", "eh_proj.weight"))}
    check.same(f"{name}: tensors", sorted(linears), sorted(tiles))
    for key, tile in tiles.items():
        matrix = plain.tensors[key].T
        columns = 32 // matrix.element_size()
        padded = torch.nn.functional.pad(matrix, (0, -matrix.shape[1] % columns, 0, -matrix.shape[0] % 16))
        expected = padded.reshape(padded.shape[0] // 16, 16, -1, columns).permute(2, 0, 1, 3)
        check.that(f"{name}: {key}", tile.shape == expected.shape and torch.equal(tile, expected), list(tile.shape))
        check.that(f"{name}: shape of {key}", json.loads(shapes.get(key, "0")) == list(plain.tensors[key].shape), shapes.get(key))


def calibration(source, form, out):
    """The input bounds of every linear as a calibration: JSON, safetensors, or a folder with msModelSlim's numbers."""
    if form == "json":
        out.write_text(json.dumps({name: {"min": low, "max": high} for name, (low, high) in source.bounds.items()}))
    elif form == "safetensors":
        save_file({f"{name}.{end}": torch.tensor([bound]) for name, bounds in source.bounds.items()
                   for end, bound in zip(("min", "max"), bounds)}, out)
    else:
        linears = (name.removesuffix(".weight") for name in source.values)
        bounds = dict.fromkeys(linears, (-3, 4)) | source.bounds
        ascend_writer.write(source.path, source.tensors, source.values, out, "W8A8", "W8A8_DYNAMIC", bounds,
                            caches=ascend_writer.caches_of(source.shapes))
    return out


def main():
    check = checks.Checks(__file__)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    chosen = os.environ.get("SCHEMES", "").split() or [*SCHEMES, *CALIBRATED]
    for model in TRAINED + SEEDED:
        source = ascend_judges.Source(checks.MODELS / model, trained=model in TRAINED)
        for scheme, expected in SCHEMES.items():
            experts = "n_routed_experts" in source.config
            if scheme == "w8a16-g64" and source.path.name not in WIDE:
                continue
            if scheme not in chosen or (source.path.name, scheme) in LEFT_OUT or scheme == "w4a8" and not experts:
                continue
            with check.group(f"{model} {scheme}"), tempfile.TemporaryDirectory() as temporary:
                compare(check, source, scheme, expected, Path(temporary))
        for scheme, expected in CALIBRATED.items():
            if scheme not in chosen or not source.trained:
                continue
            for form in ("json", "safetensors", "folder") if scheme == "w8a8" else ("json",):
                with check.group(f"{model} {scheme} {form}"), tempfile.TemporaryDirectory() as temporary:
                    path = calibration(source, form, Path(temporary) / "calibration")
                    compare(check, source, scheme, expected, Path(temporary), "--calibration", str(path),
                            bounds=source.bounds, caches=ascend_writer.caches_of(source.shapes) if form == "folder" else None)
                    if scheme == "w8a8" and form == "json":
                        compare_mindie(check, source, scheme, Path(temporary), "--calibration", str(path))
        for scheme in ("float", "w8a8-dynamic", "w4a8") if model in ("tiny-deepseek-v3", "seeded-ascend/kimi-k2") else ():
            with check.group(f"{model} {scheme} nz"), tempfile.TemporaryDirectory() as temporary:
                compare_layout(check, source, scheme, Path(temporary))
        if source.config.get("num_nextn_predict_layers"):
            with check.group(f"{model} mtp"), tempfile.TemporaryDirectory() as temporary:
                compare_ahead(check, source, Path(temporary))
        if source.trained:
            with check.group(f"{model} mindie"), tempfile.TemporaryDirectory() as temporary:
                compare_mindie(check, source, "w8a8-dynamic", Path(temporary))
    check.finish()


if __name__ == "__main__":
    main()
