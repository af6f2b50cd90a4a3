import ByteIO
import TensorTypes

/// The index of a sharded safetensors checkpoint: which file holds which tensor.
///
/// - Source: huggingface_hub `serialization/_base.py`; `docs/formats/safetensors.md`.
public struct SafetensorsIndex: Sendable {
  /// The shards' file names, sorted, each once.
  public let shards: [String]
  /// The names of the tensors, each with the number of its shard in the order of the text.
  private var numberOfTensor: [ByteString: Int] = [:]
  /// The position in `shards` of each of these numbers.
  private let positions: [Int]

  /// The number of tensors.
  public var count: Int { numberOfTensor.count }
  /// In no order.
  public var names: some Collection<ByteString> { numberOfTensor.keys }

  /// The shard of a tensor, as a position in `shards`; nil when the index does not name it.
  public func shard(of tensor: ByteString) -> Int? {
    numberOfTensor[tensor].map { positions[$0] }
  }

  /// Reads the text of a `*.safetensors.index.json`.
  ///
  /// - Throws: `badInput` for malformed JSON, a name that comes twice, a file name that leaves the
  ///   folder.
  public init(parsing bytes: [UInt8], file: String) throws(Failure) {
    var scanner = JSONScanner(bytes, file: file)
    var numbers: [ByteString: Int] = [:]
    var numberOfTensor: [ByteString: Int] = [:]
    // A line holds a name and a file name; growing step by step would hash every name twice.
    numberOfTensor.reserveCapacity(bytes.count / 80)
    var hasMap = false
    try scanner.object { (s, key, keyOffset) throws(Failure) in
      guard key == "weight_map" else { return try s.skipValue() }
      guard !hasMap else {
        throw Failure(
          .badInput, "the key comes twice", file: file, subject: .key(key), offset: keyOffset,
          expected: "one map", found: "a second one")
      }
      hasMap = true
      try s.object { (s, name, offset) throws(Failure) in
        guard try s.nextKind() == .string else {
          throw s.unexpected("a file name").located(subject: .tensor(name))
        }
        let at = s.offset
        let shard = try s.string()
        let number: Int
        if let known = numbers[shard] {
          number = known
        } else {
          try checkFileName(shard, of: name, file: file, offset: at)
          number = numbers.count
          numbers[shard] = number
        }
        guard numberOfTensor.updateValue(number, forKey: name) == nil else {
          throw Failure(
            .badInput, "the name comes twice", file: file, subject: .tensor(name), offset: offset,
            expected: "one entry", found: "a second one")
        }
      }
    }
    try scanner.end()
    guard hasMap else {
      throw Failure(
        .badInput, "the key is missing", file: file, subject: .key("weight_map"),
        expected: "a map from tensors to files", found: "none")
    }
    self.numberOfTensor = numberOfTensor
    let sorted = numbers.sorted { $0.key < $1.key }
    shards = sorted.map(\.key.text)
    var positions = [Int](repeating: 0, count: sorted.count)
    for (position, item) in sorted.enumerated() { positions[item.value] = position }
    self.positions = positions
  }

  /// The text of an index, as Hugging Face's writers lay it out.
  public static func text(
    totalByteCount: Int, fileOfTensor: [(name: ByteString, file: String)]
  ) -> [UInt8] {
    var lines = ["{", "  \"metadata\": {", "    \"total_size\": \(totalByteCount)", "  },"]
    lines.append("  \"weight_map\": {")
    let sorted = fileOfTensor.sorted { $0.name < $1.name }
    for (position, item) in sorted.enumerated() {
      let comma = position + 1 < sorted.count ? "," : ""
      lines.append("    \(quoted(item.name)): \(quoted(ByteString(item.file)))\(comma)")
    }
    lines += ["  }", "}", ""]
    return Array(lines.joined(separator: "\n").utf8)
  }
}

private func quoted(_ text: ByteString) -> String {
  var json = JSONWriter()
  json.string(text)
  return String(decoding: json.bytes, as: UTF8.self)
}

/// Refuses names that could lead out of the checkpoint's folder.
private func checkFileName(
  _ shard: ByteString, of tensor: ByteString, file: String, offset: Int
) throws(Failure) {
  let isPlain =
    !shard.isEmpty && shard != "." && shard != ".."
    && !shard.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 == 0 }
  guard isPlain else {
    throw Failure(
      .badInput, "the shard is not a plain file name", file: file, subject: .tensor(tensor),
      offset: offset, expected: "a file in the same folder", found: "'\(shard)'")
  }
}
