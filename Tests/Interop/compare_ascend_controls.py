"""Tries the judges of the AscendV1 format on folders that are right and on the same folders with one fault in each."""

import shutil
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

import ascend_folder
import ascend_judges
import ascend_operators
import ascend_writer
import checks

DENSE, EXPERT = "model.layers.0.mlp", "model.layers.1.mlp.experts"


class Quiet(checks.Checks):
    """Keeps the names of failed checks instead of printing them."""

    def __init__(self):
        super().__init__("quiet")
        self.names = []

    def that(self, name, condition, found=""):
        if not condition:
            self.names.append(name.partition(": ")[2])


def exchange(folder, one, other):
    """Exchanges two tensors."""
    folder.tensors[one], folder.tensors[other] = folder.tensors[other], folder.tensors[one]


def change(folder, name, function):
    """Puts a changed copy of a tensor in its place."""
    folder.tensors[name] = function(folder.tensors[name].clone())


def flip(tensor, bit=0):
    """A tensor with one bit of its last element flipped."""
    flat = tensor.flatten().view(torch.uint8)
    flat[-1] ^= 1 << bit
    return tensor


def drop(folder, name):
    """Leaves a tensor out, and its description."""
    for part in (folder.tensors, folder.types, folder.description, folder.files):
        part.pop(name, None)


def retype(folder, linear, kind):
    """Describes a linear as another type."""
    for name in [name for name in folder.types if name.rpartition(".")[0] == linear]:
        folder.types[name] = folder.description[name] = kind
    folder.kinds[linear] = kind


def shift_experts(folder):
    """Every expert gets what the next one has."""
    names = [name for name in folder.tensors if name.startswith(EXPERT)]
    moved = {}
    for name in names:
        number, rest = name.removeprefix(f"{EXPERT}.").split(".", 1)
        moved[f"{EXPERT}.{(int(number) + 1) % 8}.{rest}"] = folder.tensors[name]
    folder.tensors |= moved


def swap_nibbles(tensor):
    """The two halves of every byte exchanged."""
    return ((tensor << 4) | ((tensor >> 4) & 15)).to(tensor.dtype)


# Each fault, and the part of a failing check's name that must be among those that fail.
GATE, DOWN, QUERY = f"{DENSE}.gate_proj", f"{DENSE}.down_proj", "model.layers.0.self_attn.q_b_proj"
FAULTS = {
    "one code": (lambda f: change(f, f"{GATE}.weight", flip), ["values"]),
    "one bit of a scale": (lambda f: change(f, f"{GATE}.weight_scale", flip), ["values"]),
    "one bit of a norm": (lambda f: change(f, "model.norm.weight", flip), ["values"]),
    "a scale that is not zero's": (lambda f: change(f, f"{GATE}.weight_offset", lambda t: t + 1), ["values"]),
    "another layer's scales": (lambda f: exchange(f, f"{QUERY}.weight_scale", f"{QUERY.replace('.0.', '.1.')}.weight_scale"),
                               ["values"]),
    "scales inverted": (lambda f: change(f, f"{GATE}.weight_scale", lambda t: 1 / t), ["values", "best tokens", "divergence"]),
    "gate and up exchanged": (lambda f: [exchange(f, f"{GATE}.{part}", f"{DENSE}.up_proj.{part}")
                                         for part in ("weight", "weight_scale")], ["values", "best tokens", "divergence"]),
    "experts shifted": (shift_experts, ["values", "best tokens", "divergence"]),
    "two of one shape exchanged": (lambda f: exchange(f, "model.layers.1.self_attn.o_proj.weight",
                                                      "model.layers.2.self_attn.o_proj.weight"), ["values", "divergence"]),
    "a transposed weight": (lambda f: change(f, f"{DOWN}.weight", lambda t: t.T.contiguous()), ["modules"]),
    "codes in bytes without sign": (lambda f: change(f, f"{GATE}.weight", lambda t: t.view(torch.uint8)), ["modules", "values"]),
    "scales without their axis": (lambda f: change(f, f"{GATE}.weight_scale", torch.flatten), ["modules", "values"]),
    "no scales": (lambda f: drop(f, f"{GATE}.weight_scale"), ["modules", "values"]),
    "no weight": (lambda f: drop(f, f"{GATE}.weight"), ["modules", "values"]),
    "a layer's norm left out": (lambda f: drop(f, "model.layers.1.input_layernorm.weight"), ["values"]),
    "a tensor too many": (lambda f: f.tensors.update({"model.layers.0.stray.weight": torch.zeros(1)}),
                          ["described tensors", "nothing else"]),
    "a tensor not described": (lambda f: [part.pop(f"{GATE}.weight") for part in (f.types, f.description)],
                               ["described tensors", "modules"]),
    "kv_b_proj quantized": (lambda f: retype(f, "model.layers.0.self_attn.kv_b_proj", "W8A8_DYNAMIC"), ["modules"]),
    "a fused group of two types": (lambda f: retype(f, GATE, "W8A16"), ["modules"]),
    "an unknown type": (lambda f: retype(f, QUERY, "W8A8_DYNAMICAL"), ["modules", "values"]),
    "another version": (lambda f: f.description.update(version="0"), ["version"]),
    "another model type": (lambda f: f.description.update(model_quant_type="FLOAT"), ["model_quant_type"]),
    "a group size": (lambda f: f.description.update(group_size=128), ["group_size"]),
    "quantization left in config.json": (lambda f: f.config.update(quantization_config={}), ["config.json"]),
    "another rope base": (lambda f: f.config.update(rope_theta=1), ["config.json"]),
}
GATE4 = f"{EXPERT}.0.gate_proj"
FAULTS_INT4 = {
    "nibbles exchanged": (lambda f: [change(f, n, swap_nibbles) for n in f.tensors if n.endswith(".weight")
                                     and f.types[n] == "W4A8_DYNAMIC"], ["values", "best tokens", "divergence"]),
    "scale_bias not times 8": (lambda f: [change(f, n, lambda t: t / 8) for n in f.tensors if n.endswith("scale_bias")],
                               ["values", "divergence"]),
    "one slice of scale_bias": (lambda f: change(f, f"{EXPERT}.0.down_proj.scale_bias", lambda t: t.flip(1)), ["values"]),
    "a scale without the search": (lambda f: change(f, f"{GATE4}.weight_scale", lambda t: t * 1.02), ["values"]),
    "an expert in int8": (lambda f: retype(f, GATE4, "W8A8_DYNAMIC"), ["modules", "values"]),
}
FAULTS_MX = {
    "an exponent without its bias": (lambda f: change(f, f"{GATE}.weight_scale", lambda t: t - 127), ["values", "divergence"]),
    "one exponent": (lambda f: change(f, f"{GATE}.weight_scale", flip), ["values"]),
    "one code": (lambda f: change(f, f"{GATE}.weight", flip), ["values"]),
    "a group size of 0": (lambda f: f.description.update(group_size=0), ["group_size"]),
}
FAULTS_STATIC = {
    "quant_bias without the offsets": (lambda f: [change(f, n, torch.zeros_like) for n in f.tensors if n.endswith("quant_bias")],
                                       ["values", "best tokens", "divergence"]),
    "deq_scale of the weight alone": (lambda f: change(f, f"{GATE}.deq_scale", lambda t: t / f.tensors[f"{GATE}.input_scale"]),
                                      ["values", "divergence"]),
    "an offset of no integer": (lambda f: change(f, f"{GATE}.input_offset", lambda t: t + 0.5), ["modules", "values"]),
}
FAULTS_MIX = {
    "scales of another layer": (lambda f: exchange(f, f"{QUERY}.weight_scale", f"{QUERY.replace('.0.', '.1.')}.weight_scale"),
                                ["values"]),
    "scales inverted": (lambda f: change(f, f"{GATE}.weight_scale", lambda t: 1 / t), ["values", "divergence"]),
    "no scales": (lambda f: drop(f, f"{GATE}.weight_scale"), ["modules", "values"]),
    "no deq_scale": (lambda f: drop(f, f"{GATE}.deq_scale"), ["modules", "values"]),
}
FAULTS_GROUPS = {
    "one code": (lambda f: change(f, f"{GATE}.weight", flip), ["values"]),
    "one bit of a scale": (lambda f: change(f, f"{GATE}.weight_scale", flip), ["values"]),
    "groups of a row in another order": (lambda f: change(f, f"{GATE}.weight_scale", lambda t: t.flip(1)), ["values"]),
    "scales of whole rows": (lambda f: change(f, f"{GATE}.weight_scale", lambda t: t[:, :1]), ["modules", "values"]),
    "no group size": (lambda f: f.description.update(group_size=0), ["group_size", "modules", "values"]),
}
CACHED = "model.layers.0.self_attn"
FAULTS_CACHE = {
    "one bit of a cache's scale": (lambda f: change(f, f"{CACHED}.k_proj.kv_cache_scale", flip), ["values"]),
    "no type of the cache": (lambda f: f.description.update(kv_cache_type="FLOAT"), ["type of the cache", "int8 cache"]),
    "keys and values exchanged": (lambda f: exchange(f, f"{CACHED}.k_proj.kv_cache_scale", f"{CACHED}.v_proj.kv_cache_scale"),
                                  ["values"]),
}


def failing(source, folder, bounds, caches):
    """The checks that fail on a folder."""
    quiet = Quiet()
    ascend_judges.judge_read(quiet, "x", source, folder, bounds, caches)
    return quiet.names


def try_faults(check, title, source, faults, bounds, kind, experts=None, group=0, caches=None):
    """Judges a folder of this kind, and the same with each of the faults."""
    with check.group(title), tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "out"
        ascend_writer.write(source.path, source.tensors, source.values, out, kind, experts, bounds, group, caches)
        found = failing(source, ascend_folder.Folder(out), bounds, caches)
        check.that(f"{title}: a right folder passes", not found, found)
        report = Path(temporary) / "report.json"
        code, verdict, bad = checks.port_verify(source.path, out, report, "--level", "values", "--strict")
        check.that(f"{title}: port verify passes", code == 0 and verdict == "pass", f"{verdict} {bad}")
        for name, (spoil, expected) in faults.items():
            folder = ascend_folder.Folder(out)
            spoil(folder)
            found = failing(source, folder, bounds, caches)
            absent = [part for part in expected if not any(part in failed for failed in found)]
            check.that(f"{title}: {name} is found", not absent, f"{absent} not among {found}")
            if faults is FAULTS_INT4 and name != "an expert in int8":
                spoilt = shutil.copytree(out, Path(temporary) / "spoilt", dirs_exist_ok=True)
                save_file({key: tensor.contiguous() for key, tensor in folder.tensors.items()},
                          spoilt / f"{ascend_folder.WEIGHTS}.safetensors")
                code, verdict, bad = checks.port_verify(source.path, spoilt, report, "--level", "values")
                check.that(f"{title}: port verify finds {name}", code == 1 and verdict == "fail", f"{verdict} {bad}")


def check_layout(check):
    """The worked examples of FRACTAL_NZ."""
    for dtype, shape, place, offset in ((torch.int8, (35, 70), (34, 69), 4165), (torch.bfloat16, (35, 70), (17, 33), 1809)):
        matrix = torch.zeros(shape, dtype=dtype)
        matrix[place] = 1
        size = matrix.element_size()
        found = [i for i, byte in enumerate(ascend_operators.fractal_nz(matrix)) if byte]
        check.that(f"FRACTAL_NZ {dtype} {place}", bool(found) and {i // size for i in found} == {offset}, found)


def main():
    check = checks.Checks(__file__)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    check_layout(check)
    source = ascend_judges.Source(checks.MODELS / "tiny-deepseek-v3", trained=True)
    # The layer for the token after the next is not run here; its linears get bounds that any input might have.
    bounds = dict.fromkeys((name.removesuffix(".weight") for name in source.values), (-3, 4)) | source.bounds
    for kind, experts, faults, *group in (
            ("W8A8_DYNAMIC", None, FAULTS), ("W8A8_DYNAMIC", "W4A8_DYNAMIC", FAULTS_INT4),
            ("W8A16", "W8A8_DYNAMIC", FAULTS_GROUPS, 32), ("W8A8_MXFP8", None, FAULTS_MX), ("W4A8_MXFP", None, FAULTS_MX),
            ("W8A8", "W8A8_DYNAMIC", FAULTS_STATIC), ("W8A8_MIX", "W8A8_DYNAMIC", FAULTS_STATIC | FAULTS_MIX)):
        try_faults(check, f"{kind} {experts}", source, faults, bounds, kind, experts, *group)
    # Keys and values are not latent here.
    source = ascend_judges.Source(checks.MODELS / "tiny-qwen2", trained=True)
    try_faults(check, "W8A8_DYNAMIC C8", source, FAULTS_CACHE, None, "W8A8_DYNAMIC",
               caches=ascend_writer.caches_of(source.shapes))
    check.finish()


if __name__ == "__main__":
    main()
