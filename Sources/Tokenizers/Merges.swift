import ByteIO
import TensorTypes

/// The merges of a BPE tokenizer in the order of their rank, each as two tokens with a space
/// between them.
///
/// - Source: llama.cpp `gguf-py/gguf/vocab.py`, `SpecialVocab`.
struct Merges {
  private(set) var lines: [ByteString] = []

  /// Reads `tokenizer.json`, whose merges are strings or pairs; without any there, `merges.txt`.
  ///
  /// - Throws: `badInput` for a merge that is none or that names a token outside the vocabulary.
  init(
    _ files: TokenizerFiles, _ base: BaseVocabulary, _ warnings: inout [String]
  ) throws(Failure) {
    let listed = files.definition?["model"]?["merges"]?.array ?? []
    lines.reserveCapacity(listed.count)
    for (rank, merge) in listed.enumerated() {
      guard let (left, right) = merge.mergePair else {
        throw files.failure(
          "a merge is not usable", in: TokenizerFiles.definitionName, "model.merges",
          expected: "two tokens", found: "\(merge.summary) at rank \(rank)")
      }
      for token in [left, right, Merges.merged(left, right, files)] where base[token] == nil {
        throw files.failure(
          "a merge names a token that is not in the vocabulary", in: TokenizerFiles.definitionName,
          "model.merges", expected: "tokens of the vocabulary", found: "'\(token)' at rank \(rank)")
      }
      lines.append(merge.byteString ?? Merges.line(left, right))
    }
    if lines.isEmpty { try readText(files, &warnings) }
    if lines.isEmpty {
      warnings.append("the tokenizer has no merges, so llama.cpp may be unable to use it")
    }
  }

  /// The token that two become: the second loses the prefix that marks it as a continuation.
  private static func merged(
    _ left: ByteString, _ right: ByteString, _ files: TokenizerFiles
  ) -> ByteString {
    let prefix = files.definition?["model"]?["continuing_subword_prefix"]?.string ?? ""
    guard right.hasPrefix(prefix) else { return ByteString(left.text + right.text) }
    let rest = right.text.unicodeScalars.dropFirst(prefix.unicodeScalars.count)
    return ByteString(left.text + String(rest))
  }

  /// The two tokens with a space between; spaces within them as byte-level BPE writes a space.
  private static func line(_ left: ByteString, _ right: ByteString) -> ByteString {
    func escaped(_ token: ByteString) -> String {
      guard token.utf8.contains(UInt8(ascii: " ")) else { return token.text }
      var scalars = String.UnicodeScalarView()
      for scalar in token.text.unicodeScalars { scalars.append(scalar == " " ? "Ġ" : scalar) }
      return String(scalars)
    }
    return ByteString(escaped(left) + " " + escaped(right))
  }

  private mutating func readText(
    _ files: TokenizerFiles, _ warnings: inout [String]
  ) throws(Failure) {
    guard let bytes = try files.folder.bytes(of: "merges.txt") else { return }
    for (number, line) in bytes.lines.enumerated() {
      let words = line.split { [0x20, 0x09, 0x0B, 0x0C].contains($0) }
      if words.isEmpty || number == 0 && words[0].first == UInt8(ascii: "#") { continue }
      guard words.count == 2, let left = ByteString(validating: words[0]),
        let right = ByteString(validating: words[1])
      else {
        warnings.append("merges.txt: line \(number + 1) is no merge and is left out")
        continue
      }
      lines.append(ByteString(left.text + " " + right.text))
    }
  }
}

extension JSON {
  /// The two tokens of a merge, spelt as a string with one space or as a pair.
  fileprivate var mergePair: (ByteString, ByteString)? {
    if let pair = array {
      guard pair.count == 2, let left = pair[0].byteString, let right = pair[1].byteString else {
        return nil
      }
      return (left, right)
    }
    guard let text = string else { return nil }
    let words = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard words.count == 2, let left = ByteString(validating: words[0]),
      let right = ByteString(validating: words[1]), !left.isEmpty, !right.isEmpty
    else { return nil }
    return (left, right)
  }
}
