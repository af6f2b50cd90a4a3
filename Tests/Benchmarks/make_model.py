#!/usr/bin/env python3
"""Writes a checkpoint of real size with random weights, for timing.

    make_model.py FOLDER [--layers N] [--kind qwen2|gpt2]

`qwen2` has the shapes of Qwen2-0.5B with 18 layers, about 0.8 GB in bfloat16; `gpt2` has those of
GPT-2 large with 18 layers, about as much, whose projections a converter must transpose. The
tokenizer is that of a fixture. Needs numpy.
"""

import argparse
import json
import pathlib
import shutil

import numpy

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "Fixtures" / "models"
QWEN2 = {
    "vocab_size": 151_936,
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
}
GPT2 = {"vocab_size": 50_257, "n_embd": 1280, "n_head": 20, "n_positions": 1024}


def qwen2_shapes(layers):
    width, inner = QWEN2["hidden_size"], QWEN2["intermediate_size"]
    keys = width // QWEN2["num_attention_heads"] * QWEN2["num_key_value_heads"]
    yield "model.embed_tokens.weight", (QWEN2["vocab_size"], width)
    for layer in range(layers):
        stem = f"model.layers.{layer}."
        yield stem + "input_layernorm.weight", (width,)
        yield stem + "post_attention_layernorm.weight", (width,)
        for name, rows in (("q", width), ("k", keys), ("v", keys)):
            yield f"{stem}self_attn.{name}_proj.weight", (rows, width)
            yield f"{stem}self_attn.{name}_proj.bias", (rows,)
        yield stem + "self_attn.o_proj.weight", (width, width)
        yield stem + "mlp.gate_proj.weight", (inner, width)
        yield stem + "mlp.up_proj.weight", (inner, width)
        yield stem + "mlp.down_proj.weight", (width, inner)
    yield "model.norm.weight", (width,)


def gpt2_shapes(layers):
    width = GPT2["n_embd"]
    yield "wte.weight", (GPT2["vocab_size"], width)
    yield "wpe.weight", (GPT2["n_positions"], width)
    for layer in range(layers):
        stem = f"h.{layer}."
        for norm in ("ln_1", "ln_2"):
            yield f"{stem}{norm}.weight", (width,)
            yield f"{stem}{norm}.bias", (width,)
        for name, rows, columns in (
            ("attn.c_attn", width, 3 * width),
            ("attn.c_proj", width, width),
            ("mlp.c_fc", width, 4 * width),
            ("mlp.c_proj", 4 * width, width),
        ):
            yield f"{stem}{name}.weight", (rows, columns)
            yield f"{stem}{name}.bias", (columns,)
    yield "ln_f.weight", (width,)
    yield "ln_f.bias", (width,)


def bfloat16(generator, count):
    """Weights as a trained model has them: normal, 0.02 wide, rounded towards zero."""
    values = generator.standard_normal(count, numpy.float32) * numpy.float32(0.02)
    return (values.view(numpy.uint32) >> 16).astype("<u2")


def write_safetensors(path, shapes):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in sorted(shapes):
        count = int(numpy.prod(shape))
        header[name] = {
            "dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + 2 * count]
        }
        end += 2 * count
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    generator = numpy.random.default_rng(1)
    chunk = 1 << 22
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for start in range(0, end // 2, chunk):
            file.write(bfloat16(generator, min(chunk, end // 2 - start)).tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--kind", choices=("qwen2", "gpt2"), default="qwen2")
    parser.add_argument("--layers", type=int)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.kind == "qwen2":
        layers, fixture, sizes, key = options.layers or 18, "tiny-qwen2", QWEN2, "num_hidden_layers"
        shapes = qwen2_shapes(layers)
    else:
        layers, fixture, sizes, key = options.layers or 18, "seeded/gpt2", GPT2, "n_layer"
        shapes = gpt2_shapes(layers)
    for file in (FIXTURES / fixture).iterdir():
        if file.suffix != ".safetensors" and file.name not in ("expected.json", "config.json"):
            shutil.copy(file, options.folder / file.name)
    config = json.loads((FIXTURES / fixture / "config.json").read_text())
    config.update(sizes)
    config[key] = layers
    config["torch_dtype"] = "bfloat16"
    (options.folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_safetensors(options.folder / "model.safetensors", shapes)


if __name__ == "__main__":
    main()
