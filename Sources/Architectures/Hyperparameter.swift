import TensorTypes

/// A number of the model that a runtime reads from metadata: `{arch}.block_count`.
public struct Hyperparameter: Sendable {
  /// The key without the architecture's name and the dot.
  public let key: String
  /// The key of `config.json` that holds it, when it is there as it is.
  public let configKey: String?
  /// The value; nil when the model has none.
  public let value: @Sendable (ModelConfig) throws(Failure) -> MetadataValue?

  /// A row whose value is worked out.
  public init(
    _ key: String, configKey: String? = nil,
    _ value: @escaping @Sendable (ModelConfig) throws(Failure) -> MetadataValue?
  ) {
    self.key = key
    self.configKey = configKey
    self.value = value
  }

  /// A whole number that the config must hold.
  static func required(_ key: String, _ names: String...) -> Hyperparameter {
    Hyperparameter(key, configKey: names[0]) { (config) throws(Failure) in
      .uint32(UInt32(try config.requiredCount(names)))  // counts fit 32 bits
    }
  }

  /// A whole number with the value that transformers takes when the config has no such key.
  static func count(
    _ key: String, _ names: String..., default fallback: Int?
  ) -> Hyperparameter {
    Hyperparameter(key, configKey: names[0]) { (config) throws(Failure) in
      let isStated = names.contains(where: config.has)
      let value = try config.count(names, in: config.json) ?? (isStated ? nil : fallback)
      return value.map { .uint32(UInt32($0)) }  // counts fit 32 bits
    }
  }

  static func real(_ key: String, _ name: String, default fallback: Double?) -> Hyperparameter {
    Hyperparameter(key, configKey: name) { (config) throws(Failure) in
      let value = try config.number(name) ?? (config.has(name) ? nil : fallback)
      return value.map { .float32(Float($0)) }
    }
  }
}

extension [Hyperparameter] {
  /// The rows that decoder models share, in the order of the reference converter.
  ///
  /// - Parameters:
  ///   - keyValueHeads: for a config without `num_key_value_heads`; nil for as many as heads.
  ///   - headLength: `always`, or only when the config gives it.
  ///   - experts: for a config that does not count them; nil for a model without.
  /// - Source: llama.cpp `conversion/base.py`, `set_gguf_parameters`.
  static func decoder(
    context: Int, keyValueHeads: Int?, epsilon: Double, ropeBase: Double, headLength: HeadLength,
    experts: Int? = nil
  ) -> [Hyperparameter] {
    [
      .required("block_count", "num_hidden_layers", "n_layers", "n_layer", "num_layers"),
      .count("context_length", "max_position_embeddings", default: context),
      .required("embedding_length", "hidden_size"),
      .required("feed_forward_length", "intermediate_size"),
      .required("attention.head_count", "num_attention_heads"),
      Hyperparameter("attention.head_count_kv", configKey: "num_key_value_heads") {
        (config) throws(Failure) in
        .uint32(UInt32(try config.keyValueHeadCount(default: keyValueHeads)))  // fits 32 bits
      },
      Hyperparameter("attention.causal", configKey: "is_causal") { (config) throws(Failure) in
        config.json["is_causal"] == .bool(false) ? .bool(false) : nil
      },
    ] + ropeScaling(context: context) + [
      Hyperparameter("rope.freq_base", configKey: "rope_theta") { (config) throws(Failure) in
        .float32(Float(try config.ropeBase(default: ropeBase)))
      },
      .real("attention.layer_norm_rms_epsilon", "rms_norm_eps", default: epsilon),
      .count("expert_count", "num_local_experts", "num_experts", default: experts),
      .count("expert_used_count", "num_experts_per_tok", default: nil),
      headLengthRow("attention.key_length", headLength),
      headLengthRow("attention.value_length", headLength),
    ]
  }

  /// When the length of a head is written.
  enum HeadLength: Sendable {
    case always
    case whenGiven
    case given(default: Int)
  }

  private static func headLengthRow(_ key: String, _ rule: HeadLength) -> Hyperparameter {
    Hyperparameter(key, configKey: "head_dim") { (config) throws(Failure) in
      let length: Int? =
        switch rule {
        case .always: try config.headLength
        case .whenGiven: try config.count("head_dim")
        case .given(let fallback): try config.count("head_dim") ?? fallback
        }
      return length.map { .uint32(UInt32($0)) }  // counts fit 32 bits
    }
  }

  /// The keys of scaled RoPE.
  private static func ropeScaling(context: Int) -> [Hyperparameter] {
    [
      Hyperparameter("rope.scaling.type") { (config) throws(Failure) in
        switch config.ropeScalingType {
        case "linear": .text("linear")
        case "yarn": .text("yarn")
        case "longrope", "su": .text("longrope")
        default: nil
        }
      },
      Hyperparameter("rope.scaling.factor") { (config) throws(Failure) in
        guard let scaling = config.ropeScaling, ["linear", "yarn"].contains(config.ropeScalingType)
        else { return nil }
        return try config.number(["factor"], in: scaling).map { .float32(Float($0)) }
      },
      Hyperparameter("rope.scaling.original_context_length") { (config) throws(Failure) in
        guard let scaling = config.ropeScaling, config.ropeScalingType == "yarn" else { return nil }
        let stated = try config.count(["original_max_position_embeddings"], in: scaling)
        let length = if let stated { stated } else { try config.count("max_position_embeddings") }
        return .uint32(UInt32(length ?? context))  // counts fit 32 bits
      },
      yarn("rope.scaling.yarn_ext_factor", "extrapolation_factor"),
      yarn("rope.scaling.yarn_attn_factor", "attention_factor", "attn_factor"),
      yarn("rope.scaling.yarn_beta_fast", "beta_fast"),
      yarn("rope.scaling.yarn_beta_slow", "beta_slow"),
    ]
  }

  private static func yarn(_ key: String, _ names: String...) -> Hyperparameter {
    Hyperparameter(key) { (config) throws(Failure) in
      guard let scaling = config.ropeScaling, config.ropeScalingType == "yarn" else { return nil }
      return try config.number(names, in: scaling).map { .float32(Float($0)) }
    }
  }
}

extension [Hyperparameter] {
  /// The rows with those of the same keys in their places.
  func replacing(_ rows: Hyperparameter...) -> [Hyperparameter] {
    map { row in rows.first { $0.key == row.key } ?? row }
  }

  /// The rows without those of some keys.
  func without(_ keys: String...) -> [Hyperparameter] {
    filter { !keys.contains($0.key) }
  }
}

extension ModelConfig {
  /// Key and value heads: as given, as many as heads when `null`, the default when absent.
  func keyValueHeadCount(default fallback: Int?) throws(Failure) -> Int {
    if let given = try count("num_key_value_heads") { return given }
    if !has("num_key_value_heads"), let fallback { return fallback }
    return try headCount
  }
}
