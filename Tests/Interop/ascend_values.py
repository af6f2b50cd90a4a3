"""Judges the numbers in a folder in the AscendV1 format: msModelSlim's quantizers, given the source's values in float32,
say what they should be."""

import torch

import ascend_operators
import ascend_quantizer
from tensors import bits

FP8 = ("W8A8FP8_DYNAMIC", "WFP8AFP8_DYNAMIC")


def same(expected, found):
    """Whether two tensors are the same in type, shape and bits."""
    return found is not None and bits(expected) == bits(found)


def rows_off(expected, found):
    """How many elements differ, or that the shapes do."""
    if found is None or expected.shape != found.shape or expected.dtype != found.dtype:
        return f"{tuple(expected.shape)} {expected.dtype} became {found if found is None else (tuple(found.shape), found.dtype)}"
    different = (expected.float() != found.float()).sum()
    return f"{int(different)} of {expected.numel()} elements differ"


def float_problem(source, value, found):
    """A tensor that stays as it is; one dequantized from FP8 is rounded to bfloat16 once."""
    expected = value.to(torch.bfloat16) if source.dtype == torch.float8_e4m3fn else source
    return None if same(expected, found) else rows_off(expected, found)


def scaled_problem(parts, expected):
    """Codes, scales and zero offsets that must be msModelSlim's exactly."""
    codes, scales = expected
    for name, wanted in (("weight", codes), ("weight_scale", scales.float()), ("weight_offset", torch.zeros_like(scales))):
        if not same(wanted, parts.get(name)):
            return f"{name}: {rows_off(wanted, parts.get(name))}"
    return None


def int4_problem(name, value, parts):
    """Int4 by search: scales near msModelSlim's or no worse, codes that follow from them, the sums that stand for 8."""
    scales, packed = parts.get("weight_scale"), parts.get("weight")
    if scales is None or scales.shape != (len(value), 1) or packed.shape != (len(value) // 2, value.shape[1]):
        return "shapes"
    codes = ascend_operators.unpack_int4(packed)
    wanted = (value / scales).round().clamp(-8, 7).to(torch.int8)
    if not torch.equal(wanted, codes) or not same(ascend_quantizer.pack_int4(wanted), packed):
        return f"weight: {rows_off(wanted, codes)}"
    best, reference = ascend_quantizer.integers(value, 4, search=True)
    error = ((value - codes * scales) ** 2).mean(1)
    allowed = ((value - best * reference) ** 2).mean(1) * 1.001 + 1e-12
    far = ((scales - reference).abs() > 1e-4 * reference).flatten() & (error > allowed)
    if far.any():
        return f"weight_scale: {int(far.sum())} rows are worse than msModelSlim's"
    if not same(torch.zeros(len(value), 1), parts.get("weight_offset")):
        return "weight_offset"
    sums = codes.double() * scales.double()
    slices = 16 if name.endswith("down_proj") else 1
    biases = 8 * sums.unflatten(1, (slices, -1)).sum(-1)
    found = parts.get("scale_bias")
    bound = 1e-5 * 8 * sums.abs().unflatten(1, (slices, -1)).sum(-1) + 1e-9
    if found is None or found.shape != biases.shape or found.dtype != torch.float32:
        return "scale_bias: shape"
    return None if bool(((found - biases).abs() <= bound).all()) else "scale_bias: values"


def microscaled_problem(value, parts, four):
    """Exponents and codes of groups of 32; where the largest is just below a power of two, either exponent will do."""
    values, exponents = ascend_quantizer.microscaled(value, 4 if four else 8)
    found = parts.get("weight_scale")
    if found is None or found.shape != exponents.shape or found.dtype != torch.uint8:
        return "weight_scale: shape"
    largest = ascend_operators.groups(value).abs().amax(-1)
    boundary = (torch.frexp(largest * (1 + 2e-6)).exponent != torch.frexp(largest).exponent) | (exponents < -127)
    wrong = (found.int() - 127 != exponents.int()) & ~boundary
    if wrong.any():
        return f"weight_scale: {int(wrong.sum())} of {wrong.numel()} exponents differ"
    wanted = ascend_quantizer.pack_e2m1(values) if four else values.to(torch.float8_e4m3fn)
    stored, keep = parts["weight"], (found.int() - 127 == exponents.int()).repeat_interleave(32, 1)[:, :value.shape[1]]
    if stored.shape != wanted.shape or stored.dtype != wanted.dtype:
        return f"weight: {rows_off(wanted, stored)}"
    keep = keep.unflatten(1, (-1, 2)).all(-1) if four else keep
    different = (wanted.view(torch.uint8) != stored.view(torch.uint8)) & keep
    return f"weight: {int(different.sum())} codes differ" if different.any() else None


def static_problem(value, parts, bias, bounds, mixed):
    """Static W8A8, and what a mix has beside: the input's scale and offset from its bounds, and what is folded into deq_scale and quant_bias."""
    codes, scales = ascend_quantizer.integers(value)
    scale, offset = ascend_quantizer.asymmetric(*(torch.tensor(float(bound)) for bound in bounds))
    deq = (scale * scales.flatten()).float()
    total = codes.float().sum(1) * offset
    quant_bias = torch.round((0 if bias is None else bias.float()) / deq - total).to(torch.int32)
    if (stored := parts.get("deq_scale")) is not None and stored.dtype == torch.int64:
        deq = deq.view(torch.int32).to(torch.int64)  # of models in float16, the bits
    beside = (("weight_scale", scales.float()), ("weight_offset", torch.zeros(len(value), 1))) if mixed else ()
    for name, wanted in (("weight", codes), ("input_scale", scale.float()), ("input_offset", offset.float()),
                         ("deq_scale", deq), ("quant_bias", quant_bias), *beside):
        if not same(wanted, parts.get(name)):
            return f"{name}: {rows_off(wanted, parts.get(name))}"
    return None


def problem(name, kind, value, parts, bias, bounds, group=0):
    """What is wrong with one quantized linear, or nothing; W8A16 is in groups of so many columns."""
    if kind == "W8A16" and group:
        return scaled_problem(parts, ascend_quantizer.grouped(value, group))
    if kind in ("W8A8_DYNAMIC", "W8A16"):
        return scaled_problem(parts, ascend_quantizer.integers(value))
    if kind in FP8:
        return scaled_problem(parts, ascend_quantizer.floats(value))
    if kind == "W4A8_DYNAMIC":
        return int4_problem(name, value, parts)
    if kind in ("W8A8_MXFP8", "W4A8_MXFP", "W4A4_MXFP4"):
        return microscaled_problem(value, parts, kind != "W8A8_MXFP8")
    if kind in ("W8A8", "W8A8_MIX"):
        return static_problem(value, parts, bias, (bounds or {}).get(name, (0, 0)), kind == "W8A8_MIX")
    return f"unknown type {kind}"


def judge_values(check, name, source, values, folder, bounds=None, caches=None):
    """Every tensor of the source is in the folder, as its type says, and what scales the cache."""
    used, wrong = set(caches or {}), []
    wrong += [f"{key}: {rows_off(value, folder.tensors.get(key))}" for key, value in (caches or {}).items()
              if not same(value, folder.tensors.get(key)) or folder.types.get(key) != "C8"]
    for key, value in values.items():
        linear, kind = key.removesuffix(".weight"), folder.types.get(key)
        if kind is None:
            wrong.append(f"{key}: not described")
        elif kind == "FLOAT":
            if key.endswith(".bias") and folder.kinds.get(key.removesuffix(".bias"), "FLOAT") != "FLOAT":
                found = None if same(source[key].float(), folder.tensors.get(key)) else "bias is not the source's in float32"
            else:
                found = float_problem(source[key], value, folder.tensors.get(key))
            wrong += [f"{key}: {found}"] * bool(found)
            used.add(key)
        else:
            parts = folder.parts(linear)
            found = problem(linear, kind, value.float(), parts, values.get(f"{linear}.bias"), bounds,
                            folder.description.get("group_size"))
            wrong += [f"{linear} ({kind}): {found}"] * bool(found)
            used |= {f"{linear}.{part}" for part in parts}
    check.that(f"{name}: values", not wrong, f"{len(wrong)} wrong, {'; '.join(wrong[:4])}")
    check.same(f"{name}: nothing else", sorted(used), sorted(folder.tensors))
