"""Makes what converting a header-only checkpoint to Ascend would give, without its values.

    make_converted.py SOURCE FOLDER

Names, types, shapes and files are those of `port convert --plan --json`, the files sparse; config,
index and description are written as AscendV1 folders have them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import make_header_only as source_maker

PORT = os.environ.get("PORT", str(Path(__file__).resolve().parents[2] / ".build/release/port"))
WIDTH = source_maker.WIDTH | {"I8": 1}


def main(source, folder):
    plan = json.loads(subprocess.run(
        [PORT, "convert", source, "--to", "ascend-910c", "--plan", "--json", "-o", folder],
        check=True, stdout=subprocess.PIPE).stdout)
    os.makedirs(folder, exist_ok=True)
    files = {}
    for tensor in plan["tensors"]:
        files.setdefault(tensor["file"], []).append((tensor["name"], tensor["dtype"], tensor["shape"]))
    source_maker.WIDTH.update(WIDTH)
    for name, rows in files.items():
        source_maker.write_shard(os.path.join(folder, name), rows)
    index = {tensor["name"]: tensor["file"] for tensor in plan["tensors"]}
    with open(os.path.join(folder, "quant_model_weights.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {}, "weight_map": index}, file, indent=2)
    description = {"version": "1.0.0", "model_quant_type": "W8A8_DYNAMIC", "group_size": 0, "metadata": {}, "optional": {}}
    for name in index:
        linear = name.rsplit(".weight", 1)[0]
        description[name] = "W8A8_DYNAMIC" if linear + ".weight_scale" in index else "FLOAT"
    with open(os.path.join(folder, "quant_model_description.json"), "w") as file:
        json.dump(description, file, indent=2)
    config = json.loads(Path(source, "config.json").read_text())
    del config["quantization_config"]
    Path(folder, "config.json").write_text(json.dumps(config, indent=2))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        Path(folder, name).write_bytes(Path(source, name).read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
