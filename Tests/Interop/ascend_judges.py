"""All judges of a folder in the AscendV1 format, and the source that they compare it with."""

import functools
import sys

import transformers

import ascend_folder
import ascend_model
import checks
import fp8
import plain
from ascend_runtime import judge_runtime
from ascend_values import judge_values
from tensors import read

# How much of a trained model's choices a type may change: the least share of equal best tokens, and the largest mean
# divergence in nats. Int8 weights and tokens cost a thousandth or two of each, 4-bit experts as much again, 4-bit
# everything ten times that; a fault in names, order, scales or packing costs far more than these leave room for.
BOUNDS = {"FLOAT": (0.998, 0.0005), "W8A16": (0.99, 0.01), "W8A8_DYNAMIC": (0.99, 0.01), "W8A8": (0.98, 0.01),
          "W8A8_MIX": (0.98, 0.01),
          "W4A8_DYNAMIC": (0.98, 0.01), "W8A8FP8_DYNAMIC": (0.98, 0.01), "WFP8AFP8_DYNAMIC": (0.98, 0.01),
          "W8A8_MXFP8": (0.98, 0.01), "W4A8_MXFP": (0.96, 0.05), "W4A4_MXFP4": (0.93, 0.1)}


class Source:
    """A checkpoint folder: what it stores, the values that stand for, and the model and texts to compare logits on."""

    def __init__(self, path, trained=False):
        self.path, self.trained = path, trained
        self.config, self.tensors = plain.config_of(path), read(path)
        self.values = fp8.values(self.tensors)
        self.shapes = {name: tuple(value.shape) for name, value in self.values.items()}

    @functools.cached_property
    def model(self):
        """The model in transformers, in float32."""
        return plain.model_of(self.config, self.values)

    @functools.cached_property
    def rows(self):
        """Token ids of texts that the model was not trained on."""
        sys.path.append(str(checks.MODELS))
        from make import documents
        tokenizer = transformers.AutoTokenizer.from_pretrained(self.path)
        return [plain.token_ids(tokenizer, text) for text in documents(77, 2000)]

    @functools.cached_property
    def logits(self):
        """What the source computes on them."""
        return ascend_model.logits(self.model, self.rows)

    @functools.cached_property
    def bounds(self):
        """The least and the largest input of every linear on them."""
        found, hooks = {}, []

        def note(name):
            def hook(_, inputs):
                low, high = float(inputs[0].min()), float(inputs[0].max())
                before = found.get(name, (low, high))
                found[name] = (min(low, before[0]), max(high, before[1]))
            return hook

        for name, module in self.model.named_modules():
            if type(module).__name__ == "Linear":
                hooks.append(module.register_forward_pre_hook(note(name)))
        ascend_model.logits(self.model, self.rows)
        for hook in hooks:
            hook.remove()
        return found


def judge_logits(check, name, source, folder):
    """The emulated operators on the folder's tensors choose the source's tokens."""
    # The kind with the loosest bounds decides.
    least, most = min((BOUNDS[kind] for kind in folder.kinds.values()), key=lambda bounds: bounds[0])
    # A process that computes prompts runs a mix by one operator, one that generates by another.
    for mix in ("W8A8_DYNAMIC", "W8A8") if "W8A8_MIX" in folder.kinds.values() else (None,):
        model = ascend_model.converted(source.model, folder, mix)
        share, divergence = ascend_model.agreement(source.logits, ascend_model.logits(model, source.rows))
        name = f"{name} as {mix}" if mix else name
        check.that(f"{name}: best tokens", share >= least, f"{share:.4f} of {len(source.logits)} are the same")
        check.that(f"{name}: divergence", divergence <= most, f"{divergence:.5f} nats")


def judge(check, name, source, path, bounds=None):
    """Runs every judge on the folder at this path."""
    folder = ascend_folder.Folder(path)
    judge_read(check, name, source, folder, bounds)


def judge_read(check, name, source, folder, bounds=None, caches=None):
    """Runs every judge on a folder that has been read."""
    ascend_folder.judge_files(check, name, source.path, folder)
    ascend_folder.judge_description(check, name, folder)
    for part, run in (("modules", lambda: judge_runtime(check, name, source.config, source.shapes, folder)),
                      ("values", lambda: judge_values(check, name, source.tensors, source.values, folder, bounds, caches)),
                      ("logits", lambda: source.trained and judge_logits(check, name, source, folder))):
        with check.group(f"{name}: {part}"):
            run()
