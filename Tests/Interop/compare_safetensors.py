"""Opens port's safetensors files with safetensors and transformers, and its split GGUF files with gguf and llama.cpp."""

import json
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import torch
import transformers
from safetensors import safe_open

import checks
from tensors import read, unequal

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
SHARD = 40_000


def state(folder, dtype):
    """A checkpoint's parameters and buffers after loading in transformers."""
    kind = transformers.AutoModel if "Bert" in (folder / "config.json").read_text() else transformers.AutoModelForCausalLM
    model, report = kind.from_pretrained(folder, dtype=dtype, output_loading_info=True)
    absent = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if absent:
        raise ValueError(f"transformers misses {absent[:4]}")
    return {name: value for name, value in model.state_dict().items() if not name.startswith("pooler.")}


def check_cast(check, folder, out):
    """Same tensors without a scheme; cast as torch casts with one."""
    source = read(folder)
    checks.port_convert(folder, "safetensors", out / "same")
    check.that(f"{folder.name}: kept values", not (bad := unequal(source, read(out / "same"))), bad[:4])
    for scheme, dtype in DTYPES.items():
        checks.port_convert(folder, "safetensors", out / scheme, "--quantize", scheme)
        expected = {name: value.to(dtype) if value.is_floating_point() else value for name, value in source.items()}
        check.that(f"{folder.name}: {scheme} values", not (bad := unequal(expected, read(out / scheme))), bad[:4])
        bad = unequal(state(folder, dtype), state(out / scheme, dtype))
        check.that(f"{folder.name}: {scheme} in transformers", not bad, bad[:4])
    tokenizers = [transformers.AutoTokenizer.from_pretrained(path) for path in (folder, out / "same")]
    check.same(f"{folder.name}: tokenizer", *(tokenizer(checks.TEXT).input_ids for tokenizer in tokenizers))


def check_shards(check, folder, out):
    """Shards of limited size, and an index that agrees with them."""
    checks.port_convert(folder, "safetensors", out / "shards", "--shard-size", f"{SHARD}B")
    paths = sorted((out / "shards").glob("*.safetensors"))
    names = [f"model-{i + 1:05}-of-{len(paths):05}.safetensors" for i in range(len(paths))]
    check.same(f"{folder.name}: shard names", names, [path.name for path in paths])
    check.that(f"{folder.name}: several shards", len(paths) > 1, f"{len(paths)}")
    index, where = json.loads((out / "shards" / "model.safetensors.index.json").read_text()), {}
    for path in paths:
        with safe_open(path, "pt") as file:
            sizes = {name: file.get_tensor(name).nbytes for name in file.keys()}
            check.that(f"{folder.name}: {path.name} is tagged", (file.metadata() or {}).get("format") == "pt", file.metadata())
        where |= dict.fromkeys(sizes, path.name)
        check.that(f"{folder.name}: {path.name} is small", sum(sizes.values()) <= SHARD or len(sizes) == 1,
                   f"{sum(sizes.values())} bytes")
    tensors = read(out / "shards")
    check.that(f"{folder.name}: index", index["weight_map"] == where, "the weight map does not say what the shards hold")
    total = sum(tensor.nbytes for tensor in tensors.values())
    check.that(f"{folder.name}: total size", index["metadata"]["total_size"] == total, index["metadata"])
    check.that(f"{folder.name}: sharded values", not (bad := unequal(read(folder), tensors)), bad[:4])
    bad = unequal(state(folder, torch.float32), state(out / "shards", torch.float32))
    check.that(f"{folder.name}: shards in transformers", not bad, bad[:4])


def check_from_gguf(check, folder, out):
    """A float32 GGUF file turned back holds the values of the source."""
    checks.port_convert(folder, "gguf", out / "one.gguf", "--quantize", "f32")
    checks.port_convert(out / "one.gguf", "safetensors", out / "back")
    bad = unequal(state(folder, torch.float32), state(out / "back", torch.float32))
    check.that(f"{folder.name}: back from GGUF", not bad, bad[:4])


def check_split_gguf(check, folder, out):
    """A split GGUF file holds what the single one holds, and llama.cpp loads it."""
    (out / "split").mkdir()
    checks.port_convert(folder, "gguf", out / "split" / "model.gguf", "--quantize", "f32", "--shard-size", f"{SHARD}B")
    paths = sorted((out / "split").glob("*.gguf"))
    names = [f"model-{i + 1:05}-of-{len(paths):05}.gguf" for i in range(len(paths))]
    check.same(f"{folder.name}: split names", names, [path.name for path in paths])
    check.that(f"{folder.name}: several splits", len(paths) > 1, f"{len(paths)}")
    single, readers = gguf.GGUFReader(out / "one.gguf"), [gguf.GGUFReader(path) for path in paths]

    def tensors(reader):
        return [(t.name, t.tensor_type, tuple(t.shape), t.data.tobytes()) for t in reader.tensors]

    check.that(f"{folder.name}: split tensors", sum(map(tensors, readers), []) == tensors(single), "not the same")
    keys = ("split.no", "split.count", "split.tensors.count")
    check.same(f"{folder.name}: split keys", [[i, len(paths), len(single.tensors)] for i in range(len(paths))],
               [[int(reader.fields[key].contents()) for key in keys] for reader in readers])
    held = [name for name in single.fields if not name.startswith("GGUF.")]
    check.same(f"{folder.name}: metadata of the first split", held,
               [name for name in readers[0].fields if not name.startswith(("GGUF.", "split."))])
    model = llama_cpp.Llama(str(paths[0]), n_ctx=64, n_threads=1, verbose=False, embedding=folder.name == "bert")
    check.that(f"{folder.name}: split in llama.cpp", model.n_vocab() > 0)


def main():
    check = checks.Checks(__file__)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for folder in checks.seeded():
        with tempfile.TemporaryDirectory() as temporary:
            for part in (check_cast, check_shards, check_from_gguf, check_split_gguf):
                with check.group(f"{folder.name}: {part.__name__}"):
                    part(check, folder, Path(temporary))
    check.finish()


if __name__ == "__main__":
    main()
