"""Makes the seeded checkpoints that only the Ascend checks use: make_ascend_checkpoints.py OUT_DIR [NAME ...]

As make_checkpoints.py, from fixed seeds; here are the forms that models for FP8 accelerators are published in.
"""

import base64
import hashlib
import shutil
import sys
from pathlib import Path

import torch
import transformers

import fp8
from make_checkpoints import LLAMA, save_config, save_sentencepiece, save_weights, weights
from tokenizers_seeded import DEEPSEEK2_SPLITS, DEEPSEEK_CHAT, TEXT, deepseek_tokenizer, write_json

DEEPSEEK = {
    "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 1, "first_k_dense_replace": 1,
    "hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 96, "kv_lora_rank": 32,
    "max_position_embeddings": 163840, "moe_intermediate_size": 32, "moe_layer_freq": 1, "n_routed_experts": 4,
    "num_attention_heads": 2, "num_experts_per_tok": 2, "num_hidden_layers": 2, "num_key_value_heads": 2,
    "pretraining_tp": 1, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "rms_norm_eps": 1e-06, "rope_theta": 10000,
    "seq_aux": True, "tie_word_embeddings": False, "use_cache": True, "v_head_dim": 32,
}
YARN = {"beta_fast": 32, "beta_slow": 1, "factor": 40, "original_max_position_embeddings": 4096, "type": "yarn"}
MATRIX = {"actorder": None, "block_structure": None, "dynamic": False, "group_size": None, "num_bits": 8,
          "observer": "minmax", "observer_kwargs": {}, "symmetric": True, "type": "float"}


def deepseek_v2_lite(folder):
    """DeepSeek-V2-Lite: no low rank for the queries, softmax scores, two shared experts, bfloat16."""
    tokenizer = deepseek_tokenizer(folder, 320, TEXT.splitlines(keepends=True), DEEPSEEK2_SPLITS, [],
                                   chat_template=DEEPSEEK_CHAT)
    config = {"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2"} | DEEPSEEK | {
        "aux_loss_alpha": 0.001, "n_group": 1, "n_shared_experts": 2, "norm_topk_prob": False, "q_lora_rank": None,
        "rope_scaling": YARN | {"mscale": 0.707, "mscale_all_dim": 0.707}, "routed_scaling_factor": 1.0,
        "scoring_func": "softmax", "topk_group": 1, "topk_method": "greedy", "transformers_version": "4.33.1",
        "vocab_size": tokenizer.get_vocab_size(),
    }
    save_weights(folder, weights(config, 31, torch.bfloat16))
    save_config(folder, config, torch.bfloat16, {"bos_token_id": 0, "do_sample": True, "eos_token_id": 1,
                                                 "temperature": 0.3, "top_p": 0.95})


def kimi_k2(folder):
    """Kimi-K2: DeepSeek-V3's tensors in FP8 under a type of its own, one group of experts, a tiktoken vocabulary."""
    ranks = [bytes([i]) for i in range(256)] + [b" t", b"he", b"in", b" the"]
    (folder / "tiktoken.model").write_text("".join(
        f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(ranks)))
    write_json(folder / "tokenizer_config.json", {
        "added_tokens_decoder": {}, "bos_token": "[BOS]", "eos_token": "[EOS]", "model_max_length": 131072,
        "tokenizer_class": "TikTokenTokenizer", "chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}",
    })
    config = {"architectures": ["DeepseekV3ForCausalLM"], "model_type": "kimi_k2"} | DEEPSEEK | {
        "aux_loss_alpha": 0.001, "ep_size": 1, "max_position_embeddings": 131072, "n_group": 1, "n_shared_experts": 1,
        "norm_topk_prob": True, "num_nextn_predict_layers": 0, "q_lora_rank": 48,
        "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                                "weight_block_size": [128, 128]},
        "rope_scaling": YARN | {"beta_fast": 1.0, "beta_slow": 1.0, "factor": 32.0, "mscale": 1.0, "mscale_all_dim": 1.0},
        "rope_theta": 50000.0, "routed_scaling_factor": 2.827, "scoring_func": "sigmoid", "topk_group": 1,
        "topk_method": "noaux_tc", "transformers_version": "4.48.3", "vocab_size": 264,
    }
    known = {name: value for name, value in config.items() if name != "quantization_config"}
    tensors = weights(known | {"model_type": "deepseek_v3"}, 32, torch.float32)
    for name in sorted(tensors):
        if "_proj" in name:
            tensors[name], tensors[f"{name}_scale_inv"] = fp8.quantize_blocks(tensors[name])
        elif name.endswith("e_score_correction_bias"):
            tensors[name] = torch.linspace(0.1, -0.1, len(tensors[name]))
        else:
            tensors[name] = tensors[name].to(torch.bfloat16)
    save_weights(folder, tensors, shards=2)
    save_config(folder, config, torch.bfloat16, {"eos_token_id": 1, "max_length": 131072})


def llama_fp8(folder, strategy, quantize, activations, static):
    """Llama in the form that compressed-tensors gives FP8: bfloat16 scales, a head that is not quantized."""
    count = save_sentencepiece(folder, 320)
    groups = {"group_0": {"input_activations": MATRIX | activations, "output_activations": None, "targets": ["Linear"],
                          "weights": MATRIX | {"strategy": strategy}}}
    config = LLAMA | {"vocab_size": count, "quantization_config": {
        "config_groups": groups, "format": "float-quantized", "global_compression_ratio": 1.5, "ignore": ["lm_head"],
        "kv_cache_scheme": None, "quant_method": "compressed-tensors", "quantization_status": "frozen",
    }}
    tensors = weights(LLAMA | {"vocab_size": count}, 33, torch.float32)
    for name in sorted(tensors):
        if "_proj" in name:
            scales = quantize(tensors[name])[1].to(torch.bfloat16)
            tensors[name] = fp8.encode(tensors[name], scales.float())
            tensors[f"{name}_scale"] = scales
            if static:
                tensors[name.replace("weight", "input_scale")] = torch.tensor([0.0125], dtype=torch.bfloat16)
        else:
            tensors[name] = tensors[name].to(torch.bfloat16)
    save_weights(folder, tensors)
    save_config(folder, config, torch.bfloat16, {"bos_token_id": 1, "eos_token_id": 2})


def llama_fp8_channel(folder):
    """One scale for each row; activations are scaled for each token as they come."""
    llama_fp8(folder, "channel", fp8.quantize_rows, {"dynamic": True, "strategy": "token", "observer": None}, False)


def llama_fp8_tensor(folder):
    """One scale for each weight and one, measured beforehand, for its activations."""
    llama_fp8(folder, "tensor", fp8.quantize_tensor, {"strategy": "tensor"}, True)


CHECKPOINTS = {
    "deepseek-v2-lite": deepseek_v2_lite, "kimi-k2": kimi_k2, "llama-fp8-channel": llama_fp8_channel,
    "llama-fp8-tensor": llama_fp8_tensor,
}


def main():
    out, names = Path(sys.argv[1]), sys.argv[2:] or list(CHECKPOINTS)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in names:
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        CHECKPOINTS[name](folder)
        print(f"{name}: {sum(path.stat().st_size for path in folder.iterdir())} bytes")
    files = sorted(path for name in CHECKPOINTS for path in (out / name).iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out)}\n" for path in files)
    (out / "SHA256SUMS").write_text(sums, encoding="utf-8")


if __name__ == "__main__":
    main()
