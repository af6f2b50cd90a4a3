import TensorTypes

extension JSON {
  public static func text(_ text: String) -> JSON { .string(ByteString(text)) }

  /// An object with these members; absent values are left out.
  ///
  /// - Precondition: no key appears twice.
  public static func members(_ members: KeyValuePairs<ByteString, JSON?>) -> JSON {
    var object = JSONObject()
    for case (let key, let value?) in members {
      let isNew = object.append(key, value)
      precondition(isNew, "the key '\(key)' appears twice")
    }
    return .object(object)
  }

  /// The value in a few words, for messages.
  public var summary: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let text):
      text.utf8.count <= 60 ? "'\(text)'" : "a text of \(text.utf8.count) bytes"
    case .array(let values):
      values.count <= 8
        ? "[\(values.map(\.summary).joined(separator: ", "))]" : "an array of \(values.count)"
    case .object(let object): "an object of \(object.members.count)"
    }
  }

  /// The value as text with sorted keys: equal values give equal bytes. Objects and arrays of
  /// objects take a line for each member, other arrays stand on one line.
  public var sortedText: [UInt8] {
    var writer = JSONWriter()
    write(into: &writer, depth: 0)
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  /// The value as one line with sorted keys.
  public var sortedLine: [UInt8] {
    var writer = JSONWriter()
    write(into: &writer, depth: nil)
    return writer.bytes
  }

  private func write(into writer: inout JSONWriter, depth: Int?) {
    switch self {
    case .null: writer.null()
    case .bool(let value): writer.bool(value)
    case .integer(let value): writer.integer(value)
    case .number(let value): writer.number(value)
    case .string(let value): writer.string(value)
    case .array(let elements):
      let isNested = elements.contains { $0.array != nil || $0.object != nil }
      let inner = isNested ? depth.map { $0 + 1 } : nil
      writer.open("[")
      for element in elements {
        writer.newline(indentation: inner)
        element.write(into: &writer, depth: inner)
      }
      if inner != nil { writer.endLine(indentation: depth) }
      writer.close("]")
    case .object(let object):
      let inner = depth.map { $0 + 1 }
      writer.open("{")
      for member in object.members.sorted(by: { $0.key < $1.key }) {
        writer.newline(indentation: inner)
        writer.key(member.key, spaced: depth != nil)
        member.value.write(into: &writer, depth: inner)
      }
      if !object.members.isEmpty { writer.endLine(indentation: depth) }
      writer.close("}")
    }
  }
}
