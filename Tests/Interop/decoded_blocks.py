"""Writes what ggml's own decoders make of blocks: FIXTURES/quants/decoded/decoded.json.

Usage: decoded_blocks.py FIXTURES   (with llama-cpp-python 0.3.36 and numpy installed)
"""

import ctypes
import glob
import json
import os
import sys

import llama_cpp
import numpy

fixtures = sys.argv[1]
folder = os.path.join(os.path.dirname(llama_cpp.__file__), "lib")
library = ctypes.CDLL(glob.glob(os.path.join(folder, "libggml-base.so*"))[0])


class Traits(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("block", ctypes.c_int64), ("interleave", ctypes.c_int64),
        ("size", ctypes.c_size_t), ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.c_void_p), ("from_float", ctypes.c_void_p),
    ]


library.ggml_get_type_traits.restype = ctypes.POINTER(Traits)
decoder = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
traits = {}
for number in range(43):
    row = library.ggml_get_type_traits(number).contents
    if row.name and row.is_quantized and row.to_float:
        traits[row.name.decode().lower()] = row


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return f"{value:016x}"


def decoded(name, data):
    row = traits[name]
    values = numpy.zeros(len(data) // row.size * row.block, numpy.float32)
    buffer = ctypes.create_string_buffer(data, len(data))
    decoder(row.to_float)(ctypes.addressof(buffer), values.ctypes.data, len(values))
    bits = values.view(numpy.uint32).copy()
    bits[numpy.isnan(values)] = 0x7FC00000
    return fnv1a(bits.tobytes())


def random_bytes(count, state=12345):
    result = bytearray()
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        result.append(state >> 56)
    return bytes(result)


hashes = {}
for path in sorted(glob.glob(os.path.join(fixtures, "quants/ggml/golden/*.bin"))):
    name = os.path.basename(path)
    hashes[name] = decoded(name.split(".")[0], open(path, "rb").read())
for name, row in traits.items():
    hashes[name + ".random"] = decoded(name, random_bytes(64 * row.size))
with open(os.path.join(fixtures, "quants/decoded/decoded.json"), "w") as file:
    json.dump(hashes, file, indent=1, sort_keys=True)
    file.write("\n")
