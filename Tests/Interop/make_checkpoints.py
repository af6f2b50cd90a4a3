"""Makes the seeded checkpoints: make_checkpoints.py OUT_DIR [NAME ...]

Every checkpoint is a folder laid out as a published Hugging Face repository: the weights are random from a fixed
seed, the tensor names, config.json and the tokenizer files are those of the published models of its kind.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, normalizers, processors

from tokenizers_seeded import (
    LLAMA3_SPLIT, QWEN2_SPLIT, added_tokens_decoder, byte_level_bpe, save_bpe, sentencepiece_as_json,
    sentencepiece_model, special, word_piece, write_json,
)

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
INST = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
LLAMA3_CHAT = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' "
    "+ message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
)

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 32,
    "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 256, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "rope_scaling": None,
    "attention_bias": False, "mlp_bias": False, "initializer_range": 0.02, "pretraining_tp": 1, "use_cache": True,
    "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False, "transformers_version": "4.45.0",
}
QWEN2 = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "hidden_size": 32,
    "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 256, "max_window_layers": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
    "sliding_window": 256, "use_sliding_window": False, "attention_dropout": 0.0, "initializer_range": 0.02,
    "use_cache": True, "tie_word_embeddings": True, "transformers_version": "4.43.1",
}


def weights(config, seed, dtype):
    """The named tensors of a model of this configuration, drawn from the seed, as transformers saves them."""
    classes = {"BertModel": transformers.BertModel}
    kind = classes.get(config["architectures"][0], transformers.AutoModelForCausalLM)
    with tempfile.TemporaryDirectory() as folder:
        write_json(Path(folder) / "config.json", config)
        settings = transformers.AutoConfig.from_pretrained(folder)
        model = kind._from_config(settings) if kind is transformers.BertModel else kind.from_config(settings)
        random = numpy.random.Generator(numpy.random.PCG64(seed))
        with torch.no_grad():
            for name, parameter in sorted(model.named_parameters()):
                values = random.standard_normal(tuple(parameter.shape), dtype=numpy.float32) * numpy.float32(0.15)
                if "norm" in name.lower() or ".ln_" in name:
                    values += numpy.float32(1 if name.endswith("weight") else 0)
                if "embed_tokens" in name or name.endswith("word_embeddings.weight"):
                    values[0] = 0
                    values[1] *= numpy.float32(1e-6)
                parameter.copy_(torch.from_numpy(values))
        model.to(dtype).save_pretrained(folder)
        return dict(load_file(Path(folder) / "model.safetensors"))


def save_weights(folder, tensors, shards=1):
    """Writes model.safetensors, or that many shards and their index."""
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names, total = sorted(tensors), sum(t.numel() * t.element_size() for t in tensors.values())
    parts, size = [[]], 0
    for name in names:
        if size > total / shards * len(parts):
            parts.append([])
        parts[-1].append(name)
        size += tensors[name].numel() * tensors[name].element_size()
    files = [f"model-{i + 1:05}-of-{len(parts):05}.safetensors" for i in range(len(parts))]
    for file, part in zip(files, parts):
        save_file({name: tensors[name] for name in part}, folder / file, metadata={"format": "pt"})
    write_json(folder / "model.safetensors.index.json", {
        "metadata": {"total_size": total},
        "weight_map": {name: file for file, part in zip(files, parts) for name in part},
    })


def save_config(folder, config, dtype, generation=None):
    """Writes config.json in the published layout, and generation_config.json."""
    write_json(folder / "config.json", config | {"torch_dtype": str(dtype).removeprefix("torch.")})
    if generation is not None:
        write_json(folder / "generation_config.json", generation | {"transformers_version": "4.45.0"})


def llama_tokenizer_config(tokenizer, **more):
    """tokenizer_config.json of a SentencePiece Llama tokenizer."""
    return {
        "add_bos_token": True, "add_eos_token": False, "added_tokens_decoder": added_tokens_decoder(tokenizer),
        "bos_token": "<s>", "clean_up_tokenization_spaces": False, "eos_token": "</s>", "legacy": False,
        "model_max_length": 256, "pad_token": None, "sp_model_kwargs": {}, "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>", "use_default_system_prompt": False,
    } | more


def save_sentencepiece(folder, size, added=(), with_model=True, with_json=True, options=None, **more):
    """Writes the files of a SentencePiece tokenizer and returns how many tokens it has."""
    model = sentencepiece_model(size, **(options or {}))
    tokenizer = sentencepiece_as_json(model, added)
    if with_model:
        (folder / "tokenizer.model").write_bytes(model)
    if with_json:
        write_json(folder / "tokenizer.json", json.loads(tokenizer.to_str()), indent=None)
    write_json(folder / "tokenizer_config.json", llama_tokenizer_config(tokenizer, **more))
    if added:
        write_json(folder / "added_tokens.json", {token.content: size + i for i, token in enumerate(added)})
    write_json(folder / "special_tokens_map.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})
    return tokenizer.get_vocab_size()


def llama(folder):
    """Llama 2: SentencePiece, bfloat16, untied, and the inv_freq buffers that old checkpoints hold."""
    count = save_sentencepiece(folder, 352)
    config = LLAMA | {"vocab_size": count}
    tensors = weights(config, 1, torch.bfloat16)
    for layer in range(2):
        tensors[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.tensor([1.0, 0.1, 0.01, 0.001])
    save_weights(folder, tensors)
    save_config(folder, config, torch.bfloat16, {
        "bos_token_id": 1, "do_sample": True, "eos_token_id": 2, "max_length": 256, "pad_token_id": 0,
        "temperature": 0.6, "top_p": 0.9,
    })


def llama_json(folder):
    """Llama with tokenizer.json alone (byte-fallback BPE), float16, with added tokens and linear rope scaling."""
    added = [AddedToken("<|im_start|>", special=True, normalized=False), AddedToken("<plain>", normalized=False)]
    count = save_sentencepiece(folder, 336, added, with_model=False, chat_template=CHATML)
    config = LLAMA | {"vocab_size": count, "tie_word_embeddings": True, "max_position_embeddings": 512,
                      "rope_scaling": {"type": "linear", "factor": 2.0}}
    save_weights(folder, weights(config, 2, torch.float16))
    save_config(folder, config, torch.float16)


def llama3(folder):
    """Llama 3.2: byte-level BPE, llama3 rope scaling, tied, bfloat16, a model card and sampling settings."""
    tokenizer = byte_level_bpe(336, LLAMA3_SPLIT, ignore_merges=True)
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|finetune_right_pad_id|>",
             "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"]
    tokenizer.add_special_tokens([special(name) for name in names])
    bos = tokenizer.token_to_id(names[0])
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(add_prefix_space=True, trim_offsets=False, use_regex=True),
        processors.TemplateProcessing(single=f"{names[0]} $A", pair=f"{names[0]} $A {names[0]}:1 $B:1",
                                      special_tokens=[(names[0], bos)]),
    ])
    save_bpe(folder, tokenizer)
    write_json(folder / "tokenizer_config.json", {
        "added_tokens_decoder": added_tokens_decoder(tokenizer), "bos_token": names[0],
        "chat_template": LLAMA3_CHAT, "clean_up_tokenization_spaces": True, "eos_token": "<|eot_id|>",
        "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072,
        "tokenizer_class": "PreTrainedTokenizerFast",
    })
    write_json(folder / "special_tokens_map.json", {"bos_token": names[0], "eos_token": "<|eot_id|>"})
    stops = [tokenizer.token_to_id(name) for name in ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")]
    config = LLAMA | {
        "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 64, "intermediate_size": 64, "head_dim": 16,
        "tie_word_embeddings": True, "rope_theta": 500000.0, "max_position_embeddings": 131072,
        "bos_token_id": bos, "eos_token_id": stops,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                         "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    }
    save_weights(folder, weights(config, 3, torch.bfloat16))
    save_config(folder, config, torch.bfloat16, {
        "bos_token_id": bos, "do_sample": True, "eos_token_id": stops, "temperature": 0.6, "top_k": 40, "top_p": 0.9,
        "repetition_penalty": 1.1,
    })
    (folder / "README.md").write_text(
        "---\nlanguage:\n- en\n- de\nlicense: llama3.2\nlicense_link: LICENSE\n"
        "pipeline_tag: text-generation\ntags:\n- llama\n- seeded\nbase_model: fixtures/Tiny-Llama-3.2-80K\n"
        "datasets:\n- fixtures/short-sentences\n---\n\n# A seeded checkpoint\n", encoding="utf-8")


def llama_bias(folder):
    """Llama with biases in attention and MLP, float32."""
    count = save_sentencepiece(folder, 320, with_json=False)
    config = LLAMA | {"vocab_size": count, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}
    save_weights(folder, weights(config, 4, torch.float32))
    save_config(folder, config, torch.float32, {"bos_token_id": 1, "eos_token_id": 2})


def llama_odd_rows(folder):
    """Llama whose rows are no multiple of the Q8_0 block in some tensors, which then stay in float16."""
    count = save_sentencepiece(folder, 320, with_json=False)
    config = LLAMA | {"vocab_size": count, "intermediate_size": 72, "num_key_value_heads": 4}
    save_weights(folder, weights(config, 5, torch.bfloat16))
    save_config(folder, config, torch.bfloat16)


def mistral(folder):
    """Mistral: SentencePiece only, added tokens, padded vocabulary, sliding window, wide heads, float16."""
    added = [AddedToken("<|call|>", normalized=False), AddedToken("<tool>", normalized=False),
             AddedToken("<pad>", special=True, normalized=False)]
    options = {"user_defined_symbols": ["[INST]", "[/INST]"], "control_symbols": ["[CTRL]"]}
    save_sentencepiece(folder, 340, added, with_json=False, options=options, chat_template=INST, pad_token="<pad>")
    config = LLAMA | {
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "vocab_size": 352, "head_dim": 16,
        "sliding_window": 128, "rope_theta": 1000000.0, "_name_or_path": "fixtures/Tiny-Mistral-50K-Instruct-v0.2",
    }
    del config["attention_bias"], config["mlp_bias"], config["rope_scaling"], config["pretraining_tp"]
    save_weights(folder, weights(config, 6, torch.float16))
    save_config(folder, config, torch.float16, {"bos_token_id": 1, "eos_token_id": 2})


def mixtral(folder):
    """Mixtral: four experts of which two are used, per-expert tensors, in two shards, bfloat16."""
    count = save_sentencepiece(folder, 336)
    config = LLAMA | {
        "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "vocab_size": count,
        "intermediate_size": 32, "num_local_experts": 4, "num_experts_per_tok": 2, "output_router_logits": False,
        "router_aux_loss_coef": 0.02, "sliding_window": None, "rope_theta": 1000000.0,
    }
    del config["attention_bias"], config["mlp_bias"], config["rope_scaling"], config["pretraining_tp"]
    save_weights(folder, weights(config, 7, torch.bfloat16), shards=2)
    save_config(folder, config, torch.bfloat16, {"bos_token_id": 1, "eos_token_id": 2})


def qwen_tokenizer(folder, size, thinking=False, chat_template_file=False, **saving):
    """Writes the files of a Qwen tokenizer and returns it."""
    tokenizer = byte_level_bpe(size, QWEN2_SPLIT, normalizers.NFC())
    tokenizer.add_special_tokens([special(name) for name in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
    if thinking:
        tokenizer.add_tokens([AddedToken(name, normalized=False) for name in
                              ("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<think>", "</think>")])
    save_bpe(folder, tokenizer, **saving)
    config = {
        "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added_tokens_decoder(tokenizer),
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "bos_token": None, "chat_template": CHATML,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
        "model_max_length": 256, "pad_token": "<|endoftext|>", "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    }
    if chat_template_file:
        (folder / "chat_template.jinja").write_text(config.pop("chat_template"), encoding="utf-8")
    write_json(folder / "tokenizer_config.json", config)
    return tokenizer


def qwen_ids(tokenizer):
    """bos_token_id and eos_token_id as Qwen's config.json gives them."""
    return {"bos_token_id": tokenizer.token_to_id("<|endoftext|>"), "eos_token_id": tokenizer.token_to_id("<|im_end|>")}


def qwen2(folder):
    """Qwen2.5: byte-level BPE, biases in attention, tied, bfloat16, a vocabulary padded beyond the tokens."""
    tokenizer = qwen_tokenizer(folder, 360, old_merges=True, vocabulary_files=True)
    config = QWEN2 | {"vocab_size": 384} | qwen_ids(tokenizer)
    save_weights(folder, weights(config, 8, torch.bfloat16))
    save_config(folder, config, torch.bfloat16, qwen_ids(tokenizer) | {
        "pad_token_id": tokenizer.token_to_id("<|endoftext|>"), "repetition_penalty": 1.05, "temperature": 0.7,
        "top_k": 20, "top_p": 0.8,
    })


def qwen2_untied_f16(folder):
    """Qwen2 with an output matrix of its own, float16, and yarn rope scaling."""
    tokenizer = qwen_tokenizer(folder, 352)
    config = QWEN2 | {
        "vocab_size": tokenizer.get_vocab_size(), "tie_word_embeddings": False, "max_position_embeddings": 1024,
        "rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 256, "type": "yarn"},
    } | qwen_ids(tokenizer)
    save_weights(folder, weights(config, 9, torch.float16))
    save_config(folder, config, torch.float16)


def qwen3(folder):
    """Qwen3: query and key norms, explicit head_dim, a template file, and config.json as transformers 5 writes it."""
    tokenizer = qwen_tokenizer(folder, 352, thinking=True, chat_template_file=True)
    config = QWEN2 | {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": tokenizer.get_vocab_size() + 8,
        "head_dim": 16, "attention_bias": False, "sliding_window": None,
    } | qwen_ids(tokenizer)
    save_weights(folder, weights(config, 10, torch.bfloat16))
    with tempfile.TemporaryDirectory() as temporary:
        write_json(Path(temporary) / "config.json", config | {"torch_dtype": "bfloat16"})
        transformers.AutoConfig.from_pretrained(temporary).save_pretrained(folder)
    write_json(folder / "generation_config.json", qwen_ids(tokenizer) | {"temperature": 0.6, "top_k": 20, "top_p": 0.95})


def qwen3moe(folder):
    """Qwen3 with four experts of which two are used, per-expert tensors, untied, bfloat16."""
    tokenizer = qwen_tokenizer(folder, 336, thinking=True)
    config = QWEN2 | {
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "head_dim": 16, "attention_bias": False,
        "vocab_size": tokenizer.get_vocab_size(), "sliding_window": None, "decoder_sparse_step": 1,
        "mlp_only_layers": [], "moe_intermediate_size": 32, "norm_topk_prob": True, "num_experts": 4,
        "num_experts_per_tok": 2, "output_router_logits": False, "router_aux_loss_coef": 0.001,
        "tie_word_embeddings": False,
    } | qwen_ids(tokenizer)
    save_weights(folder, weights(config, 11, torch.bfloat16))
    save_config(folder, config, torch.bfloat16)


def bert(folder):
    """A sentence encoder as all-MiniLM-L6-v2: BERT, WordPiece, mean pooling, float32, with the position_ids buffer."""
    tokenizer, vocabulary = word_piece(256)
    write_json(folder / "tokenizer.json", json.loads(tokenizer.to_str()), indent=None)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    write_json(folder / "tokenizer_config.json", {"do_lower_case": True} | names | {
        "tokenize_chinese_chars": True, "strip_accents": None, "do_basic_tokenize": True, "never_split": None,
        "tokenizer_class": "BertTokenizer", "model_max_length": 64,
    })
    write_json(folder / "special_tokens_map.json", names)
    config = {
        "architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "gradient_checkpointing": False,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 32, "initializer_range": 0.02,
        "intermediate_size": 64, "layer_norm_eps": 1e-12, "max_position_embeddings": 64, "model_type": "bert",
        "num_attention_heads": 4, "num_hidden_layers": 2, "pad_token_id": 0, "position_embedding_type": "absolute",
        "transformers_version": "4.8.2", "type_vocab_size": 2, "use_cache": True, "vocab_size": len(vocabulary),
    }
    tensors = weights(config, 12, torch.float32)
    tensors["embeddings.position_ids"] = torch.arange(64).unsqueeze(0)
    save_weights(folder, tensors)
    write_json(folder / "config.json", config)
    package = "sentence_transformers.models."
    write_json(folder / "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": package + "Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": package + "Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": package + "Normalize"},
    ])
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", {
        "word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False,
    })
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 64, "do_lower_case": False})


def gpt2(folder):
    """GPT-2: transposed projections under the published names (no prefix), GPT-2's own split, float32."""
    tokenizer = byte_level_bpe(296)
    tokenizer.add_special_tokens([special("<|endoftext|>")])
    save_bpe(folder, tokenizer, old_merges=True, vocabulary_files=True)
    write_json(folder / "tokenizer_config.json", {"model_max_length": 64})
    end = tokenizer.token_to_id("<|endoftext|>")
    config = {
        "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": end,
        "embd_pdrop": 0.1, "eos_token_id": end, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2", "n_ctx": 64, "n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 64,
        "resid_pdrop": 0.1, "vocab_size": tokenizer.get_vocab_size(),
    }
    tensors = weights(config, 13, torch.float32)
    save_weights(folder, {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()})
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {"bos_token_id": end, "eos_token_id": end, "_from_model_config": True})


CHECKPOINTS = {
    "llama": llama, "llama-json": llama_json, "llama3": llama3, "llama-bias": llama_bias,
    "llama-odd-rows": llama_odd_rows, "mistral": mistral, "mixtral": mixtral, "qwen2": qwen2,
    "qwen2-untied-f16": qwen2_untied_f16, "qwen3": qwen3, "qwen3moe": qwen3moe, "bert": bert, "gpt2": gpt2,
}


def sums(out):
    """SHA256SUMS of everything in the checkpoints' folders."""
    files = sorted(path for name in CHECKPOINTS for path in (out / name).rglob("*") if path.is_file())
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out)}\n" for path in files)


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
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{name}: {size} bytes")
    (out / "SHA256SUMS").write_text(sums(out), encoding="utf-8")


if __name__ == "__main__":
    main()
