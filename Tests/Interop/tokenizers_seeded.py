"""Trains the small tokenizers of the seeded checkpoints on a fixed text."""

import io
import json

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = """The quick brown fox jumps over the lazy dog, and the dog doesn't mind at all.
A tensor is an array of numbers; its shape says how many there are along each axis.
We've copied 12345 weights in 3 files, then checked that every byte was where it should be.
I'll convert the model, you'll read the tokens, and they'd better agree: 1, 22, 333, 4444.
Reading a file in order is faster than reading it at random, which is why the order matters.
func add(_ a: Int, _ b: Int) -> Int { return a + b }  // adds two numbers
if (x == 0) { print("zero"); } else { print("not zero"); }
Das Mädchen geht über die Straße. Où est la bibliothèque? ¿Qué hora es? Ça va très bien.
The weather in the north is cold; the weather in the south is warm and the sea is calm.
There were seven ships in the harbour, and the smallest of them was the first to leave.
Numbers such as 3.14159 and 2.71828 are read one digit at a time or in groups of three.
Nothing here was ever written by a model: the words are plain, the sentences are short.
Some lines    have    many    spaces,\tsome have tabs, and some have none at all.
What is the model's name? It's the one in the file's header, isn't it? I'm sure it is.
"""

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_SPLIT = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")
# DeepSeek's tokenizers cut one after the other; an entry is a pattern, or None for single digits.
DEEPSEEK2_SPLITS = [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", None]
DEEPSEEK3_SPLITS = [
    r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]
DEEPSEEK_CHAT = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '<｜User｜>' + message['content'] }}{% elif message['role'] == 'assistant' %}"
    "{{ '<｜Assistant｜>' + message['content'] + eos_token }}{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"
)


def write_json(path, value, indent=2):
    """Writes a JSON file as published repositories do: UTF-8, ending in a newline."""
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def special(text, **flags):
    """A special added token."""
    return AddedToken(text, special=True, normalized=False, **flags)


def added_tokens_decoder(tokenizer):
    """The added_tokens_decoder entry of tokenizer_config.json."""
    return {
        str(index): {
            "content": token.content, "lstrip": token.lstrip, "normalized": token.normalized,
            "rstrip": token.rstrip, "single_word": token.single_word, "special": token.special,
        }
        for index, token in sorted(tokenizer.get_added_tokens_decoder().items())
    }


def sentencepiece_model(size, **options):
    """The bytes of a SentencePiece BPE model with byte fallback, as Llama 2's."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines()), model_writer=out, model_type="bpe", vocab_size=size,
        byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity", split_digits=True,
        allow_whitespace_only_pieces=True, remove_extra_whitespaces=False, num_threads=1,
        minloglevel=2, **options,
    )
    return out.getvalue()


def sentencepiece_as_json(model, added=()):
    """The tokenizer.json that belongs to a SentencePiece BPE model, as in Llama 2's repository."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    merges = []
    for piece in pieces:
        if not processor.is_byte(vocabulary[piece]):
            cuts = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
            cuts = [(a, b) for a, b in cuts if a in vocabulary and b in vocabulary]
            merges += sorted(cuts, key=lambda cut: (vocabulary[cut[0]], vocabulary[cut[1]]))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0),
    ])
    tokenizer.add_special_tokens([special("<unk>"), special("<s>"), special("</s>")])
    tokenizer.add_tokens(list(added))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)],
    )
    return tokenizer


def byte_level_bpe(size, split=None, normalizer=None, ignore_merges=False):
    """A byte-level BPE tokenizer without added tokens; without a split, GPT-2's own."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    if split:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.train_from_iterator(TEXT.splitlines(keepends=True), trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    ))
    return tokenizer


def deepseek_tokenizer(folder, size, texts, splits, added, **more):
    """Writes the files of a DeepSeek tokenizer, its special tokens at 0 and 1 and the added ones last; returns it."""
    names = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(split), "isolated") if split else pre_tokenizers.Digits(individual_digits=True)
        for split in splits
    ] + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size - len(added), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=[special(name) for name in names],
    ))
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in added])
    save_bpe(folder, tokenizer)

    def token(name):
        return {"__type": "AddedToken", "content": name, "lstrip": False, "normalized": True, "rstrip": False,
                "single_word": False}

    write_json(folder / "tokenizer_config.json", {
        "add_bos_token": True, "add_eos_token": False, "bos_token": token(names[0]), "clean_up_tokenization_spaces": False,
        "eos_token": token(names[1]), "legacy": True, "model_max_length": 16384, "pad_token": token(names[1]),
        "sp_model_kwargs": {}, "unk_token": None, "tokenizer_class": "LlamaTokenizerFast",
    } | more)
    return tokenizer


def word_piece(size):
    """A WordPiece tokenizer as BERT's uncased one."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    names = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = {piece for piece in "abcdefghijklmnopqrstuvwxyz0123456789.,;:?!'\"()-"}
    pieces |= {"##" + piece for piece in pieces if piece.isalnum()}
    words = sorted({word.strip(".,;:?!") for word in TEXT.lower().split() if word.isascii()})
    words = [word for word in words if word.isalpha() and len(word) > 1]
    endings = ["##ing", "##ed", "##er", "##s", "##ly", "##th", "##ers", "##al"]
    vocabulary = (names + sorted(pieces) + endings + words)[:size]
    tokenizer.model = models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]")
    tokenizer.add_special_tokens([special(name) for name in names if not name.startswith("[unused")])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary.index(name)) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer, vocabulary


def save_bpe(folder, tokenizer, old_merges=False, vocabulary_files=False):
    """Writes tokenizer.json and, on request, vocab.json and merges.txt beside it."""
    value = json.loads(tokenizer.to_str())
    pairs = value["model"]["merges"]
    if old_merges:
        value["model"]["merges"] = [" ".join(pair) for pair in pairs]
    write_json(folder / "tokenizer.json", value, indent=None)
    if vocabulary_files:
        write_json(folder / "vocab.json", value["model"]["vocab"], indent=None)
        lines = ["#version: 0.2"] + [" ".join(pair) for pair in pairs]
        (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
