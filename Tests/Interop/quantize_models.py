"""Small GGUF models with many layers and short matrices, and llama.cpp's quantizer to run on them.

The quantizer looks at names, shapes and counts of heads, layers and experts; it does not need a model that computes.
"""

import ctypes
import sys
from pathlib import Path

import llama_cpp
import numpy

import checks

# The gguf package of the llama.cpp sources knows the newest types.
sys.path.insert(0, str(checks.REFERENCE / "gguf-py"))
import gguf  # noqa: E402

FILE_TYPES = {
    "q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_s": 11, "q3_k_m": 12, "q3_k_l": 13,
    "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18, "iq2_xxs": 19, "iq2_xs": 20, "q2_k_s": 21,
    "iq3_xs": 22, "iq3_xxs": 23, "iq1_s": 24, "iq4_nl": 25, "iq3_s": 26, "iq3_m": 27, "iq2_s": 28, "iq2_m": 29,
    "iq4_xs": 30, "iq1_m": 31, "tq1_0": 36, "tq2_0": 37, "mxfp4_moe": 38, "q1_0": 40, "q2_0": 41,
}

# name: architecture, layers, heads, key-value heads, experts, embedding length, feed-forward length, whether tied
MODELS = {
    "grouped": ("llama", 16, 8, 2, 0, 256, 512, False),
    "tied": ("llama", 9, 8, 8, 0, 256, 512, True),
    "eight-experts": ("llama", 8, 8, 2, 8, 256, 512, False),
    "four-experts": ("qwen3moe", 8, 8, 4, 4, 256, 256, False),
    "seventy-billion": ("llama", 80, 8, 1, 0, 256, 256, False),
    "eighty-layers": ("qwen2", 80, 8, 8, 0, 256, 256, True),
    "short-rows": ("qwen2", 8, 9, 3, 0, 288, 320, True),
    "odd-rows": ("gpt2", 4, 4, 4, 0, 264, 528, False),
}


def tensors(name, seed=1):
    """The tensors of a model: name and values; matrices have few rows."""
    architecture, layers, heads, kv_heads, experts, embedding, forward, tied = MODELS[name]
    rng = numpy.random.default_rng(seed)

    def values(*shape):
        return (rng.standard_normal(shape) * rng.uniform(0.01, 0.1)).astype(numpy.float32)

    yield "token_embd.weight", values(6, embedding)
    if not tied:
        yield "output.weight", values(6, embedding)
    yield "output_norm.weight", values(embedding)
    for layer in range(layers):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", values(embedding)
        if architecture == "gpt2":
            yield block + "attn_qkv.weight", values(6, embedding)
        else:
            yield block + "attn_q.weight", values(4, embedding)
            yield block + "attn_k.weight", values(2, embedding)
            yield block + "attn_v.weight", values(2, embedding)
        yield block + "attn_output.weight", values(4, embedding)
        yield block + "ffn_norm.weight", values(embedding)
        if experts:
            yield block + "ffn_gate_inp.weight", values(experts, embedding)
            yield block + "ffn_gate_exps.weight", values(experts, 2, embedding)
            yield block + "ffn_up_exps.weight", values(experts, 2, embedding)
            yield block + "ffn_down_exps.weight", values(experts, 2, forward)
        else:
            if architecture != "gpt2":
                yield block + "ffn_gate.weight", values(2, embedding)
            yield block + "ffn_up.weight", values(2, embedding)
            yield block + "ffn_down.weight", values(2, forward)


def write(name, path):
    """Writes a model in F32."""
    architecture, layers, heads, kv_heads, experts, embedding, forward, _ = MODELS[name]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(layers)
    writer.add_context_length(64)
    writer.add_embedding_length(embedding)
    writer.add_feed_forward_length(forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_layer_norm_eps(1e-5)
    writer.add_vocab_size(6)
    writer.add_rope_dimension_count(embedding // heads)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(2)
        writer.add_expert_feed_forward_length(forward)
    writer.add_file_type(0)
    for tensor, values in tensors(name):
        writer.add_tensor(tensor, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def importance(name, seed=2):
    """An importance matrix: for each matrix but the embeddings, the mean square of each input, for each expert."""
    rng = numpy.random.default_rng(seed)
    entries = {}
    for tensor, values in tensors(name):
        if values.ndim >= 2 and tensor not in ("token_embd.weight", "output.weight") and "gate_inp" not in tensor:
            count = values.shape[0] if values.ndim == 3 else 1
            entries[tensor] = rng.uniform(0.001, 4, (count, values.shape[-1])).astype(numpy.float32)
    return entries


def write_importance(entries, path, counts=3):
    """Writes an importance matrix in GGUF form."""
    writer = gguf.GGUFWriter(path, "imatrix")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["text.txt"])
    writer.add_uint32("imatrix.chunk_count", 7)
    writer.add_uint32("imatrix.chunk_size", 512)
    for tensor, values in entries.items():
        writer.add_tensor(tensor + ".in_sum2", values * numpy.float32(counts))
        writer.add_tensor(tensor + ".counts", numpy.full((values.shape[0], 1), counts, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_old_importance(entries, path, calls=3):
    """Writes an importance matrix in the binary form of older versions."""
    data = numpy.int32(len(entries)).tobytes()
    for tensor, values in entries.items():
        name = tensor.encode()
        data += numpy.int32(len(name)).tobytes() + name + numpy.int32(calls).tobytes()
        data += numpy.int32(values.size).tobytes() + (values * numpy.float32(calls)).tobytes()
    data += numpy.int32(7).tobytes() + numpy.int32(8).tobytes() + b"text.txt"
    Path(path).write_bytes(data)


def read_back(entries, counts=3):
    """The values that a reader of the files gets: sums over counts, in F32."""
    return {tensor: (values * numpy.float32(counts)) / numpy.float32(counts) for tensor, values in entries.items()}


class Refused(Exception):
    """llama.cpp does not quantize this model so."""


def quantize(source, out, mix, entries=None, **options):
    """llama.cpp's quantizer: options are fields of its parameters."""
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = FILE_TYPES[mix], 1
    for key, value in options.items():
        setattr(parameters, key, value)
    keep = []
    if entries is not None:
        kind = llama_cpp.llama_cpp.llama_model_imatrix_data
        array = (kind * (len(entries) + 1))()
        for item, (tensor, values) in zip(array, entries.items()):
            data = numpy.ascontiguousarray(values.ravel())
            keep.append((tensor.encode(), data))
            item.name, item.size = keep[-1][0], data.size
            item.data = data.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        array[len(entries)].name = None
        parameters.imatrix = ctypes.cast(array, ctypes.POINTER(kind))
        keep.append(array)
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(parameters))
    if status:
        raise Refused(f"llama_model_quantize returned {status}")
    return out
