"""Compares the block encoders and decoders of every path with llama.cpp's, byte for byte, on random data."""

import argparse
import os

import numpy

import checks
from quant_kernels import TYPES, Port, Reference


def inputs(random, rows, length):
    """Named arrays of many distributions."""
    normal = random.standard_normal((rows, length)).astype(numpy.float32)
    yield "normal", normal
    yield "uniform", random.uniform(-1, 1, (rows, length)).astype(numpy.float32)
    yield "heavy tails", (random.standard_t(1.5, (rows, length)) * 0.01).astype(numpy.float32)
    yield "bfloat16", (normal.view(numpy.uint32) & 0xFFFF0000).view(numpy.float32)
    yield "float16", (normal * 0.02).astype(numpy.float16).astype(numpy.float32)
    yield "ties", numpy.round(normal * 4) / numpy.float32(64)
    yield "few values", random.choice(numpy.float32([-1, -0.5, 0, 0.5, 1]), (rows, length))
    sparse = normal * (random.random((rows, length)) < 0.05)
    yield "sparse", sparse.astype(numpy.float32)
    yield "one sign", numpy.abs(normal) * numpy.where(numpy.arange(rows) % 2, 1, -1)[:, None].astype(numpy.float32)
    yield "offset", normal * numpy.float32(0.01) + numpy.float32(3)
    scales = numpy.exp2(random.integers(-40, 12, (rows, length // 32)).astype(numpy.float32))
    yield "scales of groups", normal * numpy.repeat(scales, 32, axis=1)
    scales = numpy.exp2(random.integers(-40, 16, (rows, 1)).astype(numpy.float32))
    yield "scales of rows", normal * scales
    yield "tiny", normal * numpy.exp2(-random.integers(60, 149, (rows, 1))).astype(numpy.float32)
    yield "huge", normal * numpy.float32(3e5)
    constant = numpy.broadcast_to(normal[:, :1], (rows, length)).copy()
    constant[::3] = 0
    constant[1::3, ::2] *= -1
    yield "constant", constant
    pieces = normal.copy()
    pieces.reshape(rows, -1, 32)[:, random.integers(0, length // 32, length // 128)] = 0
    pieces.reshape(rows, -1, 32)[:, random.integers(0, length // 32, length // 128)] = numpy.float32(-0.0)
    yield "zero groups", pieces
    outliers = normal * numpy.float32(0.02)
    outliers[random.random((rows, length)) < 0.01] *= 100
    yield "outliers", outliers


def weights(random, length):
    """Named importances; None for none."""
    yield "plain", None
    yield "weights", random.uniform(0.001, 2, length).astype(numpy.float32)
    spread = numpy.exp2(random.uniform(-20, 8, length)).astype(numpy.float32)
    spread[random.random(length) < 0.1] = 0
    yield "spread weights", spread


def compare(name, random, options, reference, port, results):
    """Encodes and decodes one round of inputs; the number of blocks."""
    elements, size, needs_weights = TYPES[name][0], TYPES[name][1], TYPES[name][5]
    count = 0
    for kind, rows in inputs(random, options.rows, options.length):
        rows = numpy.ascontiguousarray(rows, numpy.float32)
        for label, importance in weights(random, options.length):
            if needs_weights and importance is None:
                continue
            count += rows.size // elements
            expected = reference.encode(name, rows, importance)
            values = reference.decode(name, expected)
            for path in options.paths or port.paths:
                found = port.encode(path, name, rows, importance)
                different = (expected != found).reshape(-1, size).any(axis=1)
                results.that(
                    f"{name} of {kind}, {label}, {path}", not different.any(),
                    f"{different.sum()} of {different.size} blocks differ, first {different.argmax()}")
                decoded = port.decode(path, name, expected)
                results.that(
                    f"decoded {name} of {kind}, {label}, {path}",
                    (values.view(numpy.uint32) == decoded.view(numpy.uint32)).all())
    return count


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--rows", type=int, default=2)
    options.add_argument("--length", type=int, default=1024 + 256 * 5)
    options.add_argument("--types", nargs="*", default=list(TYPES))
    options.add_argument("--paths", nargs="*", default=None)
    options.add_argument("--compiler", default="cc")
    options.add_argument(
        "--blocks", type=int, default=1, help="blocks of each type at least, with one seed after another")
    options = options.parse_args()
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}", flush=True)
    reference, port = Reference(), Port(options.compiler)
    results = checks.Checks(__file__)
    for name in options.types:
        done = last = 0
        while done < options.blocks:
            done += compare(name, numpy.random.default_rng(seed + last), options, reference, port, results)
            last += 1
        print(f"{name}: {done:,} blocks, seeds {seed} to {seed + last - 1}", flush=True)
    results.finish()


if __name__ == "__main__":
    main()
