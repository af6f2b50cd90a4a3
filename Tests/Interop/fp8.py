"""FP8 weights in torch: how checkpoints store them and what their values are.

A weight is stored as float8_e4m3fn codes and a scale that multiplies them. DeepSeek's checkpoints have one scale for each
block of 128 rows and 128 columns, in `NAME_scale_inv`; blocks at the edges are smaller. Those of compressed-tensors have
one for the whole tensor or one for each row, in `NAME_scale`.
"""

import torch

BLOCK, LARGEST = 128, 448.0


def spread(scales, shape):
    """Each block's scale at each of its elements; scales of a row or of the tensor stay as they are."""
    if scales.dim() == 2 and tuple(scales.shape) == tuple(-(-size // BLOCK) for size in shape):
        scales = scales.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[:shape[0], :shape[1]]
    return scales


def dequantize(codes, scales):
    """The values in float32: one product each."""
    return codes.float() * spread(scales.float(), codes.shape)


def encode(weight, scales):
    """The codes of a float32 weight for these scales: one division, rounded half to even, saturating."""
    return (weight / spread(scales, weight.shape)).clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn)


def scale_of(largest):
    """The scale that takes the largest magnitude to the largest code, and is never zero."""
    return largest.clamp(min=1e-12) / LARGEST


def quantize_blocks(weight):
    """Codes and scales of a float32 matrix by blocks, as DeepSeek's checkpoints store them."""
    rows, columns = (-(-size // BLOCK) for size in weight.shape)
    padded = torch.zeros(rows * BLOCK, columns * BLOCK)
    padded[:weight.shape[0], :weight.shape[1]] = weight.abs()
    scales = scale_of(padded.view(rows, BLOCK, columns, BLOCK).amax((1, 3)))
    return encode(weight, scales), scales


def quantize_rows(weight):
    """Codes and one scale for each row, [rows, 1]."""
    scales = scale_of(weight.abs().amax(1, keepdim=True))
    return encode(weight, scales), scales


def quantize_tensor(weight):
    """Codes and one scale, [1]."""
    scales = scale_of(weight.abs().amax().reshape(1))
    return encode(weight, scales), scales


def values(tensors):
    """What a checkpoint's tensors stand for: FP8 weights dequantized in float32, scales left out, others as stored."""
    found = {}
    for name, tensor in tensors.items():
        scales = tensors.get(f"{name}_scale_inv", tensors.get(f"{name}_scale"))
        if tensor.dtype == torch.float8_e4m3fn:
            if scales is None:
                raise ValueError(f"{name} has no scales")
            found[name] = dequantize(tensor, scales)
        elif not name.endswith(("_scale_inv", "_scale")):
            found[name] = tensor
    return found
