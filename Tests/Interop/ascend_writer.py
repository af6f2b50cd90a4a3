"""Writes folders in the AscendV1 format with msModelSlim's numbers, for trying the judges on."""

import json
import shutil

import torch
from safetensors.torch import save_file

import ascend_folder
import ascend_quantizer

NEVER = ("kv_b_proj", "lm_head", "eh_proj", "shared_head.head")


def parts_of(linear, kind, value, bias, bounds, group):
    """The tensors of one quantized linear by their last names."""
    if kind == "W8A16" and group:
        codes, scales = ascend_quantizer.grouped(value, group)
    elif kind in ("W8A8_DYNAMIC", "W8A16"):
        codes, scales = ascend_quantizer.integers(value)
    elif kind == "W8A8FP8_DYNAMIC":
        codes, scales = ascend_quantizer.floats(value)
    elif kind in ("W8A8", "W8A8_MIX"):
        codes, scales = ascend_quantizer.integers(value)
        scale, offset = ascend_quantizer.asymmetric(*(torch.tensor(float(bound)) for bound in bounds[linear]))
        deq = (scale * scales.flatten()).float()
        parts = {"weight": codes, "input_scale": scale, "input_offset": offset, "deq_scale": deq,
                 "quant_bias": torch.round(bias / deq - codes.float().sum(1) * offset).to(torch.int32)}
        return parts if kind == "W8A8" else parts | {"weight_scale": scales, "weight_offset": torch.zeros_like(scales)}
    elif kind == "W4A8_DYNAMIC":
        codes, scales = ascend_quantizer.integers(value, 4, search=True)
        slices = 16 if linear.endswith("down_proj") else 1
        biases = 8 * (codes.float() * scales).unflatten(1, (slices, -1)).sum(-1)
        return {"weight": ascend_quantizer.pack_int4(codes), "weight_scale": scales, "scale_bias": biases,
                "weight_offset": torch.zeros_like(scales)}
    else:
        values, exponents = ascend_quantizer.microscaled(value, 8 if kind == "W8A8_MXFP8" else 4)
        codes = values.to(torch.float8_e4m3fn) if kind == "W8A8_MXFP8" else ascend_quantizer.pack_e2m1(values)
        return {"weight": codes, "weight_scale": (exponents + 127).to(torch.uint8)}
    return {"weight": codes, "weight_scale": scales, "weight_offset": torch.zeros_like(scales)}


def caches_of(shapes):
    """Scale and offset of every channel of keys and values; models with latent attention have none."""
    random, found = torch.Generator().manual_seed(7), {}
    for name, shape in shapes.items():
        if name.endswith((".k_proj.weight", ".v_proj.weight")):
            linear = name.removesuffix(".weight")
            found[f"{linear}.kv_cache_scale"] = torch.rand(shape[0], generator=random) + 0.01
            found[f"{linear}.kv_cache_offset"] = torch.zeros(shape[0])
    return found


def write(source, tensors, values, out, kind, experts=None, bounds=None, group=0, caches=None):
    """Converts a checkpoint folder; routed experts may have a type of their own, W8A16 groups of columns, keys and
    values scales for the cache. The tensors are those that it stores."""
    out.mkdir(parents=True)
    stored, types = {}, {}
    zero = torch.zeros(1)
    for name, value in values.items():
        linear = name.removesuffix(".weight")
        if "_proj" in linear.rpartition(".")[2] and not linear.endswith(NEVER) and name.endswith(".weight"):
            chosen = experts if experts and ".experts." in name else kind
            bias = values.get(f"{linear}.bias", zero).float()
            for part, tensor in parts_of(linear, chosen, value.float(), bias, bounds, group).items():
                stored[f"{linear}.{part}"], types[f"{linear}.{part}"] = tensor.contiguous(), chosen
        else:
            raw = tensors[name]
            stored[name] = value.to(torch.bfloat16) if raw.dtype == torch.float8_e4m3fn else raw
            stored[name], types[name] = stored[name].contiguous(), "FLOAT"
            if name.endswith("_proj.bias"):
                stored[name] = raw.float()
    for name, tensor in (caches or {}).items():
        stored[name], types[name] = tensor, "C8"
    save_file(stored, out / f"{ascend_folder.WEIGHTS}.safetensors", metadata={"format": "pt"})
    named = [name for name in ascend_folder.PRIORITY if name in types.values()]
    head = {"version": "1.0.0", "model_quant_type": named[-1], "metadata": {}, "optional": {},
            "group_size": 32 if any("MXFP" in name for name in types.values()) else group}
    if caches:
        head |= {"kv_quant_type": "C8", "kv_cache_type": "C8"}
    (out / ascend_folder.DESCRIPTION).write_text(json.dumps(types | head, indent=2), encoding="utf-8")
    for file in source.iterdir():
        if file.name.endswith(ascend_folder.COPIED) and not file.name.endswith("index.json"):
            shutil.copy(file, out / file.name)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config.pop("quantization_config", None)
    (out / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
