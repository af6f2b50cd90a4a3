import ByteIO
import TensorTypes

extension Architecture {
  /// DeepSeek V2 and V2.5; Lite has no down-projection of queries.
  static let deepseekV2 = Architecture(
    name: "deepseek_v2",
    identifiers: ["DeepseekV2ForCausalLM"],
    ggufName: "deepseek2",
    mappings: deepseekMappings,
    drops: decoderDrops,
    hyperparameters: .deepseek(
      context: 2048, experts: ("num_experts", 64), group: nil, chosenGroups: nil, scoring: nil,
      givesHeadLength: true),
    ownHyperparameters: deepseekHyperparameters(
      dense: 0, shared: 2, weight: 1407, factor: 1, normalises: false),
    tokenizer: .byteLevelBPE,
    source: "transformers 5.24.0 modeling_deepseek_v2.py; llama.cpp conversion/deepseek.py")

  /// DeepSeek V3, V3.1 and R1: experts in groups, a correction of the router, and layers that
  /// predict further tokens.
  static let deepseekV3 = Architecture(
    name: "deepseek_v3",
    identifiers: ["DeepseekV3ForCausalLM"],
    ggufName: "deepseek2",
    mappings: deepseekMappings,
    drops: decoderDrops,
    hyperparameters: .deepseek(
      context: 4096, experts: ("num_local_experts", 256), group: 8, chosenGroups: 4,
      scoring: "sigmoid", givesHeadLength: true),
    ownHyperparameters: deepseekHyperparameters(
      dense: 3, shared: 1, weight: 2048, factor: 2.5, normalises: true),
    tokenizer: .byteLevelBPE,
    source: "transformers 5.24.0 modeling_deepseek_v3.py; llama.cpp conversion/deepseek.py")

  /// Kimi K2: DeepSeek V3's form with 384 experts in one group.
  static let kimiK2 = Architecture(
    name: "kimi_k2",
    identifiers: ["DeepseekV3ForCausalLM", "KimiK2ForCausalLM"],
    ggufName: "deepseek2",
    mappings: deepseekMappings,
    drops: decoderDrops,
    hyperparameters: .deepseek(
      context: 131_072, experts: ("num_local_experts", nil), group: nil, chosenGroups: nil,
      scoring: nil, givesHeadLength: false),
    ownHyperparameters: deepseekHyperparameters(
      dense: nil, shared: nil, weight: nil, factor: nil, normalises: false),
    tokenizer: .byteLevelBPE,
    source: "Kimi-K2 modeling_deepseek.py; llama.cpp conversion/deepseek.py")

  private static let deepseekMappings: [Mapping] = [
    Mapping("model.embed_tokens.weight", .tokenEmbedding),
    Mapping("lm_head.weight", .output),
    Mapping("model.norm.weight", .outputNorm),
    Mapping("model.layers.{L}.mlp.experts.{E}.down_proj.weight", .expertDown),
    Mapping("model.layers.{L}.mlp.experts.{E}.gate_proj.weight", .expertGate),
    Mapping("model.layers.{L}.mlp.experts.{E}.up_proj.weight", .expertUp),
    Mapping("model.layers.{L}.input_layernorm.weight", .attentionNorm),
    Mapping("model.layers.{L}.self_attn.q_proj.weight", .attentionQuery),
    Mapping("model.layers.{L}.self_attn.q_a_proj.{p}", .attentionQueryDown),
    Mapping("model.layers.{L}.self_attn.q_a_layernorm.weight", .attentionQueryDownNorm),
    Mapping("model.layers.{L}.self_attn.q_b_proj.weight", .attentionQueryUp),
    Mapping("model.layers.{L}.self_attn.kv_a_proj_with_mqa.{p}", .attentionKeyValueDown),
    Mapping("model.layers.{L}.self_attn.kv_a_layernorm.weight", .attentionKeyValueDownNorm),
    Mapping("model.layers.{L}.self_attn.kv_b_proj.weight", .attentionKeyValueUp),
    Mapping("model.layers.{L}.self_attn.o_proj.{p}", .attentionOutput),
    Mapping("model.layers.{L}.post_attention_layernorm.weight", .feedForwardNorm),
    Mapping("model.layers.{L}.mlp.gate_proj.weight", .feedForwardGate),
    Mapping("model.layers.{L}.mlp.up_proj.weight", .feedForwardUp),
    Mapping("model.layers.{L}.mlp.down_proj.weight", .feedForwardDown),
    Mapping("model.layers.{L}.mlp.gate.weight", .router),
    Mapping("model.layers.{L}.mlp.gate.e_score_correction_bias", .routerCorrection),
    Mapping("model.layers.{L}.mlp.shared_experts.gate_proj.weight", .sharedExpertGate),
    Mapping("model.layers.{L}.mlp.shared_experts.up_proj.weight", .sharedExpertUp),
    Mapping("model.layers.{L}.mlp.shared_experts.down_proj.weight", .sharedExpertDown),
    Mapping("model.layers.{L}.embed_tokens.weight", .nextTokenEmbedding),
    Mapping("model.layers.{L}.enorm.weight", .nextTokenEmbeddingNorm),
    Mapping("model.layers.{L}.hnorm.weight", .nextTokenHiddenNorm),
    Mapping("model.layers.{L}.eh_proj.weight", .nextTokenProjection),
    Mapping("model.layers.{L}.shared_head.norm.weight", .nextTokenOutputNorm),
    Mapping("model.layers.{L}.shared_head.head.weight", .nextTokenOutput),
  ]

  /// The keys after `general.file_type`.
  ///
  /// - Parameters: what transformers takes when the config does not say; nil where it has no class,
  ///   and so no length of a head before.
  /// - Source: llama.cpp `conversion/deepseek.py`, `DeepseekV2Model.set_gguf_parameters`.
  private static func deepseekHyperparameters(
    dense: Int?, shared: Int?, weight: Int?, factor: Double?, normalises: Bool
  ) -> [Hyperparameter] {
    [
      .count("leading_dense_block_count", "first_k_dense_replace", default: dense ?? 0),
      .required("vocab_size", "vocab_size"),
      .count("attention.q_lora_rank", "q_lora_rank", default: dense == nil ? nil : 1536),
      .count("attention.kv_lora_rank", "kv_lora_rank", default: 512),
    ] + (dense == nil ? [.latentKeyLength, .latentValueLength] : []) + [
      Hyperparameter("attention.key_length_mla") { (config) throws(Failure) in
        let heads = try config.latentHeads
        return .uint32(UInt32(heads.plainKeyLength + heads.rotatedKeyLength))  // each below 2³⁰
      },
      Hyperparameter("attention.value_length_mla", configKey: "v_head_dim") {
        (config) throws(Failure) in
        .uint32(UInt32(try config.latentHeads.valueLength))  // counts fit 32 bits
      },
      .count("expert_feed_forward_length", "moe_intermediate_size", default: weight),
      .count("expert_shared_count", "n_shared_experts", default: shared ?? 0),
      .real("expert_weights_scale", "routed_scaling_factor", default: factor),
      Hyperparameter("expert_weights_norm") { (config) throws(Failure) in
        let stated = config.json["norm_topk_prob"]
        let isNormalised = stated.map { $0.bool ?? false } ?? normalises
        return isNormalised ? .bool(true) : nil
      },
      .count("rope.dimension_count", "qk_rope_head_dim", default: 64),
      Hyperparameter("rope.scaling.yarn_log_multiplier") { (config) throws(Failure) in
        guard let scaling = config.ropeScaling else { return nil }
        return try config.number(["mscale_all_dim"], in: scaling).map { .float32(Float(0.1 * $0)) }
      },
    ]
  }
}

extension [Hyperparameter] {
  /// The keys before `general.file_type`: those of decoders, with one key head, for the latent is
  /// the same for all, and the experts.
  ///
  /// - Parameters:
  ///   - experts: another key of the config that counts them, and how many there are when none does.
  ///   - scoring: how the router scores when the config does not say; nil for llama.cpp's way.
  ///   - givesHeadLength: whether transformers derives `head_dim`, so that the reference writes the
  ///     lengths of a head here.
  /// - Source: llama.cpp `conversion/base.py` and `conversion/deepseek.py`.
  fileprivate static func deepseek(
    context: Int, experts: (key: String, default: Int?), group: Int?, chosenGroups: Int?,
    scoring: String?, givesHeadLength: Bool
  ) -> [Hyperparameter] {
    decoder(
      context: context, keyValueHeads: nil, epsilon: 1e-6, ropeBase: 10000, headLength: .whenGiven
    )
    .replacing(
      Hyperparameter("attention.head_count_kv") { (_) throws(Failure) in .uint32(1) },
      .count("expert_count", "n_routed_experts", experts.key, default: experts.default)
    )
    .without("attention.key_length", "attention.value_length") + [
      .count("expert_group_count", "n_group", default: group),
      .count("expert_group_used_count", "topk_group", default: chosenGroups),
      Hyperparameter("expert_gating_func") { (config) throws(Failure) in
        let found = config.json["scoring_func"] ?? scoring.map { .text($0) }
        guard let stated = found, !stated.isNull else { return nil }
        let functions = ["softmax", "sigmoid"]
        guard let number = functions.firstIndex(where: { $0 == stated.string }) else {
          throw Failure(
            .badInput, "the function of the router is unknown", file: config.file,
            subject: .key("scoring_func"), expected: functions.joined(separator: " or "),
            found: stated.summary)
        }
        return .uint32(UInt32(number + 1))  // two functions
      },
    ] + (givesHeadLength ? [.latentKeyLength, .latentValueLength] : [])
  }
}

extension Hyperparameter {
  /// What a token leaves in the cache: the latent and the rotated key.
  fileprivate static let latentKeyLength = Hyperparameter("attention.key_length") {
    (config) throws(Failure) in
    let heads = try config.latentHeads
    return .uint32(UInt32(heads.latentLength + heads.rotatedKeyLength))  // each below 2³⁰
  }

  fileprivate static let latentValueLength = Hyperparameter("attention.value_length") {
    (config) throws(Failure) in
    .uint32(UInt32(try config.latentHeads.latentLength))  // below 2³⁰
  }
}

/// The parts of a head of MLA.
public struct LatentHeads: Sendable, Hashable {
  /// - Units: elements; each below 2³⁰.
  public let latentLength, plainKeyLength, rotatedKeyLength, valueLength: Int

  public init(
    latentLength: Int, plainKeyLength: Int, rotatedKeyLength: Int, valueLength: Int
  ) {
    self.latentLength = latentLength
    self.plainKeyLength = plainKeyLength
    self.rotatedKeyLength = rotatedKeyLength
    self.valueLength = valueLength
  }
}

extension ModelConfig {
  /// The parts of a head of MLA, by the config or DeepSeek's defaults.
  public var latentHeads: LatentHeads {
    get throws(Failure) {
      LatentHeads(
        latentLength: try length("kv_lora_rank", default: 512),
        plainKeyLength: try length("qk_nope_head_dim", default: 128),
        rotatedKeyLength: try length("qk_rope_head_dim", default: 64),
        valueLength: try length("v_head_dim", default: 128))
    }
  }

  private func length(_ key: String, default fallback: Int) throws(Failure) -> Int {
    let length = try count(key) ?? fallback
    guard length < 1 << 30 else {
      throw Failure(
        .badInput, "heads are too long", file: file, subject: .key(ByteString(key)),
        expected: "below \(1 << 30)", found: "\(length)")
    }
    return length
  }
}
