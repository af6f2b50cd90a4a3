"""Checkpoints as transformers runs them in float32, whatever they are stored in."""

import json
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

import fp8
from tensors import read


def config_of(folder):
    """config.json without its quantization."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    config.pop("quantization_config", None)
    return config


def model_of(config, tensors):
    """The model of this configuration with these tensors, in float32; later layers than the model has are left out."""
    def used(name):
        parts = name.split(".")
        return "layers" not in parts or int(parts[parts.index("layers") + 1]) < config["num_hidden_layers"]

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config | {"torch_dtype": "float32"}), encoding="utf-8")
        save_file({name: tensor.float().contiguous() for name, tensor in tensors.items() if used(name)},
                  Path(folder) / "model.safetensors", metadata={"format": "pt"})
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[kind]:
            raise ValueError(f"{kind}: {sorted(report[kind])[:4]}")
    return model.eval()


def load(folder):
    """The model in a folder with the values that its tensors stand for."""
    return model_of(config_of(folder), fp8.values(read(Path(folder))))


def token_ids(tokenizer, text):
    """A text's tokens, behind the begin token where the tokenizer's settings ask for it."""
    ids = tokenizer(text).input_ids
    begin = tokenizer.bos_token_id
    return [begin] + ids if tokenizer.init_kwargs.get("add_bos_token") and ids[:1] != [begin] else ids
