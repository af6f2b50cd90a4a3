import ByteIO
import TensorTypes

/// The index of a sharded safetensors checkpoint: which file holds which tensor.
///
/// - Source: huggingface_hub `serialization/_base.py`; `docs/formats/safetensors.md`.
public struct SafetensorsIndex: Sendable {
  /// What one line says: a tensor and its shard, as a position in `shards`.
  public struct Place: Sendable {
    public let tensor: ByteString
    public fileprivate(set) var shard: Int
    /// Where the tensor's name stands in the file.
    public let offset: Int
  }

  /// The shards' file names, sorted, each once.
  public let shards: [String]
  /// In the order of the text. Whether a name comes twice is for `placesByName` to find.
  public private(set) var places: [Place] = []

  /// Reads the text of a `*.safetensors.index.json`.
  ///
  /// - Throws: `badInput` for malformed JSON and a file name that leaves the folder.
  public init(parsing bytes: [UInt8], file: String) throws(Failure) {
    var scanner = JSONScanner(bytes, file: file)
    var numbers: [ByteString: Int] = [:]
    var places: [Place] = []
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
        let number = numbers[shard] ?? numbers.count
        if number == numbers.count {
          try checkFileName(shard, of: name, file: file, offset: at)
          numbers[shard] = number
        }
        places.append(Place(tensor: name, shard: number, offset: offset))
      }
    }
    try scanner.end()
    guard hasMap else {
      throw Failure(
        .badInput, "the key is missing", file: file, subject: .key("weight_map"),
        expected: "a map from tensors to files", found: "none")
    }
    let sorted = numbers.sorted { $0.key < $1.key }
    shards = sorted.map(\.key.text)
    var positions = [Int](repeating: 0, count: sorted.count)
    for (position, item) in sorted.enumerated() { positions[item.value] = position }
    for index in places.indices { places[index].shard = positions[places[index].shard] }
    self.places = places
  }

  /// The position in `places` of every tensor.
  ///
  /// - Throws: `badInput` when a name comes twice.
  func placesByName(file: String) throws(Failure) -> [ByteString: Int] {
    // Names that collide are compared; in a table half empty, few do.
    var positions = [ByteString: Int](minimumCapacity: 2 * places.count)
    for (position, place) in places.enumerated() {
      guard positions.updateValue(position, forKey: place.tensor) == nil else {
        throw Failure(
          .badInput, "the name comes twice", file: file, subject: .tensor(place.tensor),
          offset: place.offset, expected: "one entry", found: "a second one")
      }
    }
    return positions
  }

  /// The text of an index, as Hugging Face's writers lay it out.
  public static func text(
    totalByteCount: Int, fileOfTensor: [(name: ByteString, file: String)]
  ) -> [UInt8] {
    var json = JSONWriter()
    json.open("{")
    json.newline(indentation: 1)
    json.key("metadata", spaced: true)
    json.open("{")
    json.newline(indentation: 2)
    json.key("total_size", spaced: true)
    json.integer(totalByteCount)
    json.endLine(indentation: 1)
    json.close("}")
    json.newline(indentation: 1)
    json.key("weight_map", spaced: true)
    json.open("{")
    for item in fileOfTensor.sorted(by: { $0.name < $1.name }) {
      json.newline(indentation: 2)
      json.key(item.name, spaced: true)
      json.string(ByteString(item.file))
    }
    json.endLine(indentation: 1)
    json.close("}")
    json.endLine(indentation: 0)
    json.close("}")
    json.endLine(indentation: 0)
    return json.bytes
  }
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
