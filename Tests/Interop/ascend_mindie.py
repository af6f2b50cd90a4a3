"""Judges a folder for MindIE before 2.1.RC1: the tensors of AscendV1 under its names, and what its config must say."""

import json

import torch
from safetensors import safe_open

import ascend_folder


def expected_config(config, kinds):
    """The config that MindIE wants for linears of these types."""
    layers = config["num_hidden_layers"]
    ahead = {name for name in kinds if ".layers." in name and int(name.split(".layers.")[1].split(".")[0]) >= layers}
    latent = {name for name in kinds if "kv_lora_rank" in config and ".self_attn." in name} - ahead

    def only(names):
        found = {kinds[name].lower() for name in names} - {"float"}
        if len(found) > 1:
            raise ValueError(f"MindIE cannot be told of {sorted(found)}")
        return found.pop() if found else None

    quantize = only(kinds.keys() - ahead - latent)
    attention = only(latent) or quantize
    further = only(ahead) or attention
    expected = {key: value for key, value in config.items() if key != "quantization_config"}
    if config["model_type"] in ("deepseek_v2", "deepseek_v3"):
        expected["model_type"] = "deepseekv2"
    expected |= {"quantize": quantize,
                 "quantization_config": {"kv_quant_type": None, "fa_quant_type": None, "group_size": 0}}
    if attention != quantize:
        expected["mla_quantize"] = attention
    if further != attention:
        expected["mtp_quantize"] = further
    return expected


def judge(check, name, config, folder, path):
    """Compares the folder at this path with the AscendV1 folder of the same types."""
    expected = expected_config(config, folder.kinds)
    kind = expected["quantize"]
    found = json.loads((path / "config.json").read_text(encoding="utf-8"))
    check.that(f"{name}: config.json", found == expected,
               sorted(key for key in found | expected if found.get(key, "") != expected.get(key, "")))
    description = json.loads((path / f"quant_model_description_{kind}.json").read_text(encoding="utf-8"))
    types = {key: value for key, value in description.items() if key not in ascend_folder.GLOBALS}
    check.that(f"{name}: types", types == folder.types, "not those of AscendV1")
    check.same(f"{name}: model_quant_type", kind, description.get("model_quant_type", "").lower())
    tensors, files = {}, sorted(path.glob("*.safetensors"))
    for number, file in enumerate(files):
        part = f"-{number + 1:05}-of-{len(files):05}" if len(files) > 1 else ""
        check.same(f"{name}: part {number + 1}", f"quant_model_weight_{kind}{part}.safetensors", file.name)
        with safe_open(file, "pt") as reader:
            tensors |= {key: reader.get_tensor(key) for key in reader.keys()}
    check.that(f"{name}: index", (path / f"quant_model_weight_{kind}.safetensors.index.json").exists() == (len(files) > 1), "")
    different = sorted(key for key in tensors.keys() | folder.tensors.keys()
                       if key not in tensors or key not in folder.tensors or tensors[key].dtype != folder.tensors[key].dtype
                       or not torch.equal(tensors[key], folder.tensors[key]))
    check.that(f"{name}: tensors", not different, different[:4])
