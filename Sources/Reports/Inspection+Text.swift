import ByteIO
import TensorTypes
import WeightFormats

extension Inspection {
  /// For people: a summary, the metadata, the tensors.
  public var lines: [String] {
    var lines = [checkpoint.path.escapingControlCharacters]
    lines += summary.map { "  \($0.padding(to: 14))\($1)" }
    let metadata = checkpoint.metadata.items
    if !metadata.isEmpty {
      lines += ["", "metadata"]
      var table = TextTable("key", "type", "value")
      for item in metadata {
        table.append(
          item.key.description, item.value.typeName,
          item.value.text(limit: showsWholeMetadata ? .max : 64))
      }
      lines += table.lines(indentation: 2)
    }
    lines += ["", "tensors"]
    lines += tensorTable.lines(indentation: 2)
    if let values { lines += values.lines }
    return lines
  }

  private var summary: [(String, String)] {
    var rows: [(String, String)] = []
    rows.append(("format", formatText))
    if let architecture {
      let name = architecture.stated.escapingControlCharacters
      let known = architecture.known.map { $0.name == name ? "" : " (\($0.name))" }
      rows.append(("architecture", name + (known ?? ", not one that can be translated")))
    }
    rows.append(("parameters", Amount.count(checkpoint.parameterCount)))
    rows.append(
      (
        "tensors",
        "\(Amount.count(checkpoint.tensors.count)), \(Amount.bytes(checkpoint.payloadByteCount))"
      ))
    for row in encodings {
      rows.append(
        (
          "",
          "\(row.encoding.name): \(Amount.count(row.tensorCount, of: "tensor")), "
            + "\(Amount.bytes(row.byteCount))"
        ))
    }
    for note in checkpoint.notes { rows.append(("note", note.escapingControlCharacters)) }
    return rows
  }

  private var formatText: String {
    let first = checkpoint.files[0].manifest
    var text = checkpoint.format.rawValue
    if let version = first.version { text += " version \(version)" }
    if first.byteOrder == .big { text += ", big-endian" }
    text += ", \(Amount.count(checkpoint.files.count, of: "file"))"
    if checkpoint.files.contains(where: \.isCompressed) { text += ", compressed with zstd" }
    return text
  }

  private var tensorTable: TextTable {
    let tensors = selected
    if selection == nil, tensors.count > Inspection.listLimit {
      var table = TextTable("name", "type", "shape", ">tensors", ">bytes")
      for group in FoldedTensors.folding(tensors) {
        table.append(
          group.name, group.type.encoding.name, group.type.shape.description,
          Amount.count(group.count), Amount.count(group.byteCount))
      }
      return table
    }
    if checkpoint.files.count == 1 {
      var table = TextTable("name", "type", "shape", ">bytes", ">offset")
      for tensor in tensors {
        table.append(
          tensor.name.description, tensor.type.encoding.name, tensor.type.shape.description,
          String(tensor.byteCount), String(tensor.offset))
      }
      return table
    }
    var table = TextTable("name", "type", "shape", ">bytes", ">offset", "file")
    let names = checkpoint.files.map { fileName(of: $0.source.name).escapingControlCharacters }
    for tensor in tensors {
      table.append(
        tensor.name.description, tensor.type.encoding.name, tensor.type.shape.description,
        String(tensor.byteCount), String(tensor.offset), names[tensor.file])
    }
    return table
  }
}

extension MetadataValue {
  /// The value on one line; strings are cut after so many bytes, arrays after three elements.
  func text(limit: Int) -> String {
    switch self {
    case .string(let text): text.quoted(limit: limit)
    case .bool(let value): "\(value)"
    case .float32(let value): "\(value)"
    case .float64(let value): "\(value)"
    case .array(let array): array.text(limit: limit)
    default: integer.map(String.init) ?? uint64Text
    }
  }

  private var uint64Text: String {
    if case .uint64(let value) = self { "\(value)" } else { "" }
  }
}

extension MetadataArray {
  func text(limit: Int) -> String {
    let shown = limit == .max ? count : min(count, 3)
    let texts = (0..<shown).map { element($0).text(limit: limit) }
    let dots = shown < count ? ", … \(Amount.count(count)) in all" : ""
    return "[\(texts.joined(separator: ", "))\(dots)]"
  }
}

extension ByteString {
  /// In quotes, cut after so many bytes.
  fileprivate func quoted(limit: Int) -> String {
    guard utf8.count > limit else { return "\"\(description)\"" }
    let start = String(decoding: utf8.prefix(limit), as: UTF8.self)
    return "\"\(start.escapingControlCharacters)…\" (\(Amount.count(utf8.count)) bytes)"
  }
}

extension String {
  func padding(to width: Int) -> String {
    self + String(repeating: " ", count: max(1, width - unicodeScalars.count))
  }
}

/// The last component of a path.
func fileName(of path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
  return String(path[path.utf8.index(after: slash)...])
}
