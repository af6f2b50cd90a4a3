"""The arithmetic of the NPU operators that run AscendV1 weights, in torch on a CPU.

Integer sums are exact: they are taken in float64, where every product and every partial sum is an integer far below 2^53.
"""

import torch

GROUP = 32
E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def round_to(x, dtype):
    """x rounded to a narrower type and back, as between two operators."""
    return x.to(dtype).float()


def product(left, right):
    """left · rightᵀ of integer matrices, exactly, as float64."""
    return left.double() @ right.double().T


def dynamic_quant(x):
    """Symmetric int8 codes of each token and its scale: max|x| / 127, rounded half to even."""
    scale = x.abs().amax(-1, keepdim=True) / 127
    codes = torch.where(scale > 0, x / scale, torch.zeros_like(x)).round().clamp(-128, 127)
    return codes.to(torch.int8), scale


def static_quant(x, scale, offset):
    """Int8 codes with a scale and an offset measured beforehand; the operator multiplies by the reciprocal."""
    return (x * (1 / scale) + offset).round().clamp(-128, 127).to(torch.int8)


def quant_matmul(codes, weight, weight_scale, token_scale, bias=None):
    """int8 · int8 with int32 sums, then the weight's scale, the token's scale and the bias in float32."""
    y = product(codes, weight).float() * weight_scale.flatten() * token_scale
    return y if bias is None else y + bias


def static_matmul(codes, weight, deq_scale, quant_bias):
    """int8 · int8 with int32 sums and an int32 bias, then one scale; an int64 scale holds the bits of a float32."""
    if deq_scale.dtype == torch.int64:
        deq_scale = deq_scale.to(torch.int32).view(torch.float32)
    return (product(codes, weight) + quant_bias.double()).float() * deq_scale.flatten()


def unpack_int4(packed):
    """The int4 codes [out, in] of bytes [out / 2, in]: the even row in the low half, the odd row in the high half."""
    low = (packed << 4) >> 4
    return torch.stack((low, packed >> 4), 1).reshape(-1, packed.shape[-1])


def w4a8_matmul(codes, packed, weight_scale, scale_bias, token_scale):
    """int8 · int4 by halves: x = 16·high + low + 8, where scale_bias stands for the 8 in every place of the input."""
    x, weight = codes.to(torch.int16), unpack_int4(packed)
    high, low = x >> 4, (x & 15) - 8
    y = (16 * product(high, weight) + product(low, weight)).float() * weight_scale.flatten()
    return (y + scale_bias.sum(-1)) * token_scale


def fp8_quant(x):
    """E4M3 codes of each token and its scale: max|x| / 448."""
    scale = x.abs().amax(-1, keepdim=True) / 448
    codes = torch.where(scale > 0, x / scale, torch.zeros_like(x)).clamp(-448, 448)
    return codes.to(torch.float8_e4m3fn), scale


def fp8_matmul(codes, weight, weight_scale, token_scale, bias=None):
    """E4M3 · E4M3, then both scales in float32."""
    y = (codes.float() @ weight.float().T) * weight_scale.flatten() * token_scale
    return y if bias is None else y + bias


def groups(x):
    """x in groups of 32 along the last axis, padded with zeros, [..., groups, 32]."""
    return torch.nn.functional.pad(x, (0, -x.shape[-1] % GROUP)).unflatten(-1, (-1, GROUP))


def mx_quant(x):
    """E4M3 values of each group of 32 and its power of two: floor(log2(max)) − 8."""
    cut = groups(x.float())
    largest = cut.abs().amax(-1, keepdim=True)
    exponent = torch.where(largest > 0, torch.frexp(largest).exponent - 1 - 8, -127).clamp(-127, 127)
    codes = torch.ldexp(cut, -exponent).clamp(-448, 448).to(torch.float8_e4m3fn)
    return codes, exponent


def mx_quant_fp4(x):
    """E2M1 values of each group of 32, halves rounded away from zero, and its power of two: floor(log2(max)) − 2."""
    cut = groups(x.float())
    largest = cut.abs().amax(-1, keepdim=True)
    exponent = torch.where(largest > 0, torch.frexp(largest).exponent - 1 - 2, -127).clamp(-127, 127)
    places = torch.bucketize(torch.ldexp(cut.abs(), -exponent), (E2M1[1:8] + E2M1[:7]) / 2, right=True)
    return E2M1[places] * cut.sign(), exponent


def mx_values(codes, exponent, size):
    """The values of MX codes [..., groups, 32] and exponents [..., groups, 1]."""
    return torch.ldexp(codes.float(), exponent).flatten(-2)[..., :size]


def unpack_e2m1(packed):
    """The values [out, in] of bytes [out, in / 2], the low half first."""
    return E2M1[torch.stack((packed & 15, packed >> 4), -1).flatten(-2).long()]


def mx_weight(weight, scale):
    """The values of an MX weight as stored: codes of a row and a byte, its exponent + 127, for each 32 of them."""
    values = unpack_e2m1(weight) if weight.dtype == torch.uint8 else weight.float()
    return torch.ldexp(groups(values), scale.int().unsqueeze(-1) - 127).flatten(-2)[..., :values.shape[-1]]


def swiglu(x):
    """silu(gate) · up of gate ‖ up, in float32."""
    gate, up = x.chunk(2, -1)
    return torch.nn.functional.silu(gate) * up


def fractal_nz(matrix):
    """The bytes of a matrix [R, C] in FRACTAL_NZ: tiles of 16 rows by 32 bytes, padded with zeros, columns of tiles."""
    width = 32 // matrix.element_size()
    rows, columns = matrix.shape
    padded = torch.nn.functional.pad(matrix, (0, -columns % width, 0, -rows % 16))
    tiles = padded.reshape(padded.shape[0] // 16, 16, padded.shape[1] // width, width).permute(2, 0, 1, 3)
    return tiles.contiguous().view(torch.uint8).numpy().tobytes()


def linear(kind, tensors, x, dtype=torch.bfloat16):
    """What the runtime computes for one linear of this type from a float32 input; its output is rounded to dtype.

    Scales that the runtime keeps in the model's type are rounded to it here as at load time.
    """
    bias = tensors.get("bias")
    bias = None if bias is None else bias.float()
    x, weight = round_to(x, dtype), tensors["weight"]
    if kind == "FLOAT":
        y = torch.nn.functional.linear(x, weight.float(), bias)
    elif kind == "W8A8_DYNAMIC":
        y = quant_matmul(*swap(dynamic_quant(x), weight, round_to(tensors["weight_scale"], dtype)), bias)
    elif kind == "W8A8":
        scale, offset = round_to(tensors["input_scale"], dtype), tensors["input_offset"].float()
        y = static_matmul(static_quant(x, scale, offset), weight, tensors["deq_scale"], tensors["quant_bias"])
    elif kind == "W8A16":
        scale = round_to(tensors["weight_scale"], dtype)
        wide = (weight.float().unflatten(-1, (scale.shape[-1], -1)) * scale.unsqueeze(-1)).flatten(-2)
        y = torch.nn.functional.linear(x, round_to(wide, dtype), bias)
    elif kind in ("W8A8FP8_DYNAMIC", "WFP8AFP8_DYNAMIC"):
        y = fp8_matmul(*swap(fp8_quant(x), weight, tensors["weight_scale"]), bias)
    elif kind == "W4A8_DYNAMIC":
        codes, scale = dynamic_quant(x)
        y = w4a8_matmul(codes, weight, tensors["weight_scale"], tensors["scale_bias"], scale)
    elif kind in ("W8A8_MXFP8", "W4A8_MXFP", "W4A4_MXFP4"):
        quantized = mx_quant_fp4(x) if kind == "W4A4_MXFP4" else mx_quant(x)
        values = mx_values(*quantized, x.shape[-1])
        y = torch.nn.functional.linear(values, mx_weight(weight, tensors["weight_scale"]), bias)
    else:
        raise ValueError(f"no operator for {kind}")
    return round_to(y, dtype)


def swap(quantized, weight, scale):
    """The arguments of a matmul in its order: codes, weight, its scale, the tokens' scales."""
    return quantized[0], weight, scale, quantized[1]


def expert(kind, gate, up, down, x, dtype=torch.bfloat16):
    """One expert of the grouped operators: gate ‖ up, SwiGLU in float32 without a rounding between, requantized, down."""
    both = {name: torch.cat((gate[name], up[name])) for name in gate}
    if kind == "W8A8_DYNAMIC":
        codes, scale = dynamic_quant(round_to(x, dtype))
        hidden = swiglu(quant_matmul(codes, both["weight"], round_to(both["weight_scale"], dtype), scale))
    elif kind == "W4A8_DYNAMIC":
        codes, scale = dynamic_quant(round_to(x, dtype))
        hidden = swiglu(w4a8_matmul(codes, both["weight"], both["weight_scale"], both["scale_bias"], scale))
    else:
        return linear(kind, down, swiglu(linear(kind, both, x, dtype)), dtype)
    codes, scale = dynamic_quant(hidden)
    if kind == "W8A8_DYNAMIC":
        return round_to(quant_matmul(codes, down["weight"], round_to(down["weight_scale"], dtype), scale), dtype)
    return round_to(w4a8_matmul(codes, down["weight"], down["weight_scale"], down["scale_bias"], scale), dtype)
