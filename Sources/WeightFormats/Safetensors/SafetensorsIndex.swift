import ByteIO
import TensorTypes

/// The index of a sharded safetensors checkpoint: which file holds which tensor.
///
/// - Source: huggingface_hub `serialization/_base.py`; `docs/formats/safetensors.md`.
public struct SafetensorsIndex: Sendable {
  /// The shards' file names, sorted, each once.
  public private(set) var shards: [String] = []
  /// The shard of each tensor, as a position in `shards`.
  public private(set) var shardOfTensor: [ByteString: Int] = [:]

  /// Reads the text of a `*.safetensors.index.json`.
  ///
  /// - Throws: `badInput` for malformed JSON, a name that comes twice, a file name that leaves the
  ///   folder.
  public init(parsing bytes: [UInt8], file: String) throws(Failure) {
    var scanner = JSONScanner(bytes, file: file)
    var fileOfTensor: [ByteString: String] = [:]
    var hasMap = false
    try scanner.object { (s, key, keyOffset) throws(Failure) in
      guard key == "weight_map" else { return try s.skipValue() }
      guard !hasMap else {
        throw Failure(
          .badInput, "the key comes twice", file: file, subject: .key(key), offset: keyOffset)
      }
      hasMap = true
      try s.object { (s, name, offset) throws(Failure) in
        let at = s.offset
        let shard = try s.string()
        try checkFileName(shard, of: name, file: file, offset: at)
        guard fileOfTensor.updateValue(shard.text, forKey: name) == nil else {
          throw Failure(
            .badInput, "the name comes twice", file: file, subject: .tensor(name), offset: offset)
        }
      }
    }
    try scanner.end()
    guard hasMap else {
      throw Failure(.badInput, "the key is missing", file: file, subject: .key("weight_map"))
    }
    shards = Set(fileOfTensor.values.map { ByteString($0) }).sorted().map(\.text)
    let positions = [ByteString: Int](
      uniqueKeysWithValues: shards.enumerated().map { (ByteString($1), $0) })
    shardOfTensor = fileOfTensor.compactMapValues { positions[ByteString($0)] }
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
