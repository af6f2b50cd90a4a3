"""Makes DeepSeek-R1 without its values: config, index and 163 shards with all 91,991 tensors.

    python3 make_header_only.py FOLDER

Names, dtypes and shapes are those of the published checkpoint, FP8 weights with their block scales
included. Every shard has a whole header and its true size, but is sparse: 689 GB take some 20 MB of
disk. Programs that read headers only cannot tell the difference. The tokenizer is that of the
bundled small model.
"""

import json
import os
import shutil
import struct
import sys

LAYERS, DENSE_LAYERS, EXPERTS, SHARDS, TENSORS = 61, 3, 256, 163, 91_991
HIDDEN, DENSE, EXPERT, VOCABULARY = 7168, 18432, 2048, 129_280
HEADS, Q_RANK, KV_RANK, NOPE, ROPE, VALUE = 128, 1536, 512, 128, 64, 128
SMALL = os.path.join(os.path.dirname(__file__), "../../Fixtures/models/tiny-deepseek-v3")
WIDTH = {"F8_E4M3": 1, "BF16": 2, "F32": 4}


def linear(name, rows, columns):
    """An FP8 matrix and the scale of each block of 128 × 128."""
    yield name + ".weight", "F8_E4M3", [rows, columns]
    yield name + ".weight_scale_inv", "F32", [-(-rows // 128), -(-columns // 128)]


def mlp(name, width):
    yield from linear(name + ".gate_proj", width, HIDDEN)
    yield from linear(name + ".up_proj", width, HIDDEN)
    yield from linear(name + ".down_proj", HIDDEN, width)


def layer(number):
    name = f"model.layers.{number}"
    attention = name + ".self_attn"
    yield name + ".input_layernorm.weight", "BF16", [HIDDEN]
    yield from linear(attention + ".q_a_proj", Q_RANK, HIDDEN)
    yield attention + ".q_a_layernorm.weight", "BF16", [Q_RANK]
    yield from linear(attention + ".q_b_proj", HEADS * (NOPE + ROPE), Q_RANK)
    yield from linear(attention + ".kv_a_proj_with_mqa", KV_RANK + ROPE, HIDDEN)
    yield attention + ".kv_a_layernorm.weight", "BF16", [KV_RANK]
    yield from linear(attention + ".kv_b_proj", HEADS * (NOPE + VALUE), KV_RANK)
    yield from linear(attention + ".o_proj", HIDDEN, HEADS * VALUE)
    yield name + ".post_attention_layernorm.weight", "BF16", [HIDDEN]
    if number < DENSE_LAYERS:
        yield from mlp(name + ".mlp", DENSE)
        return
    yield name + ".mlp.gate.weight", "BF16", [EXPERTS, HIDDEN]
    yield name + ".mlp.gate.e_score_correction_bias", "F32", [EXPERTS]
    yield from mlp(name + ".mlp.shared_experts", EXPERT)
    for expert in range(EXPERTS):
        yield from mlp(f"{name}.mlp.experts.{expert}", EXPERT)


def tensors():
    yield "model.embed_tokens.weight", "BF16", [VOCABULARY, HIDDEN]
    for number in range(LAYERS):
        yield from layer(number)
    yield "model.norm.weight", "BF16", [HIDDEN]
    yield "lm_head.weight", "BF16", [VOCABULARY, HIDDEN]
    # Multi-token prediction: one more layer with its own embedding and head.
    name = f"model.layers.{LAYERS}"
    yield name + ".embed_tokens.weight", "BF16", [VOCABULARY, HIDDEN]
    yield name + ".enorm.weight", "BF16", [HIDDEN]
    yield name + ".hnorm.weight", "BF16", [HIDDEN]
    yield name + ".eh_proj.weight", "BF16", [HIDDEN, 2 * HIDDEN]
    yield from layer(LAYERS)
    yield name + ".shared_head.norm.weight", "BF16", [HIDDEN]
    yield name + ".shared_head.head.weight", "BF16", [VOCABULARY, HIDDEN]


def byte_count(dtype, shape):
    count = WIDTH[dtype]
    for axis in shape:
        count *= axis
    return count


def write_shard(path, rows):
    header, position = {"__metadata__": {"format": "pt"}}, 0
    # The order of the reference writer: by dtype, widest first, then by name.
    for name, dtype, shape in sorted(rows, key=lambda row: (-WIDTH[row[1]], row[0])):
        end = position + byte_count(dtype, shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + position)


CONFIG = {
    "architectures": ["DeepseekV3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
    "bos_token_id": 0, "eos_token_id": 1, "ep_size": 1, "first_k_dense_replace": DENSE_LAYERS,
    "hidden_act": "silu", "hidden_size": HIDDEN, "initializer_range": 0.02,
    "intermediate_size": DENSE, "kv_lora_rank": KV_RANK, "max_position_embeddings": 163840,
    "model_type": "deepseek_v3", "moe_intermediate_size": EXPERT, "moe_layer_freq": 1,
    "n_group": 8, "n_routed_experts": EXPERTS, "n_shared_experts": 1, "norm_topk_prob": True,
    "num_attention_heads": HEADS, "num_experts_per_tok": 8, "num_hidden_layers": LAYERS,
    "num_key_value_heads": HEADS, "num_nextn_predict_layers": 1, "q_lora_rank": Q_RANK,
    "qk_nope_head_dim": NOPE, "qk_rope_head_dim": ROPE,
    "quantization_config": {
        "activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
        "weight_block_size": [128, 128],
    },
    "rms_norm_eps": 1e-06,
    "rope_scaling": {
        "beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
        "original_max_position_embeddings": 4096, "type": "yarn",
    },
    "rope_theta": 10000, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid",
    "tie_word_embeddings": False, "topk_group": 4, "topk_method": "noaux_tc",
    "torch_dtype": "bfloat16", "use_cache": True, "v_head_dim": VALUE, "vocab_size": VOCABULARY,
}


def main(folder):
    rows = list(tensors())
    assert len(rows) == TENSORS, len(rows)
    total = sum(byte_count(dtype, shape) for _, dtype, shape in rows)
    shards, position = [[] for _ in range(SHARDS)], 0
    for row in rows:
        shards[position * SHARDS // total].append(row)
        position += byte_count(*row[1:])
    os.makedirs(folder, exist_ok=True)
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05}-of-{SHARDS:06}.safetensors"
        write_shard(os.path.join(folder, name), shard)
        weight_map.update((row[0], name) for row in shard)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump(index, file, indent=2)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(CONFIG, file, indent=2)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(SMALL, name), folder)
    print(f"{folder}: {len(rows)} tensors, {SHARDS} shards, {total} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
