import Architectures
import ByteIO
import TensorTypes
import Tokenizers

/// The metadata of a GGUF file made from a Hugging Face checkpoint, in the reference's order.
///
/// - Returns: the metadata, and what the user should know.
/// - Throws: `badInput` for a config or tokenizer that cannot be used, `missingInput` without one.
/// - Source: llama.cpp `conversion/base.py`, `prepare_metadata`.
public func ggufMetadata(
  _ architecture: Architecture, config: ModelConfig, folder: Folder, fileType: UInt32,
  parameters: ParameterCounts
) throws(Failure) -> (metadata: Metadata, warnings: [String]) {
  var metadata = Metadata()
  metadata.append("general.architecture", .text(architecture.ggufName))
  metadata.append("general.type", .text("model"))
  let sampling = try samplingMetadata(of: folder)
  metadata.append(contentsOf: sampling.metadata)
  let authorship = try authorshipMetadata(
    of: folder, config: config.json, parameters: parameters)
  metadata.append(contentsOf: authorship.metadata)
  try metadata.append(architecture.hyperparameters, architecture, config)
  metadata.append("general.file_type", .uint32(fileType))
  try metadata.append(architecture.ownHyperparameters, architecture, config)
  if architecture.pools, let pooling = try poolingType(of: folder) {
    metadata.append(ByteString("\(architecture.ggufName).pooling_type"), .uint32(pooling))
  }
  metadata.append("general.quantization_version", .uint32(2))
  let tokenizer = try convertTokenizer(architecture.tokenizer, in: folder, config: config.json)
  metadata.append(contentsOf: tokenizer.metadata)
  return (metadata, sampling.warnings + authorship.warnings + tokenizer.warnings)
}

extension Metadata {
  fileprivate mutating func append(contentsOf other: Metadata) {
    for item in other.items { append(item.key, item.value) }
  }

  fileprivate mutating func append(
    _ rows: [Hyperparameter], _ architecture: Architecture, _ config: ModelConfig
  ) throws(Failure) {
    for row in rows {
      guard let value = try row.value(config) else { continue }
      append(ByteString("\(architecture.ggufName).\(row.key)"), value)
    }
  }
}

/// How a sentence encoder pools its tokens, as its `modules.json` says; nil when it has none.
///
/// - Source: llama.cpp `conversion/base.py`, `_try_set_pooling_type`; sentence-transformers
///   `models/Pooling.py`.
func poolingType(of folder: Folder) throws(Failure) -> UInt32? {
  guard let modules = try folder.json("modules.json")?.array else { return nil }
  let pooling = modules.first { ($0["type"]?.string ?? "").hasSuffix("Pooling") }
  guard let path = pooling?["path"]?.string else { return nil }
  guard
    !path.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) })
  else {
    throw Failure(
      .badInput, "the path of the pooling module leads out of the folder",
      file: folder.path(of: "modules.json"), subject: .key("path"), found: "'\(path)'")
  }
  let name = path + "/config.json"
  guard let config = try folder.json(name) else {
    throw Failure(.missingInput, "the pooling module has no config", file: folder.path(of: name))
  }
  let kinds: [(flag: ByteString, mode: String, value: UInt32)] = [
    ("pooling_mode_mean_tokens", "mean", 1), ("pooling_mode_cls_token", "cls", 2),
    ("pooling_mode_lasttoken", "lasttoken", 3),
  ]
  let kind = kinds.first {
    config[$0.flag]?.bool == true || config["pooling_mode"]?.string == $0.mode
  }
  guard let kind else {
    throw Failure(
      .badInput, "the way of pooling is unknown", file: folder.path(of: name),
      expected: "one of " + kinds.map(\.mode).joined(separator: ", "), found: "another")
  }
  return kind.value
}
