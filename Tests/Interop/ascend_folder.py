"""Reads a folder in the AscendV1 format and judges its files: names, index, description, what is copied."""

import json
from pathlib import Path

from safetensors import safe_open

DESCRIPTION, WEIGHTS = "quant_model_description.json", "quant_model_weights"
GLOBALS = {"version", "model_quant_type", "group_size", "metadata", "optional", "kv_quant_type", "kv_cache_type",
           "fa_quant_type"}
COPIED = (".json", ".py", ".txt", ".jinja")
LARGEST_PART = 4 << 30
# From the least to the most specific, as the format's own writer orders them; what is not here never names a model.
PRIORITY = ["FLOAT", "W16A16S", "W8A16", "W8A8_DYNAMIC", "W8A8_MIX", "W8A8", "WFP8AFP8_DYNAMIC", "W8A8_MXFP8", "W4A8_MXFP",
            "W4A4_DYNAMIC", "W4A4_MXFP4"]


class Folder:
    """The files of one folder, its tensors by name and the type that the description gives each."""

    def __init__(self, path):
        self.path = Path(path)
        self.config = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
        self.description = json.loads((self.path / DESCRIPTION).read_text(encoding="utf-8"))
        self.types = {name: kind for name, kind in self.description.items() if name not in GLOBALS}
        self.kinds = {name.removesuffix(".weight"): kind for name, kind in self.types.items() if name.endswith(".weight")}
        self.tensors, self.files = {}, {}
        for file in sorted(self.path.glob("*.safetensors")):
            with safe_open(file, "pt") as reader:
                for name in reader.keys():
                    if name in self.tensors:
                        raise ValueError(f"{name} is stored twice")
                    self.tensors[name], self.files[name] = reader.get_tensor(name), file.name

    def parts(self, linear):
        """The tensors of one linear by their last names, without those of the cache."""
        found = {name.rpartition(".")[2]: value for name, value in self.tensors.items()
                 if name.rpartition(".")[0] == linear and self.types.get(name) != "C8"}
        if "weight" not in found:
            raise KeyError(f"{linear}.weight")
        return found

    def group_sizes(self):
        """What the description may state: the columns that share a scale of W8A16, or 0 where those are whole rows."""
        if any("MXFP" in kind for kind in self.types.values()):
            return {32}
        parts = [self.parts(linear) for linear, kind in self.kinds.items() if kind == "W8A16"]
        across = [part["weight_scale"].shape[-1] if "weight_scale" in part else 1 for part in parts]
        sizes = {part["weight"].shape[1] // count for part, count in zip(parts, across)}
        return (sizes if len(sizes) == 1 else set()) | (set() if any(count > 1 for count in across) else {0})


def judge_files(check, name, source, folder):
    """The names of the weight files, their index, and what of the source's other files is there."""
    files = sorted(file.name for file in folder.path.glob("*.safetensors"))
    index = folder.path / f"{WEIGHTS}.safetensors.index.json"
    if index.exists():
        count = len(files)
        check.same(f"{name}: parts", [f"{WEIGHTS}-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)], files)
        found = json.loads(index.read_text(encoding="utf-8"))
        check.that(f"{name}: index", found["weight_map"] == folder.files, "not what the parts hold")
        total = sum(tensor.nbytes for tensor in folder.tensors.values())
        check.that(f"{name}: total size", found["metadata"]["total_size"] == total, found["metadata"])
    else:
        check.same(f"{name}: one part", [f"{WEIGHTS}.safetensors"], files)
    sizes = {file: sum(folder.tensors[n].nbytes for n, f in folder.files.items() if f == file) for file in files}
    check.that(f"{name}: parts of at most 4 GiB", all(size <= LARGEST_PART for size in sizes.values()), sizes)
    expected = json.loads((source / "config.json").read_text(encoding="utf-8"))
    expected.pop("quantization_config", None)
    different = sorted(key for key in folder.config | expected if folder.config.get(key) != expected.get(key))
    check.that(f"{name}: config.json without quantization", folder.config == expected, different)
    for file in sorted(source.iterdir()):
        if file.name.endswith(COPIED) and not file.name.endswith("index.json") and file.name != "config.json":
            copy = folder.path / file.name
            check.that(f"{name}: {file.name} copied", copy.is_file() and copy.read_bytes() == file.read_bytes(), "not as it was")
    stray = [file.name for file in folder.path.iterdir() if file.name.endswith("model.safetensors.index.json")]
    check.that(f"{name}: no index of the source", not stray, stray)


def judge_description(check, name, folder):
    """The description's globals and an entry for every tensor, and for nothing else."""
    found = folder.description
    check.that(f"{name}: version", found.get("version") == "1.0.0", found.get("version"))
    check.same(f"{name}: described tensors", sorted(folder.tensors), sorted(folder.types))
    present = [kind for kind in PRIORITY if kind in folder.types.values()]
    check.that(f"{name}: model_quant_type", found.get("model_quant_type") == present[-1],
               f"{found.get('model_quant_type')} with {present}")
    check.that(f"{name}: group_size", found.get("group_size") in folder.group_sizes(), found.get("group_size"))
    cache = "C8" if "C8" in folder.types.values() else None
    check.that(f"{name}: type of the cache", all(found.get(key) == cache for key in ("kv_cache_type", "kv_quant_type")))
    check.that(f"{name}: metadata and optional", found.get("metadata") == {} and found.get("optional") == {}, "not empty")
