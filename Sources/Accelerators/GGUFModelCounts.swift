import Architectures
import TensorTypes
import WeightFormats

/// The numbers of a model that decide which of its tensors get more bits.
public struct GGUFModelCounts: Sendable, Hashable {
  /// `general.architecture`.
  public let architecture: String
  public let layerCount: Int
  public let headCount: Int
  public let keyValueHeadCount: Int
  /// 0 for a model without experts.
  public let expertCount: Int

  public init(
    architecture: String, layerCount: Int, headCount: Int, keyValueHeadCount: Int, expertCount: Int
  ) {
    self.architecture = architecture
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount
    self.expertCount = expertCount
  }

  /// As the config or the GGUF metadata says.
  ///
  /// - Throws: `badInput` where a number that every model has is missing.
  public init(of source: Checkpoint, _ model: TargetModel) throws(Failure) {
    if let architecture = model.architecture, let config = model.config {
      self = try GGUFModelCounts(of: source.path, named: architecture.ggufName) {
        (key) throws(Failure) in
        let row = architecture.hyperparameter(key)
        return try row?.value(config)?.integer
      }
    } else {
      let name = source.ggufArchitectureName
      self = try GGUFModelCounts(of: source.path, named: name) { (key) throws(Failure) in
        source.metadata[ByteString("\(name).\(key)")]?.firstInteger
      }
    }
  }

  private init(
    of path: String, named name: String, _ value: (String) throws(Failure) -> Int?
  ) throws(Failure) {
    func required(_ key: String) throws(Failure) -> Int {
      guard let count = try optional(key) else {
        throw Failure(
          .badInput, "the model does not say what choosing block types needs", file: path,
          subject: .key(ByteString("\(name).\(key)")), expected: "a whole number",
          found: "nothing")
      }
      return count
    }
    func optional(_ key: String) throws(Failure) -> Int? {
      guard let count = try value(key) else { return nil }
      guard (0...Int(Int32.max)).contains(count) else {
        throw Failure(
          .badInput, "the number is not usable", file: path,
          subject: .key(ByteString("\(name).\(key)")), expected: "0 to \(Int32.max)",
          found: "\(count)")
      }
      return count
    }
    architecture = name
    layerCount = try required("block_count")
    headCount = try required("attention.head_count")
    keyValueHeadCount = try optional("attention.head_count_kv") ?? headCount
    expertCount = try optional("expert_count") ?? 0
  }

  /// Query heads that share a key and value head.
  var groupSize: Int { keyValueHeadCount > 0 ? headCount / keyValueHeadCount : 0 }

  /// Whether llama.cpp takes it for a model of 70 billion parameters, whose few value rows get
  /// more bits.
  var isSeventyBillion: Bool {
    layerCount == 80
      && (architecture == "qwen2" || architecture == "llama" && headCount != keyValueHeadCount)
  }
}

extension MetadataValue {
  /// The integer, or the first of an array: some files have a number for each layer.
  fileprivate var firstInteger: Int? {
    switch self {
    case .array(.int32(let values)): values.first.map(Int.init)
    case .array(.uint32(let values)): values.first.map(Int.init)
    default: integer
    }
  }
}
