"""Lets port verify what it did not make: GGUF files of llama.cpp's converter and of its quantizer."""

import tempfile
from pathlib import Path

import torch

import checks
import quantize_models as models
import reference

QUANTIZED = ("q4_k_m", "iq4_xs", "q2_k", "q6_k")


def main():
    check = checks.Checks(__file__)
    torch.set_num_threads(1)
    converter = reference.load(checks.REFERENCE)
    trained = [checks.ROOT / "Fixtures" / "models" / name for name in ("tiny-qwen2", "tiny-llama")]
    with tempfile.TemporaryDirectory() as temporary:
        made, quantized, report = (Path(temporary) / name for name in ("made.gguf", "quantized.gguf", "report.json"))
        for folder in [*checks.seeded(), *trained, checks.minilm()]:
            # The reference names the pre-tokenizers of published vocabularies only.
            named = folder not in trained or folder.name == "tiny-llama"
            for outtype in ("f16", "q8_0") if named else ():
                with check.group(f"{folder.name} {outtype}"):
                    reference.convert(converter, folder, outtype, made)
                    code, verdict, bad = checks.port_verify(folder, made, report)
                    check.that(f"{folder.name} {outtype}", code == 0 and verdict == "pass", f"{verdict} {bad}")
            if not named:
                checks.port_convert(folder, "gguf", made, "--quantize", "f16", "--force")
            else:
                reference.convert(converter, folder, "f16", made)
            for mix in QUANTIZED:
                with check.group(f"{folder.name} {mix}"):
                    models.quantize(made, quantized, mix)
                    code, verdict, bad = checks.port_verify(folder, quantized, report)
                    check.that(f"{folder.name} {mix}", code == 0 and verdict == "pass", f"{verdict} {bad}")
            with check.group(f"{folder.name} damaged"):
                data = bytearray(quantized.read_bytes())
                data[-40] ^= 0x40
                quantized.write_bytes(data)
                code, verdict, bad = checks.port_verify(folder, quantized, report)
                check.that(f"{folder.name} damaged", code == 1 and verdict == "fail", f"{code} {verdict}")
    check.finish()


if __name__ == "__main__":
    main()
