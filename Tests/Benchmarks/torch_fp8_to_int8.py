#!/usr/bin/env python3
"""Converts an FP8 checkpoint to int8 with one scale a row as a script in torch would: the peer.

    torch_fp8_to_int8.py FOLDER OUT [--threads N] [--no-output] [--plain]

Shard by shard: codes × block scales in float32, the greatest magnitude of each row / 127, codes
rounded half to even; kv_b_proj and what is not FP8 stays, in bfloat16. Whole tensors at a time, in
place wherever torch can; with --plain as one writes it first, a new tensor each step. Prints the seconds and the bytes read. Needs torch and safetensors.
"""

import argparse
import json
import pathlib
import time

import torch
from safetensors import safe_open
from safetensors.torch import save_file

BLOCK = 128


def dequantized(codes, scales):
    """Codes × the scale of their block, in float32."""
    values = codes.to(torch.float32)
    rows, columns = codes.shape
    if rows % BLOCK == 0 and columns % BLOCK == 0:
        blocks = values.view(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
        blocks.mul_(scales[:, None, :, None])
        return values
    wide = scales.repeat_interleave(BLOCK, 1)[:, :columns]
    return values.mul_(wide.repeat_interleave(BLOCK, 0)[:rows])


def quantized(values):
    """Int8 codes and the scale of each row; the values are overwritten."""
    low, high = torch.aminmax(values, dim=1, keepdim=True)
    scales = torch.maximum(-low, high).div_(127).clamp_(min=2**-23)
    return values.div_(scales).round_().to(torch.int8), scales


def plainly_dequantized(codes, scales):
    wide = scales.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
    return codes.to(torch.float32) * wide[:codes.shape[0], :codes.shape[1]]


def plainly_quantized(values):
    scales = (values.abs().amax(1, keepdim=True) / 127).clamp(min=2**-23)
    return torch.clamp(torch.round(values / scales), -128, 127).to(torch.int8), scales


def convert(file, scales, plain):
    """The tensors that one shard becomes."""
    dequantize, quantize = (plainly_dequantized, plainly_quantized) if plain else (dequantized, quantized)
    found = {}
    for name in file.keys():
        if name.endswith("_scale_inv"):
            continue
        tensor = file.get_tensor(name)
        if tensor.dtype != torch.float8_e4m3fn:
            found[name] = tensor
            continue
        values = dequantize(tensor, scales(f"{name}_scale_inv"))
        if name.endswith("kv_b_proj.weight"):
            found[name] = values.to(torch.bfloat16)
            continue
        codes, rows = quantize(values)
        found |= {name: codes, f"{name}_scale": rows, f"{name}_offset": torch.zeros_like(rows)}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--threads", type=int, help="torch's own choice without")
    parser.add_argument("--no-output", action="store_true", help="convert, but write nothing")
    parser.add_argument("--plain", action="store_true", help="a new tensor each step")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    index = options.folder / "model.safetensors.index.json"
    weight_map = json.loads(index.read_text())["weight_map"]
    shards = sorted(set(weight_map.values()))
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    files = {shard: safe_open(options.folder / shard, "pt") for shard in shards}
    for number, shard in enumerate(shards, 1):
        found = convert(files[shard], lambda name: files[weight_map[name]].get_tensor(name), options.plain)
        if not options.no_output:
            name = f"quant_model_weights-{number:05}-of-{len(shards):05}.safetensors"
            save_file(found, options.out / name)
    seconds = time.perf_counter() - began
    read = sum((options.folder / shard).stat().st_size for shard in shards)
    print(f"{seconds:.2f} s, {read} bytes, {read / seconds / 1e9:.2f} GB/s")


if __name__ == "__main__":
    main()
