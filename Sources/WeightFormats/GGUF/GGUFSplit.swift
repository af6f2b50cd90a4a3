import TensorTypes

/// The place of a file in a split GGUF: `NAME-00001-of-00003.gguf`.
///
/// - Source: llama.cpp `src/llama.cpp`, `llama_split_path`; `docs/formats/gguf.md`.
public struct GGUFSplit: Sendable, Hashable {
  public static let numberKey: ByteString = "split.no"
  public static let countKey: ByteString = "split.count"
  public static let tensorCountKey: ByteString = "split.tensors.count"
  static let keys = [numberKey, countKey, tensorCountKey]

  /// Counted from 0.
  public let number: Int
  public let count: Int
  /// The tensors of all parts together; nil when the part does not say.
  public let tensorCount: Int?

  /// What the metadata of a part says; nil for a file that is not split.
  ///
  /// - Throws: `badInput` when the keys contradict themselves.
  public init?(_ metadata: Metadata, file: String) throws(Failure) {
    guard let value = metadata[GGUFSplit.countKey], value.integer != 0 else { return nil }
    guard let count = value.integer, (1...99_999).contains(count) else {
      throw Failure(
        .badInput, "the number of parts is not usable", file: file,
        subject: .key(GGUFSplit.countKey), expected: "1 to 99999",
        found: value.integer.map(String.init) ?? value.typeName)
    }
    guard let number = metadata[GGUFSplit.numberKey]?.integer, (0..<count).contains(number) else {
      throw Failure(
        .badInput, "the number of the part is missing or too large", file: file,
        subject: .key(GGUFSplit.numberKey), expected: "0 to \(count - 1)",
        found: metadata[GGUFSplit.numberKey]?.integer.map(String.init) ?? "none")
    }
    self.number = number
    self.count = count
    tensorCount = metadata[GGUFSplit.tensorCountKey]?.integer
    if let total = metadata[GGUFSplit.tensorCountKey], tensorCount ?? -1 < 0 {
      throw Failure(
        .badInput, "the number of tensors is not usable", file: file,
        subject: .key(GGUFSplit.tensorCountKey), expected: "a whole number",
        found: tensorCount.map(String.init) ?? total.typeName)
    }
  }

  /// The ending of part `number`: `-00001-of-00003.gguf`.
  public static func suffix(number: Int, count: Int) -> String {
    "-\(fiveDigits(number + 1))-of-\(fiveDigits(count)).gguf"
  }

  /// The path of part `other`, given the path of this part; nil when this one is not named as a
  /// part should be.
  public func path(of other: Int, from path: String) -> String? {
    let own = GGUFSplit.suffix(number: number, count: count)
    guard path.hasSuffix(own) else { return nil }
    return path.dropLast(own.utf8.count) + GGUFSplit.suffix(number: other, count: count)
  }
}

/// A whole number with leading zeros, as shard names have it.
public func fiveDigits(_ number: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, 5 - digits.utf8.count)) + digits
}
