import ByteIO
import TensorTypes

/// The front matter of a checkpoint's `README.md`: what its authors say about it in YAML.
///
/// - Source: Hugging Face Hub, "Model Cards"; llama.cpp `gguf-py/gguf/metadata.py`,
///   `load_model_card`.
struct ModelCard {
  private let values: YAML
  /// What could not be read.
  private(set) var warnings: [String] = []

  static let name = "README.md"
  /// - Units: bytes; front matter beyond this is not read.
  static let byteLimit = 1 << 18

  /// The card of a folder; an empty one where it has none.
  ///
  /// - Throws: `inputOutput` when the file cannot be read.
  init(_ folder: Folder) throws(Failure) {
    var text: [UInt8] = []
    var warnings: [String] = []
    do throws(Failure) {
      text = try folder.bytes(of: ModelCard.name) ?? []
    } catch {
      guard error.kind != .inputOutput else { throw error }
      warnings.append("the model card is left out: \(error)")
    }
    self.init(text, warnings)
  }

  init(_ text: [UInt8], _ warnings: [String] = []) {
    self.warnings = warnings
    var lines: [Substring] = []
    switch ModelCard.frontMatter(text) {
    case .success(let found): lines = found
    case .failure(let reason):
      self.warnings.append("\(ModelCard.name): \(reason.text), so it is left out")
    }
    let (values, unreadable) = YAMLReader.topLevel(lines)
    self.values = values
    for (key, reason) in unreadable {
      let place = "line \(reason.line + 1)"
      self.warnings.append(
        "\(ModelCard.name): \(place): '\(ByteString(key))' is left out, for \(reason.reason)")
    }
  }

  private struct Reason: Error {
    let text: String
  }

  /// The lines between the first line, which must be `---`, and the next that is the same.
  private static func frontMatter(_ bytes: [UInt8]) -> Result<[Substring], Reason> {
    let start = bytes.starts(with: "---\n".utf8) ? 4 : bytes.starts(with: "---\r\n".utf8) ? 5 : 0
    guard start > 0 else { return .success([]) }
    var lines: [Substring] = []
    for line in bytes.prefix(byteLimit).dropFirst(start).split(
      separator: 0x0A, omittingEmptySubsequences: false)
    {
      let content = line.last == 0x0D ? line.dropLast() : line
      if content.elementsEqual("---".utf8) { return .success(lines) }
      guard let text = String(validating: content, as: UTF8.self) else {
        return .failure(Reason(text: "the front matter is not valid UTF-8"))
      }
      lines.append(Substring(repaired(text)))
    }
    return .failure(
      Reason(text: "the front matter has no end within its first \(byteLimit) bytes"))
  }

  /// A tab as two spaces, and the country or language `no` as text, as the reference reads them.
  private static func repaired(_ line: String) -> String {
    if line.hasSuffix("- no") { return line.dropLast(2) + "\"no\"" }
    guard line.utf8.contains(0x09) else { return line }
    return line.split(separator: "\t", omittingEmptySubsequences: false).joined(separator: "  ")
  }

  // MARK: - Values

  /// Whether the card has one of these keys, with any value.
  func has(_ keys: [String]) -> Bool { keys.contains { values[$0] != nil } }

  /// The text of the first of these keys that has one; scalars of other kinds as they are spelt.
  mutating func text(_ keys: String...) -> ByteString? {
    for key in keys {
      switch values[key] {
      case .scalar(let text, _)?: return ByteString(text)
      case .null?, nil: continue
      case .sequence?, .mapping?:
        warnings.append("\(ModelCard.name): '\(key)' is left out, for it is no text")
      }
    }
    return nil
  }

  /// The texts of a key: of its list, or its one text; nil without the key.
  func texts(_ key: String) -> [ByteString]? {
    switch values[key] {
    case nil, .null?: nil
    case .scalar(let text, let isText)?: isText ? [ByteString(text)] : []
    case .sequence(let elements)?:
      elements.compactMap {
        if case .scalar(let text, _) = $0 { ByteString(text) } else { nil }
      }
    case .mapping?: []
    }
  }

  /// The value of the first of these keys that is there, as a list.
  func list(_ keys: [String]) -> [YAML] {
    guard let value = keys.lazy.compactMap({ values[$0] }).first else { return [] }
    return switch value {
    case .sequence(let elements): elements
    case .scalar(_, true): [value]
    case .null, .scalar, .mapping: []
    }
  }
}
