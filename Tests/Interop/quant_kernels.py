"""The reference's quantizers and port's own, both as arrays in and bytes out, for comparing and for timing."""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import llama_cpp
import numpy

ROOT = Path(__file__).resolve().parents[2]

# name: (elements and bytes of a block, type in GGML, row in port_block_name, codebook or None, needs weights)
TYPES = {
    "q4_0": (32, 18, 2, 0, None, False), "q4_1": (32, 20, 3, 1, None, False),
    "q5_0": (32, 22, 6, 2, None, False), "q5_1": (32, 24, 7, 3, None, False),
    "q8_0": (32, 34, 8, 4, None, False), "q2_k": (256, 84, 10, 5, None, False),
    "q3_k": (256, 110, 11, 6, None, False), "q4_k": (256, 144, 12, 7, None, False),
    "q5_k": (256, 176, 13, 8, None, False), "q6_k": (256, 210, 14, 9, None, False),
    "iq2_xxs": (256, 66, 16, 10, 0, True), "iq2_xs": (256, 74, 17, 11, 1, True),
    "iq2_s": (256, 82, 22, 12, 2, False), "iq3_xxs": (256, 98, 18, 13, 4, False),
    "iq3_s": (256, 110, 21, 14, 5, False), "iq1_s": (256, 50, 19, 15, 3, True),
    "iq1_m": (256, 56, 29, 16, 3, False), "iq4_nl": (32, 18, 20, 17, None, False),
    "iq4_xs": (256, 136, 23, 18, None, False), "tq1_0": (256, 54, 34, 19, None, False),
    "tq2_0": (256, 66, 35, 20, None, False), "mxfp4": (32, 17, 39, 21, None, False),
    "nvfp4": (64, 36, 40, 22, None, False), "q1_0": (128, 18, 41, 23, None, False),
    "q2_0": (64, 18, 42, 24, None, False),
}


def pointer(array):
    """The address of an array's elements, or NULL."""
    return None if array is None else array.ctypes.data_as(ctypes.c_void_p)


class Reference:
    """ggml as llama-cpp-python ships it."""

    def __init__(self):
        folder = Path(llama_cpp.__file__).parent / "lib"
        self.library = ctypes.CDLL(str(next(folder.glob("libggml-base.*"))))
        self.library.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.library.ggml_quantize_chunk.argtypes = [
            ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
            ctypes.c_void_p]

    def encode(self, name, rows, weights):
        elements, size, number, *_ = TYPES[name]
        out = numpy.zeros(rows.size // elements * size, numpy.uint8)
        written = self.library.ggml_quantize_chunk(
            number, pointer(rows), pointer(out), 0, rows.shape[0], rows.shape[1], pointer(weights))
        assert written == out.size, (name, written, out.size)
        return out

    def decode(self, name, data):
        elements, size, *_ = TYPES[name]
        out = numpy.empty(data.size // size * elements, numpy.float32)
        spelled = name[:-1] + "K" if name.endswith("_k") else name
        getattr(self.library, f"dequantize_row_{spelled}")(pointer(data), pointer(out), ctypes.c_int64(out.size))
        return out


class Rows(ctypes.Structure):
    """`struct port_rows`."""
    _fields_ = [("values", ctypes.c_void_p), ("row_length", ctypes.c_size_t), ("row_count", ctypes.c_size_t),
                ("importance", ctypes.c_void_p)]


class BlockKernels(ctypes.Structure):
    """`struct port_block_kernels`."""
    _fields_ = [
        ("encode", ctypes.CFUNCTYPE(None, ctypes.POINTER(Rows), ctypes.c_void_p, ctypes.c_void_p)),
        ("decode", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t))]


class Kernels(ctypes.Structure):
    """`struct port_kernels`."""
    _fields_ = [("name", ctypes.c_char_p)] + [(f"plain{i}", ctypes.c_void_p) for i in range(6)] + [
        ("blocks", ctypes.POINTER(BlockKernels))]


class Port:
    """Sources/CKernels, compiled into a library of its own."""

    def __init__(self, compiler="cc", options=("-O2",)):
        sources = ROOT / "Sources" / "CKernels"
        self.folder = tempfile.TemporaryDirectory()
        library = Path(self.folder.name) / "libCKernels.so"
        subprocess.run(
            [compiler, "-std=gnu11", *options, "-w", "-Wno-psabi", "-ffp-contract=off", "-fPIC", "-shared", "-o", str(library),
             "-I", str(sources / "include"), *map(str, sorted(sources.rglob("*.c"))), "-lm"], check=True)
        self.library = ctypes.CDLL(str(library))
        self.library.port_kernels_for.restype = ctypes.POINTER(Kernels)
        self.library.port_codebook_byte_count.restype = ctypes.c_size_t
        self.paths = {}
        for index in range(8):
            if kernels := self.library.port_kernels_for(index):
                self.paths[kernels.contents.name.decode()] = kernels.contents.blocks
        self.codebooks = {}

    def codebook(self, name):
        number = TYPES[name][4]
        if number is None:
            return None
        if number not in self.codebooks:
            memory = numpy.zeros(self.library.port_codebook_byte_count(number) + 64, numpy.uint8)
            start = -memory.ctypes.data % 64
            self.codebooks[number] = memory[start:]
            self.library.port_codebook_build(number, pointer(self.codebooks[number]))
        return self.codebooks[number]

    def encode(self, path, name, rows, weights):
        elements, size, _, row, *_ = TYPES[name]
        out = numpy.zeros(rows.size // elements * size, numpy.uint8)
        arguments = Rows(rows.ctypes.data, rows.shape[1], rows.shape[0], None if weights is None else weights.ctypes.data)
        self.paths[path][row].encode(ctypes.byref(arguments), pointer(out), pointer(self.codebook(name)))
        return out

    def decode(self, path, name, data):
        elements, size, _, row, *_ = TYPES[name]
        out = numpy.empty(data.size // size * elements, numpy.float32)
        self.paths[path][row].decode(pointer(data), pointer(out), out.size)
        return out
