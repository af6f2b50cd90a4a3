"""Times the block encoders and decoders of every path and llama.cpp's, on one core, in GB/s of F32."""

import argparse
import time

import numpy

from quant_kernels import TYPES, Port, Reference


def speed(call, byte_count, seconds):
    """GB/s of the fastest call, of those that fit into some seconds, at least two."""
    best, end, calls = float("inf"), time.perf_counter() + seconds, 0
    while calls < 2 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best, calls = min(best, time.perf_counter() - start), calls + 1
    return byte_count / best / 1e9


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--types", nargs="*", default=list(TYPES))
    options.add_argument("--seconds", type=float, default=0.2)
    options.add_argument("--rows", type=int, default=16)
    options.add_argument("--length", type=int, default=4096)
    options.add_argument("--compiler", default="cc")
    options.add_argument("--paths", nargs="*", default=None)
    options = options.parse_args()
    reference, port = Reference(), Port(options.compiler)
    random = numpy.random.default_rng(1)
    rows = (random.standard_normal((options.rows, options.length)) * 0.02).astype(numpy.float32)
    importance = random.uniform(0.001, 2, options.length).astype(numpy.float32)
    ratios = []
    for name in options.types:
        for kind, weights in ("plain", None), ("weights", importance):
            if weights is None and TYPES[name][5]:
                continue
            expected = reference.encode(name, rows, weights)
            base = speed(lambda: reference.encode(name, rows, weights), rows.nbytes, options.seconds)
            line = f"{name:8} {kind:8} reference {base:7.4f}"
            for path in options.paths or port.paths:
                assert (port.encode(path, name, rows, weights) == expected).all(), (name, kind, path)
                found = speed(lambda: port.encode(path, name, rows, weights), rows.nbytes, options.seconds)
                line += f"   {path} {found:7.4f} = {found / base:5.1f}×"
            ratios.append(found / base)
            print(line, flush=True)
        base = speed(lambda: reference.decode(name, expected), rows.nbytes, options.seconds)
        line = f"{name:8} decoding reference {base:7.3f}"
        for path in options.paths or port.paths:
            found = speed(lambda: port.decode(path, name, expected), rows.nbytes, options.seconds)
            line += f"   {path} {found:7.3f} = {found / base:5.1f}×"
        print(line, flush=True)
    print(f"geometric mean of the last path {numpy.exp(numpy.log(ratios).mean()):.2f}×")


if __name__ == "__main__":
    main()
