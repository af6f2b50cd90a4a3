"""Makes tiny-deepseek-v3, a trained model in the form that DeepSeek-V3 and R1 are released in: make_deepseek.py [OUT_DIR]

Trains on the text of make.py: the model itself, the bias that balances its experts, and the layer that predicts the token
after the next. The linear layers are stored in FP8 with a scale for each block of 128 × 128, the rest in bfloat16.
Without OUT_DIR it writes beside this file and puts the new sums into README.md.
"""

import math
import random
import shutil
import sys
import time
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers.modeling_layers import MtpLayer
from transformers.models.deepseek_v3 import modeling_deepseek_v3

import make
from fp8 import quantize_blocks
from plain import load
from tokenizers_seeded import DEEPSEEK3_SPLITS, DEEPSEEK_CHAT, deepseek_tokenizer, write_json

BATCH, UPDATES, RATE, BALANCE, MTP_SHARE = 8, 900, 3e-3, 2e-3, 0.3
CONFIG = {
    "architectures": ["DeepseekV3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 0,
    "eos_token_id": 1, "ep_size": 1, "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 160,
    "initializer_range": 0.02, "intermediate_size": 192, "kv_lora_rank": 128, "max_position_embeddings": 163840,
    "model_type": "deepseek_v3", "moe_intermediate_size": 64, "moe_layer_freq": 1, "n_group": 4, "n_routed_experts": 8,
    "n_shared_experts": 1, "norm_topk_prob": True, "num_attention_heads": 4, "num_experts_per_tok": 2,
    "num_hidden_layers": 3, "num_key_value_heads": 4, "num_nextn_predict_layers": 1, "q_lora_rank": 64,
    "qk_nope_head_dim": 32, "qk_rope_head_dim": 16,
    "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                            "weight_block_size": [128, 128]},
    "rms_norm_eps": 1e-06,
    "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
                     "original_max_position_embeddings": 4096, "type": "yarn"},
    "rope_theta": 10000, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "tie_word_embeddings": False,
    "topk_group": 2, "topk_method": "noaux_tc", "torch_dtype": "bfloat16", "transformers_version": "4.46.3",
    "use_cache": True, "v_head_dim": 32, "vocab_size": 368,
}


def settings():
    """The configuration as transformers has it, without quantization."""
    fields = {name: value for name, value in CONFIG.items()
              if name not in ("quantization_config", "transformers_version", "torch_dtype")}
    return transformers.AutoConfig.for_model(**fields)


def balance(routers):
    """Has the routers count their choices; returns the step that moves each bias towards equal use of the experts."""
    counts = {router: torch.zeros(router.num_experts) for router in routers}

    def count(router, _, output):
        counts[router] += torch.bincount(output[2].flatten(), minlength=router.num_experts)

    for router in routers:
        router.register_forward_hook(count)

    def step(rate):
        for router, found in counts.items():
            router.e_score_correction_bias += rate * torch.sign(found.mean() - found)
            found.zero_()

    return step


def train(sequences, seed):
    """The model and its layer for the token after the next, trained together, and the loss over the last updates."""
    torch.manual_seed(seed)
    config = settings()
    model = transformers.DeepseekV3ForCausalLM(config).train()
    ahead = MtpLayer(config.get_mtp_config(), modeling_deepseek_v3.DeepseekV3DecoderLayer,
                     modeling_deepseek_v3.DeepseekV3RMSNorm, 0).train()
    for module in ahead.modules():
        model._init_weights(module)
    routers = [module for part in (model, ahead) for module in part.modules()
               if isinstance(module, modeling_deepseek_v3.DeepseekV3TopkRouter)]
    step = balance(routers)
    rows = make.training_rows(random.Random(seed), sequences, CONFIG["eos_token_id"], BATCH * UPDATES)
    parameters = [*model.parameters(), *ahead.parameters()]
    optimizer = torch.optim.AdamW([{"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.05},
                                   {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0}],
                                  lr=RATE, betas=(0.9, 0.98))
    positions = torch.arange(make.LENGTH - 1).unsqueeze(0)
    mask = torch.full((make.LENGTH - 1, make.LENGTH - 1), -math.inf).triu(1)[None, None]
    losses, began = [], time.time()
    for update in range(UPDATES):
        warm, done = min(1, (update + 1) / 50), update / UPDATES
        for group in optimizer.param_groups:
            group["lr"] = RATE * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
        batch = torch.tensor(rows[update * BATCH:(update + 1) * BATCH])
        hidden = model.model(batch[:, :-1], use_cache=False).last_hidden_state
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden).flatten(0, 1), batch[:, 1:].flatten())
        second = ahead(model.model.embed_tokens(batch[:, 1:-1]), hidden[:, :-1], attention_mask=mask, cache=None,
                       position_embeddings=model.model.rotary_emb(hidden, positions), position_ids=positions)
        later = torch.nn.functional.cross_entropy(model.lm_head(second).flatten(0, 1), batch[:, 2:].flatten())
        optimizer.zero_grad()
        (loss + MTP_SHARE * later).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step(BALANCE * (1 - done))
        losses.append((loss.item(), later.item()))
        if (update + 1) % 100 == 0:
            recent = [sum(column) / 50 for column in zip(*losses[-50:])]
            print(f"  {update + 1}: {recent[0]:.3f} and {recent[1]:.3f} nats per token, {time.time() - began:.0f} s",
                  flush=True)
    return model, ahead, sum(loss for loss, _ in losses[-50:]) / 50


def released(model, ahead):
    """The float32 tensors under the names of the release: one tensor for each expert, the last layer's beside the others."""
    last = f"model.layers.{CONFIG['num_hidden_layers']}"
    state = dict(model.state_dict())
    for name, tensor in ahead.state_dict().items():
        state[f"{last}.{name.removeprefix('mtp_block.').replace('post_norm', 'shared_head.norm')}"] = tensor
    state[f"{last}.embed_tokens.weight"] = state["model.embed_tokens.weight"].clone()
    state[f"{last}.shared_head.head.weight"] = state["lm_head.weight"].clone()
    found = {}
    for name, tensor in state.items():
        base = name.rpartition(".")[0]
        if name.endswith("experts.gate_up_proj"):
            for expert, pair in enumerate(tensor):
                for part, half in zip(("gate", "up"), pair.chunk(2)):
                    found[f"{base}.{expert}.{part}_proj.weight"] = half
        elif name.endswith("experts.down_proj"):
            found |= {f"{base}.{expert}.down_proj.weight": part for expert, part in enumerate(tensor)}
        else:
            found[name] = tensor
    return {name: tensor.detach().float().contiguous() for name, tensor in found.items()}


def stored(tensors):
    """The tensors as the release stores them."""
    found = {}
    for name, tensor in tensors.items():
        if name.endswith("_proj.weight") and not name.endswith("eh_proj.weight") or "_proj_with_mqa" in name:
            found[name], found[f"{name}_scale_inv"] = quantize_blocks(tensor)
        else:
            found[name] = tensor if name.endswith("e_score_correction_bias") else tensor.to(torch.bfloat16)
    return found


def place(name):
    """Where a tensor comes in the shards: the embeddings, the layers and their experts by number, the head."""
    numbers = [int(part) for part in name.split(".") if part.isdigit()]
    return ("embed_tokens" not in name or bool(numbers), not numbers, numbers, name)


def save(folder, tensors):
    """Writes two shards of about the same size and their index; the cut is inside a layer's experts."""
    sizes = {name: tensors[name].nbytes for name in sorted(tensors, key=place)}
    parts, before = [{}, {}], 0
    for name, size in sizes.items():
        parts[2 * before >= sum(sizes.values())][name] = tensors[name]
        before += size
    where = {}
    for number, part in enumerate(parts):
        file = f"model-{number + 1:05}-of-{len(parts):06}.safetensors"
        save_file(part, folder / file, metadata={"format": "pt"})
        (folder / file).chmod(0o644)
        where |= dict.fromkeys(part, file)
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": dict(sorted(where.items()))})


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else make.HERE
    folder = out / "tiny-deepseek-v3"
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    texts = make.documents(1, 500_000)
    added = ["<｜place▁holder▁no▁0｜>", "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"]
    tokenizer = deepseek_tokenizer(folder, 364, texts, DEEPSEEK3_SPLITS, added, chat_template=DEEPSEEK_CHAT)
    begin = [CONFIG["bos_token_id"]]
    model, ahead, loss = train([begin + tokenizer.encode(text).ids for text in texts], 5)
    tensors = stored(released(model, ahead))
    save(folder, tensors)
    write_json(folder / "config.json", CONFIG)
    write_json(folder / "generation_config.json", {
        "_from_model_config": True, "bos_token_id": 0, "do_sample": True, "eos_token_id": 1, "temperature": 0.6,
        "top_p": 0.95, "transformers_version": CONFIG["transformers_version"],
    })
    make.expect(folder, load(folder))
    make.record(out, {folder.name: loss})


if __name__ == "__main__":
    main()
