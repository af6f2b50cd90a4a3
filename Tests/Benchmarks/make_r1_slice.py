#!/usr/bin/env python3
"""Writes a slice of DeepSeek-R1 with random values, for timing conversions of FP8 checkpoints.

    make_r1_slice.py FOLDER [--experts N]

Two layers with the shapes of the published ones, the first dense, the second with N of the 256
routed experts: about 3.8 GB with the default 64. Codes, scales and norms are distributed as trained
ones are; the tokenizer is that of a fixture, so the vocabulary is small. A folder that is already
complete is left alone. Needs numpy.
"""

import argparse
import json
import pathlib
import shutil
import statistics

import numpy

import make_header_only as whole

FIXTURE = pathlib.Path(__file__).resolve().parents[2] / "Fixtures" / "models" / "tiny-deepseek-v3"
LAYERS, DENSE_LAYERS, SHARDS = 2, 1, 2
# Bytes that are drawn and written at a time: little enough to stay in the processor's cache.
CHUNK = 1 << 22


def bell_codes():
    """E4M3 codes at 65,536 equal steps of probability of a normal distribution, 100 wide."""
    codes = numpy.arange(127)
    exponent, mantissa = codes >> 3, codes & 7
    values = numpy.where(
        exponent > 0, (8 + mantissa) * 2.0 ** (exponent - 10), mantissa * 2.0**-9)
    bell = statistics.NormalDist(0, 100)
    drawn = numpy.array([bell.inv_cdf((step + 0.5) / 65_536) for step in range(65_536)])
    nearest = numpy.searchsorted((values[1:] + values[:-1]) / 2, abs(drawn))
    return (nearest + numpy.where(drawn < 0, 128, 0)).astype(numpy.uint8)


def values(generator, bell, name, dtype, count):
    """So many random values of a tensor, as they are stored."""
    if dtype == "F8_E4M3":
        return bell[generator.integers(0, 65_536, count, numpy.uint16)]
    if name.endswith("_scale_inv"):
        return generator.uniform(1e-4, 4e-4, count).astype("<f4")
    drawn = generator.standard_normal(count, numpy.float32) * numpy.float32(0.02)
    if "norm" in name:
        drawn += numpy.float32(1)
    return drawn if dtype == "F32" else (drawn.view(numpy.uint32) >> 16).astype("<u2")


def tensors(experts, vocabulary):
    """The rows of the whole checkpoint's table with these counts in place of its own."""
    whole.DENSE_LAYERS, whole.EXPERTS = DENSE_LAYERS, experts
    yield "model.embed_tokens.weight", "BF16", [vocabulary, whole.HIDDEN]
    for number in range(LAYERS):
        yield from whole.layer(number)
    yield "model.norm.weight", "BF16", [whole.HIDDEN]
    yield "lm_head.weight", "BF16", [vocabulary, whole.HIDDEN]


def write_shard(path, rows, generator, bell):
    """The header as for the whole checkpoint, then the values in its order."""
    whole.write_shard(path, rows)
    with open(path, "r+b") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        for name, entry in header.items():
            if name != "__metadata__":
                count = int(numpy.prod(entry["shape"]))
                for start in range(0, count, CHUNK):
                    part = min(CHUNK, count - start)
                    file.write(values(generator, bell, name, entry["dtype"], part).tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--experts", type=int, default=64, help="a multiple of 8")
    options = parser.parse_args()
    config = json.loads((FIXTURE / "config.json").read_text())
    rows = list(tensors(options.experts, config["vocab_size"]))
    total = sum(whole.byte_count(dtype, shape) for _, dtype, shape in rows)
    index = options.folder / "model.safetensors.index.json"
    if index.exists() and json.loads(index.read_text())["metadata"]["total_size"] == total:
        print(f"{options.folder} is complete")
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    for file in FIXTURE.iterdir():
        if "safetensors" not in file.name and file.name not in ("expected.json", "config.json"):
            shutil.copy(file, options.folder / file.name)
    changed = {
        "num_hidden_layers": LAYERS, "first_k_dense_replace": DENSE_LAYERS,
        "n_routed_experts": options.experts, "num_nextn_predict_layers": 0,
        "vocab_size": config["vocab_size"],
    }
    text = json.dumps(whole.CONFIG | changed, indent=2) + "\n"
    (options.folder / "config.json").write_text(text)
    shards, position = [[] for _ in range(SHARDS)], 0
    for row in rows:
        shards[position * SHARDS // total].append(row)
        position += whole.byte_count(*row[1:])
    generator, bell, weight_map = numpy.random.default_rng(1), bell_codes(), {}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05}-of-{SHARDS:06}.safetensors"
        write_shard(options.folder / name, shard, generator, bell)
        weight_map.update((row[0], name) for row in shard)
    # Last, so that an interrupted run is not taken for a complete one.
    index.write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}))
    print(f"{options.folder}: {len(rows)} tensors, {total} bytes")


if __name__ == "__main__":
    main()
