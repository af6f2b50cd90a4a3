import Architectures
import ByteIO
import TensorTypes

/// The `config.json` of a Hugging Face checkpoint made from a GGUF file: the rows of the
/// architecture's hyperparameters read backwards, and what the tensors themselves show.
///
/// - Parameters:
///   - tensors: the roles and types of the tensors to be written.
///   - ropeFactors: the values of the file's RoPE factors; nil when it has none.
/// - Returns: the config, and what it cannot say.
/// - Source: transformers 5.24.0, the configuration classes of each model.
public func huggingFaceConfig(
  _ architecture: Architecture, metadata: Metadata,
  tensors: [(role: RoleInstance, type: TensorType)],
  ropeFactors: [Float]?
) -> (config: JSON, warnings: [String]) {
  var config = JSONObject()
  var warnings: [String] = []
  config.append("architectures", .array([.text(architecture.identifiers[0])]))
  config.append("model_type", .text(architecture.modelType))
  for row in architecture.hyperparameters + architecture.ownHyperparameters {
    guard let key = row.configKey,
      let value = metadata[ByteString("\(architecture.ggufName).\(row.key)")]?.configNumber
    else { continue }
    config.append(ByteString(key), value)
  }
  for (key, value) in architecture.impliedConfig { config.append(key, value) }
  if let embedding = tensors.first(where: { $0.role.role == .tokenEmbedding }) {
    if let count = embedding.type.shape.axes.first { config.append("vocab_size", .integer(count)) }
    if case .plain(let dtype) = embedding.type.encoding, let name = dtype.torchName {
      config.append("torch_dtype", .text(name))
    }
  }
  let types = tensors.first { $0.role.role == .tokenTypeEmbedding }
  if let count = types?.type.shape.axes.first {
    config.append("type_vocab_size", .integer(count))
  }
  func hasBias(_ role: Role) -> Bool {
    tensors.contains { $0.role.role == role && $0.role.bindings.part == .bias }
  }
  if architecture.hasHead {
    config.append(
      "tie_word_embeddings", .bool(!tensors.contains { $0.role.role == .output }))
  }
  if hasBias(.attentionQuery) { config.append("attention_bias", .bool(true)) }
  if hasBias(.feedForwardUp) { config.append("mlp_bias", .bool(true)) }
  for name in ["bos", "eos"] {
    if let id = metadata[ByteString("tokenizer.ggml.\(name)_token_id")]?.integer {
      config.append(ByteString("\(name)_token_id"), .integer(id))
    }
  }
  let scaling = ropeScaling(architecture.ggufName, metadata, ropeFactors)
  if let scaling { config.append("rope_scaling", scaling) }
  if scaling == nil, ropeFactors != nil {
    warnings.append("config.json cannot say how RoPE is scaled: the factors fit no known rule")
  }
  warnings.append("the tokenizer is not written; take it from the original checkpoint")
  return (.object(config), warnings)
}

/// RoPE's scaling as `rope_scaling` spells it; nil when there is none.
private func ropeScaling(
  _ prefix: String, _ metadata: Metadata, _ ropeFactors: [Float]?
) -> JSON? {
  if let ropeFactors { return llama3Scaling(ropeFactors, prefix, metadata) }
  func value(_ key: String) -> JSON? {
    metadata[ByteString("\(prefix).rope.scaling.\(key)")]?.configNumber
  }
  guard let type = metadata[ByteString("\(prefix).rope.scaling.type")]?.string, type != "none"
  else { return nil }
  return .members([
    "rope_type": .string(type), "factor": value("factor"),
    "original_max_position_embeddings": value("original_context_length"),
    "extrapolation_factor": value("yarn_ext_factor"),
    "attention_factor": value("yarn_attn_factor"),
    "beta_fast": value("yarn_beta_fast"), "beta_slow": value("yarn_beta_slow"),
  ])
}

/// The parameters of Llama 3's scaling that give these factors, among those that were published.
private func llama3Scaling(_ factors: [Float], _ prefix: String, _ metadata: Metadata) -> JSON? {
  guard let factor = factors.max(),
    let base = metadata[ByteString("\(prefix).rope.freq_base")]?.number
  else { return nil }
  for original in [8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16] {
    let rule = Llama3RoPE(
      headLength: 2 * factors.count, base: base, factor: Double(factor), lowFrequencyFactor: 1,
      highFrequencyFactor: 4, originalContextLength: Double(original))
    if rule.factors == factors {
      return .members([
        "rope_type": .text("llama3"), "factor": .number(Double(factor)),
        "low_freq_factor": .number(1), "high_freq_factor": .number(4),
        "original_max_position_embeddings": .integer(original),
      ])
    }
  }
  return nil
}

extension MetadataValue {
  /// The value as a config spells it: the shortest number that gives the same float.
  fileprivate var configNumber: JSON? {
    switch self {
    case .float32(let value): Double("\(value)").map(JSON.number)
    case .float64(let value): .number(value)
    default: integer.map(JSON.integer)
    }
  }
}

extension DType {
  /// As `torch_dtype` spells it; nil for types that no model is stored in as a whole.
  public var torchName: String? {
    switch self {
    case .f32: "float32"
    case .f16: "float16"
    case .bf16: "bfloat16"
    default: nil
    }
  }
}
