"""Runs port's GGUF files in llama.cpp and compares with transformers: token ids, logits, greedy text, embeddings."""

import os
import tempfile
from pathlib import Path

import llama_cpp
import numpy
import torch
import transformers

import checks
import plain

MODELS = checks.MODELS
PROMPTS = ["The ", "Once upon a time", "A file begins with", "What is 12 and 30?"]
SENTENCES = [
    "The cat sits on the mat.", "A dog runs across the field.", "Stock markets fell sharply on Monday.",
    "She plays the violin every evening.", "How do I reset my password?", "The capital of France is Paris.",
    "Water boils at 100 degrees Celsius.", "He couldn't find his keys, so he was late.",
    "The train from Köln arrives at 17:45.", "Neural networks learn from data.", "I'd like a cup of tea, please.",
    "Rain is expected in the north tomorrow.", "The committee rejected the proposal 7-2.", "E = mc^2",
    "Copy the file to another folder; then delete it.", "Tokyo is the largest city in the world.",
    "An apple a day keeps the doctor away.", "naïve café façade résumé", "x", "The end of a very long day, at last.",
]
# How far logits may be from those of transformers in float32, in units of their standard deviation. What llama.cpp
# computes with is not float32 throughout, and Q8_0 activations are rounded as well as weights.
TOLERANCE = {"f32": 0.02, "f16": 0.03, "q8_0": 0.3}
# Where a router may choose another expert for rounded weights, a few positions move further.
TOLERANCE_ROUTED = {"f32": 0.02, "bf16": 0.2, "q8_0": 1.5}


def load(path, **options):
    """A model in llama.cpp, with a float32 cache so that only the weights' types matter."""
    return llama_cpp.Llama(
        str(path), n_ctx=64, n_threads=1, n_threads_batch=1, seed=1, verbose=False, type_k=llama_cpp.GGML_TYPE_F32,
        type_v=llama_cpp.GGML_TYPE_F32, **options)


def logits_of(model, ids):
    """The logits that llama.cpp has at every position."""
    model.reset()
    model.eval(ids)
    return numpy.array(model._scores[:len(ids)])


def expected_logits(model, ids):
    """The logits that transformers has at every position."""
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].float().numpy()


def compare_text_model(check, name, folder, kind, path, prompts, steps, tolerance=TOLERANCE):
    """Token ids and logits on the prompts, then greedy text of so many steps."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if "quantization_config" in (folder / "config.json").read_text(encoding="utf-8"):
        expected = plain.load(folder)
    else:
        expected = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model = load(path, logits_all=True)
    worst = 0.0
    for prompt in prompts:
        check.same(f"{name}: token ids of {prompt!r}", tokenizer(prompt).input_ids,
                   model.tokenize(prompt.encode(), add_bos=True, special=True))
        ids = plain.token_ids(tokenizer, prompt)
        reference = expected_logits(expected, ids)
        worst = max(worst, float(abs(reference - logits_of(model, ids)).max() / reference.std()))
        generated, margin = list(ids), 0.0
        for _ in range(steps):
            chosen = int(logits_of(model, generated)[-1].argmax())
            row = expected_logits(expected, generated)[-1]
            margin = max(margin, float((row.max() - row[chosen]) / row.std()))
            generated.append(chosen)
        if steps and kind == "f32":
            with torch.no_grad():
                output = expected.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), do_sample=False,
                                           max_new_tokens=steps, repetition_penalty=1.0)[0].tolist()
            # It ends at an end token.
            check.same(f"{name}: greedy text after {prompt!r}", output, generated[:len(output)])
        check.that(f"{name}: greedy choices after {prompt!r}", margin <= tolerance[kind], f"{margin:.4f} deviations off")
    check.that(f"{name}: logits", worst <= tolerance[kind], f"{worst:.4f} deviations off")


def compare_embeddings(check, name, folder, path, sentences):
    """Token ids and mean-pooled, normalized embeddings."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    expected = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    model, worst = load(path, embedding=True), 1.0
    for sentence in sentences:
        inputs = tokenizer(sentence, return_tensors="pt", padding=False)
        check.same(f"{name}: token ids of {sentence!r}", inputs.input_ids[0].tolist(),
                   model.tokenize(sentence.encode(), special=True))
        with torch.no_grad():
            mean = expected(**inputs).last_hidden_state[0].mean(0).numpy()
        found = numpy.array(model.embed(sentence, normalize=True))
        worst = min(worst, float(mean @ found / (numpy.linalg.norm(mean) * numpy.linalg.norm(found))))
    check.that(f"{name}: cosine of embeddings", worst >= 0.9999, f"{worst:.6f}")


def main():
    check = checks.Checks(__file__)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "model.gguf"

        def convert(folder, kind):
            out.unlink(missing_ok=True)
            return checks.port_convert(folder, "gguf", out, "--quantize", kind)

        with check.group("all-MiniLM-L6-v2"):
            compare_embeddings(check, "all-MiniLM-L6-v2 f16", checks.minilm(), convert(checks.minilm(), "f16"), SENTENCES)
        for folder in (MODELS / "tiny-qwen2", MODELS / "tiny-llama"):
            for kind in ("f32", "f16", "q8_0"):
                with check.group(f"{folder.name} {kind}"):
                    compare_text_model(check, f"{folder.name} {kind}", folder, kind, convert(folder, kind), PROMPTS, 16)
        for kind in TOLERANCE_ROUTED:
            folder = MODELS / "tiny-deepseek-v3"
            with check.group(f"{folder.name} {kind}"):
                compare_text_model(check, f"{folder.name} {kind}", folder, kind, convert(folder, kind), PROMPTS, 16,
                                   TOLERANCE_ROUTED)
        with check.group("llama-fp8-channel f32"):
            folder = MODELS / "seeded-ascend" / "llama-fp8-channel"
            compare_text_model(check, "llama-fp8-channel f32", folder, "f32", convert(folder, "f32"), [checks.TEXT], 0)
        for folder in checks.seeded():
            with check.group(folder.name):
                if folder.name == "bert":
                    compare_embeddings(check, "bert f32", folder, convert(folder, "f32"), [checks.TEXT])
                else:
                    compare_text_model(check, f"{folder.name} f32", folder, "f32", convert(folder, "f32"), [checks.TEXT], 0)
    check.finish()


if __name__ == "__main__":
    # llama.cpp writes its warnings to the descriptor, past its own switch.
    if not os.environ.get("TRACEBACK"):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    main()
