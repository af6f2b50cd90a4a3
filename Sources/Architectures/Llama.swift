import GraphRewriting
import TensorTypes

extension Architecture {
  /// Llama 1 to 3 and what shares their form.
  static let llama = Architecture(
    name: "llama",
    identifiers: ["LlamaForCausalLM", "LLaMAForCausalLM"],
    ggufName: "llama",
    mappings: decoderMappings,
    drops: decoderDrops,
    hyperparameters: .decoder(
      context: 2048, keyValueHeads: nil, epsilon: 1e-6, ropeBase: 10000, headLength: .always),
    ownHyperparameters: llamaHyperparameters,
    tokenizer: .llama,
    interleavesRoPE: true,
    literals: { (config) throws(Failure) in try llama3RoPEFactors(config) },
    source: "transformers 5.24.0 modeling_llama.py; llama.cpp conversion/llama.py")

  /// Mistral 7B and what shares its form: Llama's names, other defaults.
  static let mistral = Architecture(
    name: "mistral",
    identifiers: ["MistralForCausalLM"],
    ggufName: "llama",
    mappings: decoderMappings,
    drops: decoderDrops,
    hyperparameters: .decoder(
      context: 131_072, keyValueHeads: 8, epsilon: 1e-6, ropeBase: 10000, headLength: .always),
    ownHyperparameters: llamaHyperparameters,
    tokenizer: .llama,
    interleavesRoPE: true,
    literals: { (config) throws(Failure) in try llama3RoPEFactors(config) },
    source: "transformers 5.24.0 modeling_mistral.py; llama.cpp conversion/llama.py")

  /// Mixtral: Mistral with a mixture of experts in place of the feed-forward part.
  static let mixtral = Architecture(
    name: "mixtral",
    identifiers: ["MixtralForCausalLM"],
    ggufName: "llama",
    mappings: decoderMappings + [
      Mapping("model.layers.{L}.block_sparse_moe.gate.weight", .router),
      Mapping("model.layers.{L}.block_sparse_moe.experts.{E}.w1.weight", .expertGate),
      Mapping("model.layers.{L}.block_sparse_moe.experts.{E}.w2.weight", .expertDown),
      Mapping("model.layers.{L}.block_sparse_moe.experts.{E}.w3.weight", .expertUp),
    ],
    drops: decoderDrops,
    hyperparameters: .decoder(
      context: 131_072, keyValueHeads: 8, epsilon: 1e-5, ropeBase: 1_000_000,
      headLength: .whenGiven, experts: 8),
    ownHyperparameters: llamaHyperparameters,
    tokenizer: .llama,
    interleavesRoPE: true,
    literals: { (config) throws(Failure) in try llama3RoPEFactors(config) },
    source: "transformers 5.24.0 modeling_mixtral.py; llama.cpp conversion/llama.py")

  /// The names that Llama, Mistral and Qwen share.
  static let decoderMappings: [Mapping] = [
    Mapping("model.embed_tokens.weight", .tokenEmbedding),
    Mapping("lm_head.weight", .output),
    Mapping("model.norm.weight", .outputNorm),
    Mapping("model.layers.{L}.input_layernorm.weight", .attentionNorm),
    Mapping("model.layers.{L}.self_attn.q_proj.{p}", .attentionQuery),
    Mapping("model.layers.{L}.self_attn.k_proj.{p}", .attentionKey),
    Mapping("model.layers.{L}.self_attn.v_proj.{p}", .attentionValue),
    Mapping("model.layers.{L}.self_attn.o_proj.{p}", .attentionOutput),
    Mapping("model.layers.{L}.post_attention_layernorm.weight", .feedForwardNorm),
    Mapping("model.layers.{L}.mlp.gate_proj.{p}", .feedForwardGate),
    Mapping("model.layers.{L}.mlp.up_proj.{p}", .feedForwardUp),
    Mapping("model.layers.{L}.mlp.down_proj.{p}", .feedForwardDown),
  ]

  static let decoderDrops: [Drop] = [
    Drop(
      "model.layers.{L}.self_attn.rotary_emb.inv_freq",
      because: "RoPE frequencies follow from the config"),
    Drop("model.rotary_emb.inv_freq", because: "RoPE frequencies follow from the config"),
  ]

  private static let llamaHyperparameters: [Hyperparameter] = [
    .required("vocab_size", "vocab_size"),
    Hyperparameter("rope.dimension_count") { (config) throws(Failure) in
      .uint32(UInt32(try config.headLength))  // counts fit 32 bits
    },
  ]

  private static func llama3RoPEFactors(
    _ config: ModelConfig
  ) throws(Failure) -> [(role: RoleInstance, literal: Literal)] {
    guard let scaling = config.ropeScaling, config.ropeScalingType?.lowercased() == "llama3" else {
      return []
    }
    let headLength = try config.headLength
    guard headLength <= 1 << 16 else {
      throw Failure(
        .badInput, "heads are too long", file: config.file, subject: .key("head_dim"),
        expected: "at most \(1 << 16)", found: "\(headLength)")
    }
    let rule = Llama3RoPE(
      headLength: headLength, base: try config.ropeBase(default: 10000),
      factor: try config.number(["factor"], in: scaling) ?? 8,
      lowFrequencyFactor: try config.number(["low_freq_factor"], in: scaling) ?? 1,
      highFrequencyFactor: try config.number(["high_freq_factor"], in: scaling) ?? 4,
      originalContextLength: try config.number(
        ["original_max_position_embeddings"], in: scaling) ?? 8192)
    return [
      (
        RoleInstance(role: .ropeFactors),
        Literal(name: "llama3 RoPE factors", values: rule.factors)
      )
    ]
  }
}
