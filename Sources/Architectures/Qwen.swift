import TensorTypes

extension Architecture {
  /// Qwen 2 and 2.5: Llama's form with biases on queries, keys and values. Embedding models lack the
  /// words in front.
  static let qwen2 = Architecture(
    name: "qwen2",
    identifiers: ["Qwen2ForCausalLM", "Qwen2Model"],
    ggufName: "qwen2",
    mappings: decoderMappings,
    drops: decoderDrops,
    spellings: [.without("model.")],
    hyperparameters: .decoder(
      context: 32768, keyValueHeads: 32, epsilon: 1e-6, ropeBase: 10000, headLength: .whenGiven),
    tokenizer: .qwen,
    pools: true,
    source: "transformers 5.24.0 modeling_qwen2.py; llama.cpp conversion/qwen.py")

  /// Qwen 3: norms on each head's queries and keys.
  static let qwen3 = Architecture(
    name: "qwen3",
    identifiers: ["Qwen3ForCausalLM", "Qwen3Model"],
    ggufName: "qwen3",
    mappings: decoderMappings + headNorms,
    drops: decoderDrops,
    spellings: [.without("model.")],
    hyperparameters: .decoder(
      context: 32768, keyValueHeads: 32, epsilon: 1e-6, ropeBase: 10000,
      headLength: .given(default: 128)),
    tokenizer: .qwen,
    pools: true,
    source: "transformers 5.24.0 modeling_qwen3.py; llama.cpp conversion/qwen.py")

  /// Qwen 3 with a mixture of experts. Checkpoints hold one tensor for each expert, or all experts
  /// stacked with gate and up in one tensor.
  static let qwen3moe = Architecture(
    name: "qwen3moe",
    identifiers: ["Qwen3MoeForCausalLM"],
    modelType: "qwen3_moe",
    impliedConfig: [("norm_topk_prob", .bool(true))],
    ggufName: "qwen3moe",
    mappings: decoderMappings + headNorms + [
      Mapping("model.layers.{L}.mlp.gate.weight", .router),
      Mapping("model.layers.{L}.mlp.experts.{E}.down_proj.weight", .expertDown),
      Mapping("model.layers.{L}.mlp.experts.{E}.gate_proj.weight", .expertGate),
      Mapping("model.layers.{L}.mlp.experts.{E}.up_proj.weight", .expertUp),
      Mapping("model.layers.{L}.mlp.experts.down_proj", .expertDown),
      Mapping("model.layers.{L}.mlp.experts.gate_up_proj", .expertGate, [.half(0)]),
      Mapping("model.layers.{L}.mlp.experts.gate_up_proj", .expertUp, [.half(1)]),
    ],
    drops: decoderDrops,
    hyperparameters: .decoder(
      context: 32768, keyValueHeads: 4, epsilon: 1e-6, ropeBase: 10000, headLength: .whenGiven
    ).replacing(.count("expert_count", "num_experts", "num_local_experts", default: 128)),
    ownHyperparameters: [
      .count("expert_feed_forward_length", "moe_intermediate_size", default: 768)
    ],
    tokenizer: .byteLevelBPE,
    source: "transformers 5.24.0 modeling_qwen3_moe.py; llama.cpp conversion/qwen.py")

  private static let headNorms: [Mapping] = [
    Mapping("model.layers.{L}.self_attn.q_norm.weight", .attentionQueryNorm),
    Mapping("model.layers.{L}.self_attn.k_norm.weight", .attentionKeyNorm),
  ]
}
