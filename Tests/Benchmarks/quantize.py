"""Times every block type against llama.cpp's quantizer, in turn, and checks that the bytes are equal.

    quantize.py [--megabytes N] [--rounds N] [--threads N] [TYPE ...]

The model has the shapes of Llama 3.2 1B in F16, as many layers as fit. Whole commands are timed, from
reading the file to a complete output; every matrix gets the same type (`--pure`). The types that need
an importance matrix get one. The best of the rounds counts; the last line is the geometric mean.
"""

import argparse
import concurrent.futures
import math
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Interop"))

import numpy  # noqa: E402

import quantize_models as models  # noqa: E402
from quantize_models import gguf  # noqa: E402

PORT = os.environ.get("PORT", str(ROOT / ".build/release/port"))
WORK = ROOT / ".build/bench"
WIDTH, INNER, VOCABULARY, HEADS, KV_HEADS = 2048, 8192, 128_256, 32, 8
MATRICES = {
    "attn_q": (WIDTH, WIDTH), "attn_k": (512, WIDTH), "attn_v": (512, WIDTH), "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER),
}
NEEDS_MATRIX = {"iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_m", "iq3_xxs"}
# One mix of each type.
TYPES = [
    "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k_m", "q4_k_m", "q5_k_m", "q6_k", "iq4_nl", "iq4_xs",
    "iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_m", "iq3_xxs", "iq3_s", "tq1_0", "tq2_0", "q1_0", "q2_0",
]


def make(path, importance, byte_count):
    """Writes the model and its importance matrix."""
    rng = numpy.random.default_rng(7)
    layers = max(1, (byte_count // 2 - VOCABULARY * WIDTH) // sum(a * b for a, b in MATRICES.values()))
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_file_type(1)
    entries = {}

    def values(shape):
        # Rows of different scales, as in trained matrices.
        scales = rng.uniform(0.005, 0.05, (shape[0], 1)).astype(numpy.float32)
        return (rng.standard_normal(shape, dtype=numpy.float32) * scales).astype(numpy.float16)

    writer.add_tensor("token_embd.weight", values((VOCABULARY, WIDTH)))
    entries["token_embd.weight"] = rng.uniform(0.01, 4, (1, WIDTH)).astype(numpy.float32)
    for layer in range(layers):
        for name, shape in MATRICES.items():
            tensor = f"blk.{layer}.{name}.weight"
            writer.add_tensor(tensor, values(shape))
            entries[tensor] = rng.uniform(0.01, 4, (1, shape[1])).astype(numpy.float32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    models.write_importance(entries, importance, counts=1)
    return entries


def prepare(source, importance, saved, byte_count):
    """Writes all files that the runs need."""
    numpy.savez(saved, **make(source, importance, byte_count))


def apart(function, *arguments):
    """Calls a function in a new process."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


PEER = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy
import quantize_models as models
source, out, mix, threads, entries = sys.argv[2:7]
loaded = dict(numpy.load(entries)) if entries else None
models.quantize(source, out, mix, loaded, nthread=int(threads), pure=True)
"""


def timed(command):
    """Seconds and peak bytes of a command that must succeed."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return time.monotonic() - start, usage.ru_maxrss * 1024


def same_tensors(a, b):
    """Whether two GGUF files hold the same bytes for each tensor."""
    first, second = ({t.name: t for t in gguf.GGUFReader(path).tensors} for path in (a, b))
    return first.keys() == second.keys() and all(
        first[name].tensor_type == second[name].tensor_type and numpy.array_equal(first[name].data, second[name].data)
        for name in first)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("types", nargs="*", metavar="TYPE")
    parser.add_argument("--megabytes", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    source, importance, saved = WORK / "quantize.gguf", WORK / "quantize.imatrix", WORK / "quantize.npz"
    # In processes of their own: a child inherits the peak of the process that starts it.
    apart(prepare, source, importance, saved, options.megabytes * 1_000_000)
    with open(source, "rb") as file:
        while file.read(1 << 20):
            pass
    size = source.stat().st_size
    print(f"{size / 1e9:.2f} GB of F16, {options.threads} threads, best of {options.rounds}")
    print(f"{'type':8} {'llama.cpp':>10} {'port':>8} {'ratio':>7} {'GB/s':>6} {'port peak':>10} {'bytes':>6}")
    ratios = []
    for kind in options.types or TYPES:
        needs = kind in NEEDS_MATRIX
        theirs, mine = WORK / "theirs.gguf", WORK / "mine.gguf"
        peer = [sys.executable, "-c", PEER, ROOT / "Tests/Interop", source, theirs, kind, str(options.threads),
                saved if needs else ""]
        ours = [PORT, "convert", source, "--to", "gguf", "--quantize", kind, "--pure", "-o", mine, "--force",
                "--jobs", str(options.threads), "--memory", "512MiB", "--progress", "none",
                *(["--imatrix", importance] if needs else [])]
        best, peak = {}, 0
        for _ in range(options.rounds):
            for name, command in (("port", ours), ("peer", peer)):
                seconds, memory = timed(command)
                best[name] = min(seconds, best.get(name, seconds))
                peak = max(peak, memory) if name == "port" else peak

        equal = apart(same_tensors, theirs, mine)
        ratio = best["peer"] / best["port"]
        ratios.append(ratio)
        print(f"{kind:8} {best['peer']:8.2f} s {best['port']:6.2f} s {ratio:6.1f}× {size / best['port'] / 1e9:6.2f} "
              f"{peak / 1e6:7.0f} MB {'equal' if equal else 'DIFFER'}", flush=True)
        if not equal:
            sys.exit(f"{kind}: the bytes differ")
    print(f"geometric mean {math.exp(sum(map(math.log, ratios)) / len(ratios)):.1f}×")
    for path in (WORK / "theirs.gguf", WORK / "mine.gguf"):
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
