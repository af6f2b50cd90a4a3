import Architectures
import ByteIO
import ReferenceKernels
import TensorTypes

extension ModelSettings {
  /// The settings as transformers takes them from `config.json`.
  ///
  /// - Parameter folder: where a sentence encoder says how it pools.
  /// - Throws: `badInput` for a value that is missing or unusable; `usage` for what the reference
  ///   kernels do not compute.
  /// - Source: transformers 5.24.0, the configuration classes and `modeling_rope_utils.py`.
  init(
    _ config: ModelConfig, _ architecture: Architecture, folder: Folder?
  ) throws(Failure) {
    switch architecture.ggufName {
    case "gpt2":
      self = .gpt2(
        GPT2Settings(
          layerCount: try config.requiredCount(["n_layer", "num_hidden_layers"]),
          contextLength: try config.count("n_positions", "max_position_embeddings") ?? 1024,
          headCount: try config.headCount,
          epsilon: single(try config.number("layer_norm_epsilon") ?? 1e-5),
          activation: try config.activation("activation_function", default: .geluTanh),
          isTied: config.json["tie_word_embeddings"]?.bool ?? true))
    case "bert":
      self = .bert(
        BERTSettings(
          layerCount: try config.requiredCount(["num_hidden_layers"]),
          contextLength: try config.count("max_position_embeddings") ?? 512,
          headCount: try config.headCount,
          epsilon: single(try config.number("layer_norm_eps") ?? 1e-12),
          activation: try config.activation("hidden_act", default: .gelu),
          pooling: try folder.flatMap { (folder) throws(Failure) in try poolingKind(of: folder) }))
    case "llama", "qwen2", "qwen3", "qwen3moe", "deepseek2":
      self = .decoder(try DecoderSettings(config, architecture))
    default:
      throw Failure(
        .usage, "the layers of the architecture are not among the reference kernels",
        file: config.file, expected: "a known architecture", found: architecture.name)
    }
  }
}

extension DecoderSettings {
  init(_ config: ModelConfig, _ architecture: Architecture) throws(Failure) {
    layerCount = try config.requiredCount(["num_hidden_layers", "n_layer"])
    headCount = try config.headCount
    let isLatent = architecture.ggufName == "deepseek2"
    let keyValueHeads = try architecture.value("attention.head_count_kv", config)?.integer
    keyValueHeadCount = isLatent ? headCount : keyValueHeads ?? headCount
    epsilon = single(try config.number("rms_norm_eps") ?? architecture.defaultEpsilon)
    activation = try config.activation("hidden_act", default: .silu)
    isTied = config.json["tie_word_embeddings"]?.bool ?? false
    if isLatent {
      let latent = LatentSettings(
        latentLength: try config.count("kv_lora_rank") ?? 512,
        plainLength: try config.count("qk_nope_head_dim") ?? 128,
        rotatedLength: try config.count("qk_rope_head_dim") ?? 64,
        // transformers gives these norms their default, whatever the config says.
        epsilon: single(1e-6))
      self.latent = latent
      let base = single(try config.ropeBase(default: 10000))
      rotary = try config.rotary(length: latent.rotatedLength, base: base, layout: .pairs)
      attentionScale =
        try config.latentScale / Double(latent.plainLength + latent.rotatedLength).squareRoot()
    } else {
      var length = try config.headLength
      if let stated = try architecture.value("attention.key_length", config)?.integer {
        length = stated
      }
      let base = try architecture.value("rope.freq_base", config)?.number ?? 10000
      rotary = try config.rotary(length: length, base: base, layout: .halves)
      attentionScale = 1 / Double(length).squareRoot()
    }
    isCausal = config.json["is_causal"] != .bool(false)
    routing = try config.routing(architecture)
    if let window = try config.count("sliding_window"), !isLatent {
      for layer in 0..<layerCount where config.slides(layer, architecture) {
        windows[layer] = window
      }
    }
  }
}

extension ModelConfig {
  fileprivate func activation(
    _ key: ByteString, default fallback: Activation
  ) throws(Failure) -> Activation {
    guard let name = json[key]?.string else { return fallback }
    guard let activation = Activation(configName: name) else {
      throw Failure(
        .usage, "the activation is not among the reference kernels", file: file,
        subject: .key(key), expected: "silu, gelu, gelu_new or relu", found: "'\(name)'")
    }
    return activation
  }

  /// RoPE with its scaling.
  fileprivate func rotary(
    length: Int, base: Double, layout: RotaryEmbedding.Layout
  ) throws(Failure) -> RotaryEmbedding {
    guard length > 0, length % 2 == 0, length <= 1 << 16 else {
      throw Failure(
        .badInput, "heads of this length cannot turn", file: file,
        subject: .key("head_dim"), expected: "an even number up to \(1 << 16)", found: "\(length)")
    }
    guard let scaling = ropeScaling, let type = ropeScalingType else {
      return RotaryEmbedding(length: length, base: base, layout: layout)
    }
    func value(_ key: String) throws(Failure) -> Double? {
      try number([key], in: scaling).map(single)
    }
    func required(_ key: String, default fallback: Double? = nil) throws(Failure) -> Double {
      guard let value = try value(key) ?? fallback, value > 0 else {
        throw Failure(
          .badInput, "RoPE cannot be scaled without the value", file: file,
          subject: .key(ByteString(key)), expected: "a number above 0", found: "none")
      }
      return value
    }
    switch type {
    case "linear":
      return RotaryEmbedding(
        length: length, base: base, scaling: .linear(factor: try required("factor")),
        layout: layout)
    case "llama3":
      return RotaryEmbedding(
        length: length, base: base,
        scaling: .llama3(
          factor: try required("factor"), lowFrequencyFactor: try required("low_freq_factor"),
          highFrequencyFactor: try required("high_freq_factor"),
          originalContextLength: try required("original_max_position_embeddings")),
        layout: layout)
    case "yarn":
      let context = try count("max_position_embeddings").map(Double.init)
      let original = try required("original_max_position_embeddings", default: context)
      let longest = context.map { $0 / original }
      let factor = try value("factor") ?? longest ?? 1
      var amplitude = yarnScale(factor)
      if let weight = try value("mscale"), let all = try value("mscale_all_dim"),
        weight != 0, all != 0
      {
        amplitude = yarnScale(factor, weight: weight) / yarnScale(factor, weight: all)
      }
      return RotaryEmbedding(
        length: length, base: base,
        scaling: .yarn(
          factor: factor, originalContextLength: original,
          betaFast: try value("beta_fast") ?? 32, betaSlow: try value("beta_slow") ?? 1,
          truncates: scaling["truncate"]?.bool ?? true),
        amplitude: try value("attention_factor") ?? amplitude, layout: layout)
    default:
      throw Failure(
        .usage, "the scaling of RoPE is not among the reference kernels", file: file,
        subject: .key("rope_scaling"), expected: "linear, llama3 or yarn", found: "'\(type)'")
    }
  }

  /// What MLA's scores are multiplied with beside `1/√length`.
  fileprivate var latentScale: Double {
    get throws(Failure) {
      guard let scaling = ropeScaling, ropeScalingType != nil,
        let weight = try number(["mscale_all_dim"], in: scaling), weight != 0,
        let factor = try number(["factor"], in: scaling)
      else { return 1 }
      let scale = yarnScale(single(factor), weight: single(weight))
      return scale * scale
    }
  }

  fileprivate func routing(_ architecture: Architecture) throws(Failure) -> Routing? {
    let experts = try architecture.value("expert_count", self)?.integer
    guard let experts, experts > 0, architecture.mappings.contains(where: { $0.role == .router })
    else { return nil }
    let used = try count("num_experts_per_tok")
    guard let used, (1...experts).contains(used) else {
      throw Failure(
        .badInput, "the number of experts that a token uses is not usable", file: file,
        subject: .key("num_experts_per_tok"), expected: "1 to \(experts)",
        found: used.map { "\($0)" } ?? "none")
    }
    let norm = json["norm_topk_prob"]?.bool
    switch architecture.name {
    case "mixtral": return Routing(score: .softmax, usedCount: used, normalises: true)
    case "qwen3moe": return Routing(score: .softmax, usedCount: used, normalises: norm ?? false)
    default:
      let isThird = architecture.name != "deepseek_v2"
      let stated = json["scoring_func"]?.string
      let score: Routing.Score =
        (stated ?? (isThird ? "sigmoid" : "softmax")) == "sigmoid"
        ? .sigmoid : .softmax
      let groupCount = try count("n_group") ?? (architecture.name == "deepseek_v3" ? 8 : 1)
      let usedGroups = try count("topk_group") ?? (architecture.name == "deepseek_v3" ? 4 : 1)
      let choosesGroups =
        json["topk_method"]?.string != "greedy" && groupCount > 1 && experts % groupCount == 0
      return Routing(
        score: score, usedCount: used, normalises: norm ?? isThird,
        scale: single(try number("routed_scaling_factor") ?? (isThird ? 2.5 : 1)),
        groups: choosesGroups
          ? Routing.Groups(
            count: groupCount, usedCount: usedGroups, choice: score == .sigmoid ? .bestTwo : .best)
          : nil)
    }
  }

  /// Whether a layer looks through the sliding window.
  ///
  /// - Source: transformers, `layer_types` of `configuration_qwen2.py`; Mistral and Mixtral slide in
  ///   every layer.
  fileprivate func slides(_ layer: Int, _ architecture: Architecture) -> Bool {
    if let types = json["layer_types"]?.array {
      return types.indices.contains(layer) && types[layer].string == "sliding_attention"
    }
    if ["mistral", "mixtral"].contains(architecture.name) { return true }
    guard json["use_sliding_window"]?.bool == true, architecture.name.hasPrefix("qwen") else {
      return false
    }
    return layer >= json["max_window_layers"]?.integer ?? 28
  }
}

extension Architecture {
  /// The value of a hyperparameter, with the architecture's default.
  fileprivate func value(_ key: String, _ config: ModelConfig) throws(Failure) -> MetadataValue? {
    try hyperparameter(key)?.value(config)
  }

  /// What transformers takes when the config has no `rms_norm_eps`.
  fileprivate var defaultEpsilon: Double { name == "mixtral" ? 1e-5 : 1e-6 }
}

/// How a sentence encoder pools, as its `modules.json` says; nil when it does not pool, or in a way
/// that is not compared.
///
/// - Source: sentence-transformers `models/Pooling.py`.
private func poolingKind(of folder: Folder) throws(Failure) -> Pooling? {
  let modules = try folder.json("modules.json")?.array ?? []
  guard
    let module = modules.first(where: { ($0["type"]?.string ?? "").hasSuffix("Pooling") }),
    let path = module["path"]?.string, !path.isEmpty, !path.hasPrefix("/"),
    !path.split(separator: "/").contains(".."),
    let config = try folder.json(path + "/config.json")
  else { return nil }
  func isSet(_ key: ByteString, _ mode: String) -> Bool {
    config[key]?.bool == true || config["pooling_mode"]?.string == mode
  }
  if isSet("pooling_mode_mean_tokens", "mean") { return .mean }
  if isSet("pooling_mode_cls_token", "cls") { return .first }
  return isSet("pooling_mode_lasttoken", "lasttoken") ? .last : nil
}

/// The number as every runtime holds it.
func single(_ value: Double) -> Double { Double(Float(value)) }
