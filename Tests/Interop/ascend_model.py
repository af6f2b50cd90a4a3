"""Runs a converted AscendV1 folder in transformers: its linears and experts compute as the NPU's operators do."""

import copy

import torch

import ascend_operators


class Linear(torch.nn.Module):
    """A linear of the runtime with the tensors that the folder holds for it."""

    def __init__(self, kind, tensors):
        super().__init__()
        self.kind, self.tensors = kind, tensors

    def forward(self, x):
        y = ascend_operators.linear(self.kind, self.tensors, x.flatten(0, -2))
        return y.unflatten(0, x.shape[:-1])


class Experts(torch.nn.Module):
    """A layer's routed experts, each a triple of gate, up and down."""

    def __init__(self, kind, experts):
        super().__init__()
        self.kind, self.experts = kind, experts

    def forward(self, hidden_states, top_k_index, top_k_weights):
        total = torch.zeros_like(hidden_states)
        for number, parts in enumerate(self.experts):
            tokens, places = torch.where(top_k_index == number)
            if len(tokens):
                y = ascend_operators.expert(self.kind, *parts, hidden_states[tokens])
                total.index_add_(0, tokens, y * top_k_weights[tokens, places, None])
        return total


def converted(source, folder, mix=None):
    """The source's model with what the folder's tensors compute; nothing of the source's tensors is left in it.

    Linears of type W8A8_MIX compute as those of type `mix`.
    """
    model = copy.deepcopy(source)
    for name, module in list(model.named_modules()):
        parent, last = model.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]
        if last == "experts":
            rows = [[f"{name}.{number}.{part}_proj" for part in ("gate", "up", "down")]
                    for number in range(module.num_experts)]
            kind, parts = folder.kinds[rows[0][0]], [[folder.parts(linear) for linear in row] for row in rows]
            setattr(parent, last, Experts(kind, parts))
        elif isinstance(module, torch.nn.Linear):
            tied = name == "lm_head" and model.config.tie_word_embeddings
            parts = {"weight": folder.tensors["model.embed_tokens.weight"]} if tied else folder.parts(name)
            kind = "FLOAT" if tied else folder.kinds[name]
            setattr(parent, last, Linear(mix if kind == "W8A8_MIX" else kind, parts))
    for name, value in model.state_dict().items():
        value.copy_(folder.tensors[name].float())
    return model


def logits(model, rows):
    """The logits at every position of every row of token ids."""
    with torch.no_grad():
        return torch.cat([model(torch.tensor([ids])).logits[0].float() for ids in rows])


def agreement(expected, found):
    """The share of positions whose best token is the same, and the mean Kullback-Leibler divergence in nats."""
    before, after = expected.log_softmax(-1), found.log_softmax(-1)
    divergence = (before.exp() * (before - after)).sum(-1).mean()
    return float((expected.argmax(-1) == found.argmax(-1)).float().mean()), float(divergence)
