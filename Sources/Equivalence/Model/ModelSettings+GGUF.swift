import ReferenceKernels
import TensorTypes

extension ModelSettings {
  /// The settings as llama.cpp takes them from GGUF metadata.
  ///
  /// - Parameters:
  ///   - file: for messages.
  ///   - ropeFactors: the divisors that the file holds; nil when it has none.
  /// - Throws: `badInput` for a value that is missing or unusable; `usage` for what the reference
  ///   kernels do not compute.
  /// - Source: llama.cpp `src/llama-model.cpp`, `load_hparams`; `src/llama-context.cpp`.
  init(
    gguf metadata: Metadata, file: String, ropeFactors: [Double]?
  ) throws(Failure) {
    let keys = try GGUFKeys(metadata, file: file)
    switch keys.architecture {
    case "gpt2":
      self = .gpt2(
        GPT2Settings(
          layerCount: try keys.count("block_count"),
          contextLength: try keys.count("context_length"),
          headCount: try keys.count("attention.head_count"),
          epsilon: try keys.number("attention.layer_norm_epsilon")))
    case "bert":
      self = .bert(
        BERTSettings(
          layerCount: try keys.count("block_count"),
          contextLength: try keys.count("context_length"),
          headCount: try keys.count("attention.head_count"),
          epsilon: try keys.number("attention.layer_norm_epsilon"), pooling: keys.pooling))
    case "llama", "qwen2", "qwen3", "qwen3moe", "deepseek2":
      self = .decoder(try DecoderSettings(keys, ropeFactors: ropeFactors))
    default:
      throw Failure(
        .usage, "the layers of the architecture are not among the reference kernels", file: file,
        subject: .key("general.architecture"), expected: "a known architecture",
        found: "'\(keys.architecture)'")
    }
  }
}

extension DecoderSettings {
  fileprivate init(_ keys: GGUFKeys, ropeFactors: [Double]?) throws(Failure) {
    layerCount = try keys.count("block_count")
    headCount = try keys.count("attention.head_count")
    epsilon = try keys.number("attention.layer_norm_rms_epsilon")
    let isLatent = keys.architecture == "deepseek2"
    let width = try keys.count("embedding_length")
    var length = try keys.count("attention.key_length", default: width / headCount)
    var latentWeight = 0.0
    if isLatent {
      keyValueHeadCount = headCount
      length = try keys.count("attention.key_length_mla")
      let rotated = try keys.count("rope.dimension_count", default: length)
      latent = LatentSettings(
        latentLength: try keys.count("attention.kv_lora_rank"), plainLength: length - rotated,
        rotatedLength: rotated, epsilon: epsilon)
      // The converter writes a tenth of it.
      latentWeight = single(
        try keys.number("rope.scaling.yarn_log_multiplier", default: 0) / single(0.1))
    } else {
      keyValueHeadCount = try keys.count("attention.head_count_kv", default: headCount)
    }
    let scaled = try keys.rotary(
      length: try keys.count("rope.dimension_count", default: length), isLatent: isLatent,
      weight: latentWeight, ropeFactors: ropeFactors)
    rotary = scaled.rotary
    attentionScale = scaled.attention / Double(length).squareRoot()
    isCausal = keys["attention.causal"] != .bool(false)
    if isLatent || keys["expert_count"]?.integer ?? 0 > 0 { routing = try keys.routing() }
  }
}

/// The keys of one architecture.
private struct GGUFKeys {
  let metadata: Metadata
  let architecture: String
  let file: String

  init(_ metadata: Metadata, file: String) throws(Failure) {
    guard let name = metadata["general.architecture"]?.string?.text else {
      throw Failure(
        .badInput, "the file does not say what model it holds", file: file,
        subject: .key("general.architecture"), expected: "a name", found: "none")
    }
    self.metadata = metadata
    self.file = file
    architecture = name
  }

  subscript(key: String) -> MetadataValue? { metadata[ByteString("\(architecture).\(key)")] }

  /// A whole number above 0; the first of an array whose numbers are all equal.
  func count(_ key: String, default fallback: Int? = nil) throws(Failure) -> Int {
    var found = self[key]?.integer
    switch self[key] {
    case .array(.int32(let counts)) where Set(counts).count == 1: found = Int(counts[0])
    case .array(.uint32(let counts)) where Set(counts).count == 1: found = Int(counts[0])
    case nil: found = fallback
    default: break
    }
    guard let found, found > 0, found <= Int(UInt32.max) else {
      throw missing(key, "a whole number above 0")
    }
    return found
  }

  func number(_ key: String, default fallback: Double? = nil) throws(Failure) -> Double {
    guard let value = self[key] == nil ? fallback : self[key]?.number, value.isFinite else {
      throw missing(key, "a number")
    }
    return single(value)
  }

  /// - Source: llama.cpp `include/llama.h`, `llama_pooling_type`.
  var pooling: Pooling? {
    switch self["pooling_type"]?.integer {
    case 1: .mean
    case 2: .first
    case 3: .last
    default: nil
    }
  }

  private func missing(_ key: String, _ expected: String) -> Failure {
    Failure(
      .badInput, "the model cannot be run without the value", file: file,
      subject: .key(ByteString("\(architecture).\(key)")), expected: expected,
      found: self[key].map(\.summary) ?? "nothing")
  }

  /// RoPE as llama.cpp sets it up, and what it multiplies scores with beside `1/√length`.
  ///
  /// - Parameter weight: the logarithm's in MLA's scale; 0 for none.
  func rotary(
    length: Int, isLatent: Bool, weight: Double, ropeFactors: [Double]?
  ) throws(Failure) -> (rotary: RotaryEmbedding, attention: Double) {
    guard length % 2 == 0, length <= 1 << 16, ropeFactors.map({ $0.count == length / 2 }) ?? true
    else {
      throw Failure(
        .badInput, "heads of this length cannot turn", file: file,
        subject: .key(ByteString("\(architecture).rope.dimension_count")),
        expected: "an even number, twice the RoPE factors", found: "\(length)")
    }
    let base = try number("rope.freq_base", default: 10000)
    let stated = try number("rope.scaling.factor", default: number("rope.scale_linear", default: 1))
    let factor = stated > 0 ? stated : 1
    let type = self["rope.scaling.type"]?.string?.text ?? "linear"
    let layout: RotaryEmbedding.Layout = isLatent ? .pairs : .halves
    switch type {
    case "none", "linear":
      let isPlain = type == "none" || factor == 1
      let rotary = RotaryEmbedding(
        length: length, base: base, scaling: isPlain ? .none : .linear(factor: factor),
        divisors: ropeFactors, layout: layout)
      return (rotary, isLatent ? latentScale(1, factor, weight) : 1)
    case "yarn":
      let context = try number("context_length", default: 0)
      let scaling = RotaryEmbedding.Scaling.yarn(
        factor: factor,
        originalContextLength: try number("rope.scaling.original_context_length", default: context),
        betaFast: 32, betaSlow: 1, truncates: true)
      // DeepSeek V2 has the same weight above and below, others 1 above.
      let above = isLatent && weight != 1 ? weight : 1
      let amplitude =
        weight == 0
        ? yarnScale(factor)
        : yarnScale(factor, weight: above) / yarnScale(factor, weight: weight)
      return (
        RotaryEmbedding(
          length: length, base: base, scaling: scaling, amplitude: amplitude, layout: layout),
        isLatent ? latentScale(amplitude, factor, weight) : 1
      )
    default:
      throw Failure(
        .usage, "the scaling of RoPE is not among the reference kernels", file: file,
        subject: .key(ByteString("\(architecture).rope.scaling.type")),
        expected: "none, linear or yarn", found: "'\(type)'")
    }
  }

  /// - Source: llama.cpp `src/models/deepseek2.cpp`, `kq_scale`.
  private func latentScale(_ amplitude: Double, _ factor: Double, _ weight: Double) -> Double {
    let scale = amplitude * (factor <= 1 ? 1 : yarnScale(factor, weight: weight))
    return scale * scale
  }

  func routing() throws(Failure) -> Routing? {
    let experts = self["expert_count"]?.integer ?? 0
    guard experts > 0 else { return nil }
    let used = try count("expert_used_count")
    guard used <= experts else { throw missing("expert_used_count", "at most \(experts)") }
    guard architecture == "deepseek2" else {
      return Routing(score: .softmax, usedCount: used, normalises: true)
    }
    let score: Routing.Score = self["expert_gating_func"]?.integer == 2 ? .sigmoid : .softmax
    let groups = self["expert_group_count"]?.integer ?? 1
    var normalises = false
    if case .bool(true) = self["expert_weights_norm"] { normalises = true }
    let scale = try number("expert_weights_scale", default: 1)
    return Routing(
      score: score, usedCount: used, normalises: normalises, scale: scale == 0 ? 1 : scale,
      groups: groups > 1 && experts % groups == 0
        ? Routing.Groups(
          count: groups, usedCount: try count("expert_group_used_count"),
          choice: score == .sigmoid ? .bestTwo : .best)
        : nil)
  }
}
