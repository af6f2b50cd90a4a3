"""Times the kernels of every block type on one core: encoding, and decoding beside llama.cpp's decoder.

    kernels.py [--seconds S] [TYPE ...]

Rows of F32, some megabytes, in the fastest way that the processor has. GB/s count the F32
side. The first line is what copying 256 MB takes: the bandwidth that a core has.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Interop"))

import numpy  # noqa: E402

from quant_kernels import TYPES, Port, Reference  # noqa: E402


def rate(byte_count, seconds, work):
    """GB/s of the best of as many runs as fit the time."""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return byte_count / best / 1e9


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=0.5)
    options.add_argument("types", nargs="*", default=list(TYPES))
    options = options.parse_args()
    reference, port = Reference(), Port("cc")
    path = [*port.paths][-1]
    random = numpy.random.default_rng(3)
    rows = (random.standard_normal((1024, 4096)) * 0.02).astype(numpy.float32)
    weights = random.uniform(0.01, 4, rows.shape[1]).astype(numpy.float32)
    large = numpy.ones(1 << 26, numpy.float32)
    copy = numpy.empty_like(large)
    bandwidth = rate(large.nbytes, 4 * options.seconds, lambda: numpy.copyto(copy, large))
    print(f"copying {bandwidth:.1f} GB/s, path {path}")
    print("type        encode    decode  llama.cpp's decoder   (GB/s of F32)")
    for name in options.types:
        importance = weights if TYPES[name][5] else None
        data = port.encode(path, name, rows, importance)
        few = rows[:64]
        encode = rate(few.nbytes, options.seconds, lambda: port.encode(path, name, few, importance))
        decode = rate(rows.nbytes, options.seconds, lambda: port.decode(path, name, data))
        theirs = rate(rows.nbytes, options.seconds, lambda: reference.decode(name, data))
        print(f"{name:8s} {encode:9.3f} {decode:9.2f} {theirs:9.2f}", flush=True)


if __name__ == "__main__":
    main()
