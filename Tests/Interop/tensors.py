"""Reads and compares the tensors of safetensors files."""

import torch
from safetensors import safe_open


def read(folder):
    """Every tensor of the safetensors files in a folder."""
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                if name in tensors:
                    raise ValueError(f"{name} is stored twice")
                tensors[name] = file.get_tensor(name)
    return tensors


def bits(tensor):
    """A tensor's type, shape and bytes."""
    return str(tensor.dtype), tuple(tensor.shape), tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()


def unequal(expected, found):
    """The names of the tensors that are not the same bit for bit."""
    names = expected.keys() | found.keys()
    return sorted(n for n in names if n not in expected or n not in found or bits(expected[n]) != bits(found[n]))
