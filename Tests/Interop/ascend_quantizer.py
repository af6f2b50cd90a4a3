"""Asks msModelSlim's own quantizers for scales and codes: its wheel is unpacked by run.sh and runs on a CPU.

Only its arithmetic is used. torch_npu, which it wants at import, is an empty module.
"""

import importlib.util
import sys

import torch

import checks


def load():
    """Imports the quantizers."""
    if not (checks.ASCEND / "msmodelslim").is_dir():
        raise FileNotFoundError(f"no msmodelslim in {checks.ASCEND}")
    if str(checks.ASCEND) not in sys.path:
        sys.path.append(str(checks.ASCEND))
    with checks.empty_module("torch_npu"):
        from msmodelslim.core.quantizer.impl import ssz
        from msmodelslim.ir import api, qal
    return api, qal, ssz


def packing():
    """Its packing of 4-bit codes, loaded as a file: the package around it wants more than torch."""
    path = checks.ASCEND / "msmodelslim/core/quant_service/modelslim_v1/save/utils/pack.py"
    spec = importlib.util.spec_from_file_location("msmodelslim_pack", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def integers(weight, bits=8, search=False):
    """Symmetric codes of a float32 weight [out, in] and the scale of each row, [out, 1]."""
    api, qal, ssz = load()
    kind = {8: qal.QDType.INT8, 4: qal.QDType.INT4}[bits]
    columns = weight.T.contiguous()
    parameters = api.calculate_qparam(columns.amin(0), columns.amax(0), kind, qal.QScope.PER_CHANNEL, True)
    if search:
        parameters = ssz.ssz_calculate_qparam(qal.QStorage(qal.QDType.FLOAT, columns), parameters)
    codes = api.quantize(qal.QStorage(qal.QDType.FLOAT, columns), parameters).value
    return codes.T.to(torch.int8).contiguous(), parameters.ext["scale"].reshape(-1, 1)


def grouped(weight, size):
    """Symmetric int8 codes of a float32 weight [out, in] and the scale of each group of a row, [out, in / size]."""
    api, qal, _ = load()
    columns = weight.reshape(-1, size).T
    parameters = api.calculate_qparam(columns.amin(0), columns.amax(0), qal.QDType.INT8, qal.QScope.PER_GROUP, True)
    parameters.ext["group_size"] = size
    codes = api.quantize(qal.QStorage(qal.QDType.FLOAT, weight.T), parameters).value
    return codes.T.to(torch.int8).contiguous(), parameters.ext["scale"].reshape(len(weight), -1)


def asymmetric(low, high):
    """The scale and the offset of a tensor between these bounds, as static activations have."""
    api, qal, _ = load()
    parameters = api.calculate_qparam(low, high, qal.QDType.INT8, qal.QScope.PER_TENSOR, False)
    return parameters.ext["scale"], parameters.ext["offset"]


def floats(weight):
    """E4M3 codes of a float32 weight [out, in] and the scale of each row, [out, 1]."""
    api, qal, _ = load()
    columns = weight.T.contiguous()
    parameters = api.calculate_qparam(columns.amin(0), columns.amax(0), qal.QDType.FP8_E4M3, qal.QScope.PER_CHANNEL, True)
    codes = api.quantize(qal.QStorage(qal.QDType.FLOAT, columns), parameters).value
    return codes.T.to(torch.float8_e4m3fn).contiguous(), parameters.ext["scale"].reshape(-1, 1)


def microscaled(weight, bits):
    """MX values of a float32 weight [out, in], unscaled, and the shared exponents of each row, [out, in / 32]."""
    api, qal, _ = load()
    kind = {8: qal.QDType.MXFP8, 4: qal.QDType.MXFP4}[bits]
    cut = torch.nn.functional.pad(weight, (0, -weight.shape[1] % 32)).unflatten(1, (-1, 32))
    largest = cut.abs().amax(-1, keepdim=True)
    parameters = api.calculate_qparam(-largest, largest, kind, qal.QScope.PER_BLOCK, True)
    values = api.quantize(qal.QStorage(qal.QDType.FLOAT, cut), parameters).value
    return values.flatten(1)[:, :weight.shape[1]], parameters.ext["scale"].squeeze(-1)


def pack_int4(codes):
    """Int4 codes [out, in] as bytes [out / 2, in]."""
    return packing().w4a8_pack_int4(codes)


def pack_e2m1(values):
    """FP4 values [out, in] as bytes [out, in / 2]."""
    return packing().pack_fp4_to_uint8(values)
