"""Runs the reference converter and reads GGUF files into plain values.

The reference is convert_hf_to_gguf.py of the llama.cpp sources inside the llama-cpp-python source package. It names the
pre-tokenizer by a hash of token ids, which only the published vocabularies match; for the checkpoints in Fixtures the
name that the published model of the same kind has is put in its place.
"""

import hashlib
import importlib
import io
import struct
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy

OUTTYPES = ["f32", "f16", "bf16", "q8_0", "auto"]
# Checkpoints with FP8 weights or of DeepSeek's architecture, under Fixtures/models, and what they are converted to.
ASCEND_CASES = {
    "tiny-deepseek-v3": ["f32", "bf16", "q8_0"], "seeded-ascend/deepseek-v2-lite": ["f32", "bf16", "q8_0"],
    "seeded-ascend/llama-fp8-channel": ["f32", "auto"],
}
PRE_TOKENIZERS = {"llama3": "llama-bpe", "qwen": "qwen2", "gpt2": "gpt-2", "bert": "jina-v2-en",
                  "deepseek-v2": "deepseek-coder", "tiny-deepseek-v3": "deepseek-v3"}
FOLDERS = ("seeded", "seeded-ascend", "models", "respelled")
SCALARS = {
    "UINT8": "<B", "INT8": "<b", "UINT16": "<H", "INT16": "<h", "UINT32": "<I", "INT32": "<i", "UINT64": "<Q",
    "INT64": "<q", "FLOAT32": "<f", "FLOAT64": "<d", "BOOL": "<?",
}


def load(folder):
    """Imports the reference converter, and its own gguf package, from a llama.cpp source folder."""
    folder = Path(folder).resolve()
    if not (folder / "convert_hf_to_gguf.py").is_file():
        raise FileNotFoundError(f"no convert_hf_to_gguf.py in {folder}")
    sys.path[:0] = [str(folder / "gguf-py"), str(folder)]
    converter = importlib.import_module("convert_hf_to_gguf")
    original = converter.ModelBase.__subclasses__()[0].get_vocab_base_pre

    def named(self, tokenizer):
        for prefix, pre in PRE_TOKENIZERS.items():
            if self.dir_model.parent.name in FOLDERS and self.dir_model.name.startswith(prefix):
                return pre
        return original(self, tokenizer)

    importlib.import_module("conversion").TextModel.get_vocab_base_pre = named
    return converter


def convert(converter, checkpoint, outtype, out, *options):
    """Converts one checkpoint folder into one GGUF file; its log is shown only when it fails."""
    arguments, sys.argv = sys.argv, [
        "convert_hf_to_gguf.py", str(checkpoint), "--outtype", outtype, "--outfile", str(out), *options,
    ]
    log = io.StringIO()
    try:
        with redirect_stdout(log), redirect_stderr(log):
            converter.main()
    except BaseException:
        sys.stderr.write(log.getvalue())
        raise
    finally:
        sys.argv = arguments


def ascend_cases(models):
    """The folders and types of ASCEND_CASES."""
    return [(models / name, outtype) for name, outtypes in ASCEND_CASES.items() for outtype in outtypes]


def element(kind, value):
    """The GGUF encoding of one array element: little-endian, a string as its length in 8 bytes and its UTF-8 bytes."""
    if kind == "STRING":
        data = value.encode("utf-8")
        return struct.pack("<Q", len(data)) + data
    return struct.pack(SCALARS[kind], value)


def plain(value):
    """A numpy value as a plain Python one."""
    return value.item() if isinstance(value, numpy.generic) else value


def metadata(reader):
    """The key-value pairs in file order: key, type and value, a long array as its count, element type and sha256."""
    pairs = []
    for field in reader.fields.values():
        if field.name.startswith("GGUF."):
            continue
        kind, value = field.types[0].name, field.contents()
        if kind == "ARRAY":
            kind, elements = f"ARRAY[{field.types[-1].name}]", [plain(item) for item in value]
            if len(elements) > 16:
                data = b"".join(element(field.types[-1].name, item) for item in elements)
                value = {"count": len(elements), "element_type": field.types[-1].name,
                         "sha256": hashlib.sha256(data).hexdigest()}
            else:
                value = elements
        pairs.append({"key": field.name, "type": kind, "value": plain(value)})
    return pairs


def tensors(reader):
    """The tensors in file order: name, type, shape in ne order, and the sha256 of the stored bytes."""
    return [{
        "name": tensor.name, "type": tensor.tensor_type.name, "shape": [int(n) for n in tensor.shape],
        "sha256": hashlib.sha256(tensor.data.tobytes()).hexdigest(),
    } for tensor in reader.tensors]


def describe(path):
    """What a GGUF file holds, as the goldens record it."""
    import gguf
    reader = gguf.GGUFReader(path)
    return {"version": int(reader.fields["GGUF.version"].contents()), "tensors": tensors(reader),
            "metadata": metadata(reader)}
