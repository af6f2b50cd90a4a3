"""Compares port's block types and bytes with those of llama.cpp's quantizer, for every mix and several models."""

import itertools
import json
import os
import tempfile
from pathlib import Path

import checks
import quantize_models as models
from quantize_models import gguf

GOLDEN = checks.ROOT / "Fixtures" / "targets" / "mixes.json"
TYPES = {member.name.lower(): member.value for member in gguf.GGMLQuantizationType}


def types(path):
    """The type of each tensor."""
    return {tensor.name: tensor.tensor_type.name.lower() for tensor in gguf.GGUFReader(path).tensors}


def data(path):
    """The bytes of each tensor."""
    return {tensor.name: tensor.data.tobytes() for tensor in gguf.GGUFReader(path).tensors}


def runs(kinds):
    """Types in the order of the tensors, equal neighbours as one: "q4_k*3 q6_k"."""
    counted = [(kind, len(list(group))) for kind, group in itertools.groupby(kinds)]
    return " ".join(kind if count == 1 else f"{kind}*{count}" for kind, count in counted)


def recorded(goldens):
    """The golden file: the models, and for each mix the types of their tensors."""
    described = {}
    for name, (architecture, layers, heads, kv_heads, experts, *_) in models.MODELS.items():
        described[name] = {
            "architecture": architecture, "layers": layers, "heads": heads, "kv_heads": kv_heads, "experts": experts,
            "tensors": [[tensor, list(values.shape)] for tensor, values in models.tensors(name)],
        }
    lines = [f'{json.dumps(key)}: {json.dumps(value)}' for key, value in described.items()]
    types = [f'{json.dumps(key)}: {json.dumps(value)}' for key, value in sorted(goldens.items())]
    return '{"models": {\n' + ",\n".join(lines) + '\n},\n"types": {\n' + ",\n".join(types) + "\n}}\n"


def compare(check, name, expected, found):
    """Types, then bytes."""
    check.same(f"{name}: types", sorted(types(expected).items()), sorted(types(found).items()))
    wanted, had = data(expected), data(found)
    check.that(f"{name}: bytes", wanted == had, [key for key in wanted if wanted[key] != had.get(key)][:4])


def both(check, name, source, out, mix, options, entries=None, **fields):
    """Quantizes with both and compares; where llama.cpp refuses, so must port. Returns llama.cpp's types."""
    with check.group(name):
        expected, found = out / "expected.gguf", out / "found.gguf"
        try:
            models.quantize(source, expected, mix, entries, **fields)
        except models.Refused:
            try:
                checks.port_convert(source, "gguf", found, "--quantize", mix, "--force", *options)
                check.that(f"{name}: refused", False, "llama.cpp refuses and port does not")
            except RuntimeError as error:
                check.that(f"{name}: refused", "port exited 64" in str(error), error)
            return None
        checks.port_convert(source, "gguf", found, "--quantize", mix, "--force", *options)
        compare(check, name, expected, found)
        return types(expected)


def main():
    check = checks.Checks(__file__)
    goldens = {}
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        for model in models.MODELS:
            source = out / f"{model}.gguf"
            models.write(model, source)
            entries = models.importance(model)
            models.write_importance(entries, out / "imatrix.gguf")
            models.write_old_importance(entries, out / "imatrix.dat")
            read = models.read_back(entries)
            for mix in models.FILE_TYPES:
                for matrix in (None, "imatrix.gguf", "imatrix.dat"):
                    options = ["--imatrix", str(out / matrix)] if matrix else []
                    name = f"{model} {mix}{' with ' + matrix if matrix else ''}"
                    chosen = both(check, name, source, out, mix, options, read if matrix else None)
                    if chosen and matrix != "imatrix.dat":
                        goldens[f"{model} {mix}{' imatrix' if matrix else ''}"] = runs(
                            chosen[tensor] for tensor, _ in models.tensors(model))
            for mix, options, fields in (
                ("q4_k_m", ["--pure"], {"pure": True}),
                ("q3_k_m", ["--output-type", "q5_1"], {"output_tensor_type": TYPES["q5_1"]}),
                ("q4_0", ["--embedding-type", "q8_0"], {"token_embedding_type": TYPES["q8_0"]}),
            ):
                both(check, f"{model} {mix} {' '.join(options)}", source, out, mix, options, **fields)
    text = recorded(goldens)
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(text, encoding="utf-8")
    check.that("recorded types of mixes", GOLDEN.read_text(encoding="utf-8") == text, "llama.cpp chooses otherwise")
    check.finish()


if __name__ == "__main__":
    if not os.environ.get("TRACEBACK"):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    main()
