"""Asks vLLM-Ascend's own code how it reads a quantized folder: its wheel is unpacked by run.sh and runs on a CPU.

Used are its parser of the description, which picks a scheme for every module that the runtime builds, and each scheme's
declaration of parameters. vLLM, the NPU's library and the rest of vLLM-Ascend are stubs.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from unittest.mock import MagicMock

import torch

import checks

QUANTIZATION = "vllm_ascend.quantization"
REAL = tuple(f"{QUANTIZATION}.{name}" for name in ("modelslim_config", "methods", "quant_type"))
STUBS = ("vllm", "vllm_ascend")
# What the runtime builds of a layer without latent attention: its name for a module and what it fuses there.
LLAMA = {"self_attn.qkv_proj": ["q_proj", "k_proj", "v_proj"], "self_attn.o_proj": [],
         "mlp.gate_up_proj": ["gate_proj", "up_proj"], "mlp.down_proj": []}
# Declared parameters that a folder may leave out, because another one already has them in it.
FOLDED = {"W8A8": {"weight_scale", "weight_offset"}}
FLOATS = (torch.float32, torch.bfloat16, torch.float16)


class Stub(types.ModuleType):
    """A module that has everything: a class for each capitalised name and a mock for each other."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        value = type(name, (), {}) if name[0].isupper() and not name.isupper() else MagicMock(name=name)
        setattr(self, name, value)
        return value


class Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds stubs for the modules that are not there; the packages' own __init__ is left out."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] not in STUBS or fullname.startswith(REAL):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        module = Stub(spec.name)
        module.__path__ = [str(checks.ASCEND / spec.name.replace(".", "/"))]
        return module

    def exec_module(self, module):
        pass


def load():
    """Imports the parser and the schemes, once."""
    if f"{QUANTIZATION}.modelslim_config" not in sys.modules:
        if not (checks.ASCEND / "vllm_ascend" / "quantization").is_dir():
            raise FileNotFoundError(f"no vllm_ascend in {checks.ASCEND}")
        sys.meta_path.insert(0, Stubs())
        utils = importlib.import_module("vllm_ascend.utils")
        utils.vllm_version_is = lambda version: version == "0.23.0"
        utils.ASCEND_QUANTIZATION_METHOD, utils.COMPRESSED_TENSORS_METHOD = "ascend", "compressed-tensors"
        importlib.import_module("vllm.model_executor.layers.quantization").register_quantization_config = (
            lambda name: lambda kind: kind)
        importlib.import_module("vllm.utils.math_utils").cdiv = lambda a, b: -(-a // b)
    with checks.empty_module("torch_npu"):
        return importlib.import_module(f"{QUANTIZATION}.modelslim_config")


def modules(config, names):
    """What the runtime builds for a model: (its name for it, "linear" or "moe", the checkpoint's names that it joins)."""
    found = []

    def add(name, parts=(), kind="linear"):
        base = name.rpartition(".")[0]
        found.append((name, kind, [f"{base}.{part}" for part in parts] or [name]))

    experts = config.get("n_routed_experts", 0)
    layers = config["num_hidden_layers"] + config.get("num_nextn_predict_layers", 0)
    for layer in range(layers):
        base = f"model.layers.{layer}"
        if "kv_lora_rank" not in config:
            for name, parts in LLAMA.items():
                add(f"{base}.{name}", parts)
            continue
        if config["q_lora_rank"]:
            add(f"{base}.self_attn.fused_qkv_a_proj", ["q_a_proj", "kv_a_proj_with_mqa"])
            add(f"{base}.self_attn.q_b_proj")
        else:
            add(f"{base}.self_attn.q_proj")
            add(f"{base}.self_attn.kv_a_proj_with_mqa")
        add(f"{base}.self_attn.kv_b_proj")
        add(f"{base}.self_attn.o_proj")
        if layer < config["first_k_dense_replace"]:
            add(f"{base}.mlp.gate_up_proj", ["gate_proj", "up_proj"])
            add(f"{base}.mlp.down_proj")
        else:
            add(f"{base}.mlp.shared_experts.gate_up_proj", ["gate_proj", "up_proj"])
            add(f"{base}.mlp.shared_experts.down_proj")
            parts = [f"experts.{number}.{part}_proj" for number in range(experts) for part in ("gate", "up", "down")]
            add(f"{base}.mlp.experts", parts, "moe")
    return found + ([("lm_head", "linear", ["lm_head"])] if "lm_head.weight" in names else [])


class Runtime:
    """The runtime's view of one folder."""

    def __init__(self, config, description):
        self.parser = load()
        self.quantization = self.parser.AscendModelSlimConfig(dict(description))
        half = "float16" in (config.get("torch_dtype"), config.get("dtype"))
        self.description, self.dtype = description, torch.float16 if half else torch.bfloat16
        packed = {"qkv_proj": ["q_proj", "k_proj", "v_proj"], "gate_up_proj": ["gate_proj", "up_proj"]}
        self.packed = self.parser.get_packed_modules_mapping(config["model_type"]) or packed
        settings = importlib.import_module("vllm.config").get_current_vllm_config()
        settings.quant_config.quant_description = description

    def kind(self, name, layer_type):
        """The type that the runtime finds for a module: FLOAT, or one that it has a scheme for."""
        if self.quantization.is_layer_skipped_ascend(name, self.packed):
            return "FLOAT"
        found = self.parser.get_quant_type_for_layer(self.quantization.quant_description, name, layer_type, self.packed)
        if self.parser.get_scheme_class(found, layer_type) is None:
            raise NotImplementedError(f"vLLM-Ascend has no scheme for {layer_type}s of type {found}")
        return found

    def scheme(self, kind, layer_type):
        """A scheme without its constructor, which wants a running engine."""
        scheme = object.__new__(self.parser.get_scheme_class(kind, layer_type))
        scheme.group_size = self.description.get("group_size", 0)
        scheme.is_per_channel_weight, scheme.new_quant_version = scheme.group_size == 0, True
        scheme.quant_method, scheme.tp_size = "", 1
        if kind == "W8A8_MIX" and layer_type == "linear":
            scheme._static_method = self.scheme("W8A8", "linear")
        return scheme

    def linear(self, kind, out, width, row):
        """The parameters of one linear [out, in]: name → shape and dtype."""
        scheme = self.scheme(kind, "linear")
        declared = dict(scheme.get_weight(width, out, self.dtype))
        declared |= scheme.get_pertensor_param(self.dtype, layer_type="row" if row else "others")
        declared |= scheme.get_perchannel_param(out, self.dtype)
        declared |= scheme.get_pergroup_param(width, out, self.dtype, layer_type="row" if row else "others")
        found = {name: (tuple(value.shape), value.dtype) for name, value in declared.items() if not name.startswith("_")}
        if kind == "W8A16" and (group := self.description.get("group_size", 0)):
            # msModelSlim writes groups, which this version of the runtime does not declare.
            for name in ("weight_scale", "weight_offset"):
                found[name] = ((out, width // group), found[name][1])
        return found

    def experts(self, kind, count, hidden, width):
        """The parameters of one expert's gate, up and down, taken from those of all of them joined."""
        scheme = self.scheme(kind, "moe")
        declared = dict(scheme.get_weight(count, width, hidden, self.dtype))
        declared |= scheme.get_dynamic_quant_param(count, width, hidden, self.dtype)
        found = {"gate": {}, "up": {}, "down": {}}
        for name, value in declared.items():
            joined, _, last = name.partition("_")
            shape = tuple(value.shape[1:])
            if value.shape[0] != count:
                raise ValueError(f"{name} is for {value.shape[0]} experts")
            for part in ("gate", "up") if joined == "w13" else ("down",):
                found[part][last] = ((shape[0] // 2, *shape[1:]) if joined == "w13" else shape, value.dtype)
        return found


def parameter_problem(kind, declared, stored):
    """What is wrong with the tensors of one linear, or nothing; the loader casts floats to the declared type."""
    for name in sorted(declared.keys() | stored.keys()):
        if name not in stored:
            if name not in FOLDED.get(kind, ()):
                return f"{name} is absent"
        elif name not in declared:
            if name != "bias":
                return f"{name} is left over"
        else:
            (shape, dtype), found = declared[name], stored[name]
            if tuple(found.shape) != shape:
                return f"{name} is {tuple(found.shape)}, declared {shape}"
            if name == "input_offset":
                fits = bool((found.float() == found.float().round().clamp(-128, 127)).all())
            else:
                fits = found.dtype == dtype or found.dtype in FLOATS and dtype in FLOATS
            if not fits:
                return f"{name} is {found.dtype}, declared {dtype}"
    return None


def judge_runtime(check, name, config, shapes, folder):
    """Every module that the runtime builds has a type, and every parameter that this type declares."""
    runtime, wrong, seen = Runtime(config, folder.description), [], set()
    for module, layer_type, parts in modules(config, folder.types):
        seen.update(parts)
        try:
            kind = runtime.kind(module, layer_type)
            if len({folder.kinds[part] for part in parts}) > 1:
                raise ValueError("its parts differ in type")
            if module.endswith("kv_b_proj") and kind != "FLOAT":
                raise ValueError(f"must stay unquantized for the split into W_UK and W_UV, is {kind}")
            sizes = {part: shapes[f"{part}.weight"] for part in parts}
            if kind == "FLOAT":
                declared = {part: {"weight": (tuple(sizes[part]), runtime.dtype)} for part in parts}
            elif layer_type == "moe":
                width, hidden = sizes[parts[0]]
                expert = runtime.experts(kind, config["n_routed_experts"], hidden, width)
                declared = {part: expert[part.rpartition(".")[2].removesuffix("_proj")] for part in parts}
            else:
                row = module.endswith(("o_proj", "down_proj"))
                declared = {part: runtime.linear(kind, *sizes[part], row) for part in parts}
            for part in parts:
                if found := parameter_problem(kind, declared[part], folder.parts(part)):
                    raise ValueError(f"{part} ({kind}): {found}")
        except Exception as error:
            wrong.append(f"{module}: {type(error).__name__}: {error}")
    check.that(f"{name}: vLLM-Ascend's modules", bool(seen) and not wrong, f"{len(wrong)} wrong, {'; '.join(wrong[:4])}")
    cached = sorted(set(runtime.quantization.c8_quant_layers))
    scaled = {int(key.split(".")[2]) for key in folder.tensors if key.endswith("kv_cache_scale")}
    check.same(f"{name}: layers with an int8 cache", sorted(scaled), cached)
    left = sorted(linear for linear, kind in folder.kinds.items() if kind != "FLOAT" and linear not in seen)
    check.that(f"{name}: quantized linears all built", not left, left[:4])
