"""Records how the reference takes model names apart and what it reads from model cards.

reference_names.py LLAMA_CPP_DIR OUT_DIR
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

NAMES = [
    "Llama-3.2-1B-Instruct", "meta-llama/Llama-2-7b-chat-hf", "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen3-30B-A3B", "Qwen3-235B-A22B-Instruct-2507", "bigscience/bloom-7b1",
    "bigscience/bloom-7b1-petals", "microsoft/Phi-3-mini-4k-instruct", "Phi-3-medium-128k-instruct", "openai-community/gpt2",
    "gpt2-xl", "gpt2-xxl", "model", "", "tiny-qwen2", "tiny-llama", "sentence-transformers/all-MiniLM-L6-v2", "bge-small-en-v1.5",
    "google/gemma-2-2b-it", "gemma-3n-E2B-it", "TheBloke/Mistral-7B-Instruct-v0.2-GGUF", "Mistral-7B-Merge-14-v0.1",
    "NousResearch/Hermes-2-Pro-Llama-3-8B", "a human name of a model", "./models/llama-7b", "../llama-13B-v2",
    "models/nested/llama-7b", "org/", "/name", "x--y-7B", "-7B-", "7B", "v2", "v1.5-7B", "deepseek-coder-6.7b-base",
    "DeepSeek-V3", "DeepSeek-R1-Distill-Qwen-1.5B", "stablelm-2-1_6b", "stablelm-2-1_6b-chat", "OLMo-1.7-7B-hf",
    "Model-7B-q4_k_m", "Model-7B-Q8_0", "Model-7B-IQ4_XS", "Model-7B-f16", "Model-7B-bf16", "Model-7B-fp32", "Model-7B-FP8",
    "Model-Large-7B", "Model-Large", "Model-xl-small", "Model-7B-7B-7b", "Model-500M-1.5T-3K", "Model-32k-7B", "Model-8K",
    "Model-1M-context", "Model-0x7B", "Model-7B2", "Model-7.B", "Model-A3B", "Model-iter3-2B", "ITER2-Model-2B", "Model-v0.1.2-2B-v3",
    "Model-2B-chat-vision-lora", "chat-2B", "Model-2B-Chat-v1-beta-2", "3D-Model-2B", "Qwen2-VL-2B", "Llama-3-2B-Instruct-3",
    "modèle-7b-français", "ΜΟΝΤΈΛΟ-2B", "nombre_con_guion-2b", "o'neil-2b", "a.b.c-2b", "falcon-40b-instruct", "SmolLM2-135M",
    "Yi-1.5-34B-32K", "WizardLM-2-8x22B", "dbrx-instruct", "c4ai-command-r-plus", "Nemo-12B-mini", "MiniCPM3-4B", "2.5-7B",
]
COUNTS = [0, 1_240_000_000, 7_000_000_000, 46_700_000_000, 30_000]

CARDS = {
    "plain": "---\nlicense: apache-2.0\nlanguage: en\ntags:\n- one\n- two\npipeline_tag: text-generation\n---\n# Title\n",
    "lists": "---\nlanguage:\n  - en\n  - no\n  - \"de\"\nlicense:\n- mit\n- apache-2.0\ndatasets: [org/data-set-v2, 'plain set']\n"
             "base_model:\n  - meta-llama/Llama-2-7b-hf\n  - https://huggingface.co/Qwen/Qwen2-7B\n  - https://example.org/x\n"
             "  - ssh://host/repo\n---\n",
    "mappings": "---\nbase_model:\n- name: Base One\n  organization: Org\n  version: \"1.0\"\n  repo_url: https://example.org/a\n"
                "- {name: Two, author: \"B, C\", description: d}\ndataset:\n- name: Set\n  url: https://example.org/s\n---\n",
    "fields": "---\nname: My Model\nauthor: Me & You\nversion: v3\norganization: Acme\ndescription: >\n  Two lines\n  folded.\n\n"
              "  New paragraph.\nfinetune: Chat\nbasename: Base\nsize_label: 9B\nurl: https://a\ndoi: 10.1/x\nuuid: u-1\n"
              "repo_url: https://b\nlicense: other\nlicense_name: custom\nlicense_link: LICENSE\n---\n",
    "model fields": "---\nmodel_name: M\nmodel_creator: C\nmodel_type: llama\nmodel_version: \"2\"\nmodel_description: |\n  a\n   b\n"
                    "  c\nmodel_url: https://m\n---\n",
    "nested": "---\nmodel-index:\n- name: x\n  results:\n  - task:\n      type: text-generation\n      name: Text\n    metrics:\n"
              "    - type: acc\n      value: 0.5 # half\n      verified: false\nwidget:\n- text: 'It''s \"fine\"'\n"
              "  example_title: \"Line\\nbreak \\u00e9\"\ntags: []\nlicense: mit # why not\n---\n",
    "nulls": "---\nname:\nauthor: ~\nbase_model: null\ndatasets:\ntags: null\nlicense: gpl\n---\n",
    "quotes": "---\n\"license\": 'it''s'\ntags: [\"a, b\", 'c: d', e]\nauthor: \"A \\\"B\\\"\"\ndescription: one\n  two\n\n  three\n---\n",
    "windows": "---\r\nlicense: mit\r\ntags:\r\n- a\r\n---\r\n",
    "none": "# Just a title\n\n---\nlicense: mit\n---\n",
    "flow over lines": "---\ntags: [a,\n  b,\n  c]\nlicense: mit\n---\n",
    "tabs": "---\ntags:\n-\ta\nlicense: mit\n---\n",
    "indicator": "---\ndescription: |-\n  no end\nauthor: >-\n  a\n  b\nname: |+\n  keep\n\nlicense: mit\n---\n",
}


def names(gguf):
    """Every name with every count: title, and the components of the name."""
    rows = []
    for name in NAMES:
        for count in COUNTS:
            parts = gguf.Metadata.get_model_id_components(name, count)
            rows.append([name, count, gguf.Metadata.id_to_title(parts[0]), *parts])
    return rows


def labels(gguf):
    """Size labels around every change of unit and of digits."""
    counts = sorted({int(m * 10**e) + d for e in range(14) for m in (1, 1.15, 1.25, 1.45, 9.49, 9.5, 9.95, 99.5, 999.5)
                     for d in (-1, 0, 1)} - {-1, 0})
    rows = [[count, 0, 0, 0, gguf.size_label(count, count, 0, 0)] for count in counts]
    return rows + [[46_702_792_704, 1_605_898_240, 5_637_144_576, 8, gguf.size_label(46_702_792_704, 1_605_898_240, 5_637_144_576, 8)]]


def cards(gguf):
    """What the reference writes for a folder with each card."""
    rows = []
    for title, text in CARDS.items():
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "Tiny-Model-7B-Instruct-v0.3"
            folder.mkdir()
            (folder / "README.md").write_bytes(text.encode("utf-8"))
            metadata = gguf.Metadata.load(None, folder, None, 7_000_000_000)
            writer = gguf.GGUFWriter(None, "llama")
            metadata.set_gguf_meta_model(writer)
            pairs = [[key, value.value] for key, value in writer.kv_data[0].items() if key != "general.architecture"]
            rows.append({"title": title, "card": text, "metadata": pairs})
    return rows


def main():
    llama_cpp, out = (Path(argument) for argument in sys.argv[1:3])
    sys.path.insert(0, str(llama_cpp / "gguf-py"))
    logging.disable(logging.CRITICAL)
    import gguf

    def lines(rows):
        return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"

    out.mkdir(parents=True, exist_ok=True)
    (out / "names.json").write_text(
        f'{{"names": {lines(names(gguf))},\n"labels": {lines(labels(gguf))}}}\n', encoding="utf-8")
    (out / "cards.json").write_text(lines(cards(gguf)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
