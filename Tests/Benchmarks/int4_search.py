#!/usr/bin/env python3
"""Times the search for int4 scales of port against msModelSlim's, in turn.

    int4_search.py PORT FOLDER [--rounds N]

FOLDER is a checkpoint whose experts are FP8 (make_r1_slice.py). port converts it whole, with reading
and writing; msModelSlim searches the scales and codes of one expert's matrices that are in memory
as float32. Prints values of experts a second for both. Needs torch, and ASCEND as Tests/Interop
lays it out.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "Interop"))

import ascend_quantizer
import torch
from safetensors import safe_open


def experts(folder):
    """The matrices of the first expert in float32, and how many values all experts have."""
    count, matrices = 0, {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                if ".experts." not in name or not name.endswith(".weight"):
                    continue
                count += file.get_slice(name).get_shape()[0] * file.get_slice(name).get_shape()[1]
                if ".experts.0." in name:
                    scales = file.get_tensor(name + "_scale_inv")
                    wide = scales.repeat_interleave(128, 0).repeat_interleave(128, 1)
                    matrices[name] = file.get_tensor(name).float() * wide
    return list(matrices.values()), count


def main():
    options = argparse.ArgumentParser()
    options.add_argument("port")
    options.add_argument("folder", type=pathlib.Path)
    options.add_argument("--rounds", type=int, default=3)
    options = options.parse_args()
    torch.set_num_threads(2)
    matrices, count = experts(options.folder)
    sample = sum(matrix.numel() for matrix in matrices)
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(dir=options.folder.parent) as scratch:
            start = time.monotonic()
            subprocess.run(
                [options.port, "convert", str(options.folder), "--to", "ascend-910c", "--quantize", "w4a8",
                 "--memory", "512MiB", "--jobs", "2", "-o", scratch + "/out"],
                check=True, capture_output=True)
            own = count / (time.monotonic() - start)
        start = time.monotonic()
        for matrix in matrices:
            ascend_quantizer.integers(matrix, 4, search=True)
        peer = sample / (time.monotonic() - start)
        print(json.dumps({"port": round(own / 1e6, 1), "msmodelslim": round(peer / 1e6, 1), "ratio": round(own / peer, 1)}))


if __name__ == "__main__":
    main()
