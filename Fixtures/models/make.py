"""Makes the trained checkpoints: make.py [OUT_DIR]

Composes a text from templates, trains a tokenizer and a small model of each kind on it, writes both as published
Hugging Face repositories are laid out, and records in expected.json what transformers computes with the stored weights.
Without OUT_DIR it writes beside this file and puts the new sums into README.md.
"""

import hashlib
import io
import json
import math
import random
import re
import shutil
import sys
import time
from pathlib import Path

import sentencepiece
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent.parent / "Tests" / "Interop"))
from plain import token_ids  # noqa: E402
from tokenizers_seeded import (  # noqa: E402
    QWEN2_SPLIT, added_tokens_decoder, save_bpe, sentencepiece_as_json, special, write_json,
)

# Each kind of document is a row of sentences; of each sentence there are variants. In every list the first entry is the
# most frequent one and each further entry half as frequent as the one before, so that a trained model has a clear
# preference everywhere. A name in braces is drawn once for a document and is the same in all its sentences.
SLOTS = {
    "ship": ["Alder", "Heron", "Merlin", "Sparrow", "Zoë"],
    "cargo": ["grain", "timber", "salt", "copper", "café chairs"],
    "port": ["the north", "the islands", "Lübeck", "the far side of the bay", "Tromsø"],
    "wind": ["west", "north", "south", "east"],
    "sky": ["cold and clear", "warm and bright", "grey and wet", "calm"],
    "month": ["March", "October", "June", "January"],
    "file": ["weights", "tokens", "notes", "header", "index"],
    "kind": ["half", "single", "double"],
    "person": ["Ida", "Tom", "Marta", "Jo"],
    "tool": ["program", "reader", "script"],
    "layer": ["first", "second", "third", "last"],
}
DOCUMENTS = {
    "ship": [
        ["The {ship} left the harbour early in the morning.", "In {month} the {ship} left the harbour.",
         "A ship named {ship} was the first to leave."],
        ["She carried {cargo} to {port}.", "Her hold was full of {cargo} for {port}."],
        ["The wind came from the {wind} and the sea was calm.", "A strong wind blew from the {wind} all day."],
        ["After {n} days the crew of the {ship} saw the land.", "The crew of the {ship} sang in the evening."],
        ["They sold the {cargo} and sailed home.", "In {port} they unloaded the {cargo} and slept."],
    ],
    "weather": [
        ["The weather in {month} is {sky}.", "It was {sky} in {month}, as it often is.", "Today the sky is {sky}."],
        ["The wind turns to the {wind} at noon.", "There is no wind before noon, then it blows from the {wind}."],
        ["Rain is expected for {n} days.", "It didn't rain for {n} days.", "We'll have snow for {n} days."],
        ["{person} takes a coat and walks to the sea.", "{person} stays at home and reads a book."],
        ["In the evening {person} writes down that it was {sky}.", "Nobody knows what comes after {month}."],
    ],
    "tensor": [
        ["A tensor is an array of numbers.", "The {layer} layer holds a tensor.", "Each tensor has a name and a shape."],
        ["This one has {a} rows and {b} columns.", "It has {a} rows of {b} numbers each."],
        ["So there are {a} times {b} numbers, which is {product}.", "That makes {product} numbers in all."],
        ["They are stored in {kind} precision, one row after the other.", "Each number is kept in {kind} precision."],
        ["If we add a row, the {layer} layer holds {taller} rows.", "The shape of the {layer} layer stays the same."],
    ],
    "file": [
        ["The file of {file} begins with a short header.", "{person} opens the file of {file}.",
         "There's a file of {file} on the disk."],
        ["The header says that there are {a} parts.", "It's made of {a} parts, and each part has a size."],
        ["The {tool} reads the {file} in order.", "A {tool} copies the {file} to another folder."],
        ["Then it checks that every byte is where it should be.", "Nothing is lost, since every byte is counted."],
        ["At the end {person} closes the file.", "When all {a} parts are done, the {tool} stops."],
    ],
    "sum": [
        ["{a} plus {b} is {sum}.", "If you add {a} and {b}, you get {sum}."],
        ["{b} plus {a} is {sum} too."],
        ["{sum} minus {b} is {a}.", "Take {b} from {sum} and {a} is left."],
        ["{a} times {b} is {product}."],
        ["{person} counts on ten fingers and agrees.", "That's how {person} learned to count.", "It's easy."],
    ],
}
QUESTIONS = {
    "ship": "Tell me about the {ship}.", "weather": "What is the weather in {month}?", "tensor": "What is a tensor?",
    "file": "What is in the file of {file}?", "sum": "What is {a} plus {b}?",
}
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# In expected.json are the first four of these at which no greedy step is a near tie and no step leaves the text.
PROMPTS = [
    "The Heron left the harbour", "3 plus 4 is", "A tensor is an array of numbers. This one has 5 rows and 6 columns.",
    "It was grey and wet in Lübeck", "A ship named Zoë", "In October the Zoë", "The weather in", "The crew of the Alder",
    "There's a file of", "Today the sky is", "If you add 5 and 2, you get", "The file of tokens begins",
]
STEPS, MARGIN = 24, 0.1
LENGTH, BATCH, UPDATES, RATE = 192, 12, 1300, 4e-3

SHAPE = {
    "hidden_act": "silu", "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3,
    "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 256, "initializer_range": 0.02,
    "use_cache": True,
}
QWEN2 = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"} | SHAPE | {
    "max_window_layers": 3, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 256,
    "use_sliding_window": False, "attention_dropout": 0.0, "tie_word_embeddings": True,
    "transformers_version": "4.43.1",
}
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"} | SHAPE | {
    "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False, "mlp_bias": False,
    "pretraining_tp": 1, "tie_word_embeddings": False, "transformers_version": "4.45.0",
}


def pick(source, entries):
    """One of the entries, each half as likely as the one before."""
    return source.choices(entries, [0.5 ** i for i in range(len(entries))])[0]


def document(source, kind):
    """One document of this kind and the values that it was filled with."""
    values = {name: pick(source, entries) for name, entries in SLOTS.items()}
    a, b = source.randint(1, 9), source.randint(1, 9)
    values |= {"a": a, "b": b, "sum": a + b, "product": a * b, "taller": a + 1, "n": pick(source, [3, 5, 7, 2, 9])}
    return " ".join(pick(source, variants).format(**values) for variants in DOCUMENTS[kind]), values


def documents(seed, size):
    """Documents of all kinds, so many characters of them."""
    source, texts, total = random.Random(seed), [], 0
    while total < size:
        texts.append(document(source, source.choice(sorted(DOCUMENTS)))[0])
        total += len(texts[-1]) + 1
    return texts


def chats(seed, size):
    """Questions and answers in the chat layout, so many characters of them."""
    source, texts, total = random.Random(seed), [], 0
    while total < size:
        kind = source.choice(sorted(DOCUMENTS))
        answer, values = document(source, kind)
        question = QUESTIONS[kind].format(**values)
        answer = ".".join(answer.split(".")[:2]) + "."
        texts.append(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n")
        total += len(texts[-1])
    return texts


def qwen2_tokenizer(folder, texts):
    """Writes a byte-level BPE tokenizer as Qwen2's and returns it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=509, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    ))
    tokenizer.add_special_tokens([special(name) for name in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
    save_bpe(folder, tokenizer, vocabulary_files=True)
    write_json(folder / "tokenizer_config.json", {
        "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added_tokens_decoder(tokenizer),
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "bos_token": None, "chat_template": CHATML,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
        "model_max_length": 256, "pad_token": "<|endoftext|>", "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    })
    return tokenizer


def llama_tokenizer(folder, texts):
    """Writes a SentencePiece tokenizer as Llama 2's and returns it."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=out, model_type="bpe", vocab_size=512, byte_fallback=True,
        character_coverage=0.999, normalization_rule_name="identity", split_digits=True,
        allow_whitespace_only_pieces=True, remove_extra_whitespaces=False, num_threads=1, minloglevel=2,
    )
    tokenizer = sentencepiece_as_json(out.getvalue())
    (folder / "tokenizer.model").write_bytes(out.getvalue())
    write_json(folder / "tokenizer.json", json.loads(tokenizer.to_str()), indent=None)
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    write_json(folder / "tokenizer_config.json", {
        "add_bos_token": True, "add_eos_token": False, "added_tokens_decoder": added_tokens_decoder(tokenizer),
        "bos_token": "<s>", "clean_up_tokenization_spaces": False, "eos_token": "</s>", "legacy": False,
        "model_max_length": 256, "pad_token": None, "sp_model_kwargs": {}, "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>", "use_default_system_prompt": False,
    })
    write_json(folder / "special_tokens_map.json", names)
    return tokenizer


def training_rows(source, sequences, end, count):
    """Token rows of LENGTH + 1 that start where a document starts and run on into others, whose order always changes."""
    rows = []
    while len(rows) < count:
        source.shuffle(sequences)
        stream, starts = [], []
        for sequence in sequences:
            starts.append(len(stream))
            stream += sequence + [end]
        rows += [stream[i:i + LENGTH + 1] for i in starts if i + LENGTH < len(stream)]
        source.shuffle(rows)
    return rows


def train(config, seed, sequences, end):
    """A model of this configuration trained on the token sequences, and its loss over the last updates."""
    torch.manual_seed(seed)
    fields = {name: value for name, value in config.items() if name != "transformers_version"}
    model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**fields)).float().train()
    rows = training_rows(random.Random(seed), sequences, end, BATCH * UPDATES)
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
                                  lr=RATE, betas=(0.9, 0.98))
    losses, began = [], time.time()
    for update in range(UPDATES):
        warm, done = min(1, (update + 1) / 50), update / UPDATES
        for group in optimizer.param_groups:
            group["lr"] = RATE * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
        batch = torch.tensor(rows[update * BATCH:(update + 1) * BATCH])
        logits = model(batch[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if (update + 1) % 100 == 0:
            print(f"  {update + 1}: {sum(losses[-50:]) / 50:.3f} nats per token, {time.time() - began:.0f} s", flush=True)
    return model, sum(losses[-50:]) / 50


def save(folder, model, config, dtype, shards, generation):
    """Writes the weights in this type, config.json and generation_config.json."""
    tensors = {name: tensor.detach().to(dtype).contiguous() for name, tensor in sorted(model.state_dict().items())
               if not (config["tie_word_embeddings"] and name == "lm_head.weight")}
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        sizes = {name: tensor.numel() * tensor.element_size() for name, tensor in tensors.items()}
        total, before, parts = sum(sizes.values()), 0, [[] for _ in range(shards)]
        for name, size in sizes.items():
            parts[before * shards // total].append(name)
            before += size
        files = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
        for file, part in zip(files, parts):
            save_file({name: tensors[name] for name in part}, folder / file, metadata={"format": "pt"})
        write_json(folder / "model.safetensors.index.json", {
            "metadata": {"total_size": total},
            "weight_map": {name: file for file, part in zip(files, parts) for name in part},
        })
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    write_json(folder / "config.json", config | {"torch_dtype": str(dtype).removeprefix("torch.")})
    write_json(folder / "generation_config.json", generation | {"transformers_version": config["transformers_version"]})


def expect(folder, model=None):
    """Writes expected.json: what transformers computes with the stored weights in float32."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = model or transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()
    found = []
    for text in PROMPTS:
        ids, chosen, closest, top = token_ids(tokenizer, text), [], math.inf, None
        with torch.no_grad():
            for _ in range(STEPS):
                best = model(torch.tensor([ids + chosen])).logits[0, -1].topk(5)
                pairs = [[int(i), float(f"{value:.7g}")] for i, value in zip(best.indices, best.values.tolist())]
                top = top or pairs
                closest = min(closest, pairs[0][1] - pairs[1][1])
                chosen.append(pairs[0][0])
        ends = set(chosen) & set(tokenizer.all_special_ids)
        continuation = tokenizer.decode(ids + chosen, skip_special_tokens=True)
        print(f"  {'kept' if closest >= MARGIN and not ends and len(found) < 4 else 'left'} "
              f"(margin {closest:.3f}{', ends' if ends else ''}): {continuation}")
        if closest >= MARGIN and not ends and len(found) < 4:
            if not continuation.startswith(text):
                raise ValueError(f"{folder.name}: {text!r} comes back as {continuation!r}")
            found.append({"text": text, "ids": ids, "top5": top, "greedy_ids": chosen,
                          "greedy_text": continuation[len(text):]})
    if len(found) < 4:
        raise ValueError(f"{folder.name}: only {len(found)} prompts without near ties")
    write_json(folder / "expected.json", {"prompts": found}, indent=1)


def tiny_qwen2(folder):
    """Qwen2: byte-level BPE, biases in attention, tied, bfloat16, one file."""
    texts, talks = documents(1, 200_000), chats(2, 40_000)
    tokenizer = qwen2_tokenizer(folder, texts)
    end, stop = tokenizer.token_to_id("<|endoftext|>"), tokenizer.token_to_id("<|im_end|>")
    config = QWEN2 | {"vocab_size": tokenizer.get_vocab_size(), "bos_token_id": end, "eos_token_id": stop}
    model, loss = train(config, 3, [tokenizer.encode(text).ids for text in texts + talks], end)
    save(folder, model, config, torch.bfloat16, 1, {
        "bos_token_id": end, "do_sample": True, "eos_token_id": [stop, end], "pad_token_id": end,
        "repetition_penalty": 1.05, "temperature": 0.7, "top_k": 20, "top_p": 0.8,
    })
    return loss


def tiny_llama(folder):
    """Llama 2: SentencePiece with byte fallback, untied, float16, two shards."""
    texts = documents(1, 200_000)
    tokenizer = llama_tokenizer(folder, texts)
    config = LLAMA | {"vocab_size": tokenizer.get_vocab_size(), "bos_token_id": 1, "eos_token_id": 2}
    model, loss = train(config, 4, [tokenizer.encode(text).ids for text in texts], 2)
    save(folder, model, config, torch.float16, 2, {
        "bos_token_id": 1, "do_sample": True, "eos_token_id": 2, "max_length": 256, "pad_token_id": 0,
        "temperature": 0.6, "top_p": 0.9,
    })
    return loss


CHECKPOINTS = {"tiny-qwen2": tiny_qwen2, "tiny-llama": tiny_llama}


def record(out, losses):
    """Prints how large the folders are and, for those beside this file, puts their sums into README.md."""
    sums = []
    for name, loss in losses.items():
        files = sorted((out / name).iterdir())
        sums += [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}/{path.name}\n" for path in files]
        print(f"{name}: {loss:.3f} nats per token, {sum(path.stat().st_size for path in files)} bytes")
    if out == HERE and (HERE / "README.md").exists():
        text = (HERE / "README.md").read_text(encoding="utf-8")
        head, kept, tail = re.fullmatch(r"(?s)(.*```sums\n)(.*?)(```.*)", text).groups()
        kept = [line for line in kept.splitlines(keepends=True) if line.split()[1].split("/")[0] not in losses]
        (HERE / "README.md").write_text(head + "".join(kept + sums) + tail, encoding="utf-8")


def main():
    out, losses = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE, {}
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name, make in CHECKPOINTS.items():
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        losses[name] = make(folder)
        expect(folder)
    record(out, losses)


if __name__ == "__main__":
    main()
