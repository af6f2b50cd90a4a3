"""Records what transformers computes in float32 for a few tokens of each bundled checkpoint.

For each model under Fixtures/models, a JSON file in the folder given (default Fixtures/models/logits) with the token
ids, the L2 norm of all logits (of a sentence encoder: hidden states), and the logits at some positions for some
entries of the vocabulary; of a sentence encoder also the pooled row.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy
import torch
import transformers
from safetensors.torch import save_file

import fp8
import tensors

MODELS = Path(__file__).resolve().parents[2] / "Fixtures" / "models"
TOKENS = 16
POSITIONS = [0, 1, 5, 10, 15]
ENTRIES = 48


def folders():
    """Every checkpoint that transformers can run."""
    return [folder for folder in sorted(MODELS.glob("tiny-*")) + sorted(MODELS.glob("seeded*/*"))
            if (folder / "config.json").exists()]


def load(folder):
    """The model with its stored weights, those in FP8 by their values, in float32."""
    config = json.loads((folder / "config.json").read_text())
    encoder = config["model_type"] == "bert"
    kind = transformers.AutoModel if encoder else transformers.AutoModelForCausalLM
    with tempfile.TemporaryDirectory() as plain:
        if config.pop("quantization_config", None):
            # Kimi-K2's tensors and arithmetic are those of DeepSeek-V3.
            config["model_type"] = config["model_type"].replace("kimi_k2", "deepseek_v3")
            (Path(plain) / "config.json").write_text(json.dumps(config))
            save_file(fp8.values(tensors.read(folder)), Path(plain) / "model.safetensors", {"format": "pt"})
            folder = plain
        model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval(), encoder


def pooling(folder):
    """How a sentence encoder pools, as its modules say."""
    modules = folder / "modules.json"
    if not modules.exists():
        return None
    path = next(m["path"] for m in json.loads(modules.read_text()) if m["type"].endswith("Pooling"))
    config = json.loads((folder / path / "config.json").read_text())
    return "cls" if config.get("pooling_mode_cls_token") else "mean"


def record(folder):
    """What the model computes, as a dictionary."""
    model, encoder = load(folder)
    random = numpy.random.default_rng(7)
    vocabulary = model.config.vocab_size
    ids = [int(token) for token in random.integers(0, vocabulary, TOKENS)]
    with torch.no_grad():
        out = model(torch.tensor([ids]))
    rows = (out.last_hidden_state if encoder else out.logits)[0].double().numpy()
    entries = sorted(int(e) for e in random.choice(rows.shape[1], min(ENTRIES, rows.shape[1]), replace=False))
    result = {
        "ids": ids, "norm": float(numpy.linalg.norm(rows)), "positions": POSITIONS, "entries": entries,
        "values": [[float(numpy.float32(rows[p, e])) for e in entries] for p in POSITIONS],
    }
    if encoder:
        rule = pooling(folder)
        pooled = rows[0] if rule == "cls" else rows.mean(axis=0)
        result["pooled"] = [float(numpy.float32(value)) for value in pooled]
    return result


def main():
    target = Path(sys.argv[1] if len(sys.argv) > 1 else MODELS / "logits")
    target.mkdir(parents=True, exist_ok=True)
    for folder in folders():
        result = record(folder)
        (target / f"{folder.name}.json").write_text(json.dumps(result) + "\n")
        print(folder.name, result["norm"])


if __name__ == "__main__":
    main()
