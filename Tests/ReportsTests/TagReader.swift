import Testing

/// Reads HTML or XML strictly: every element is closed in order, every value quoted, nothing that
/// should be escaped stands bare.
struct TagReader {
  private(set) var elementCount = 0
  /// The values of all attributes, by name.
  private(set) var attributes: [String: [String]] = [:]
  /// Everything between tags.
  private(set) var text = ""
  /// The first thing that is wrong.
  private(set) var problem: String?

  init(_ bytes: [UInt8]) {
    var rest = Substring(String(decoding: bytes, as: UTF8.self))
    var open: [Substring] = []
    while problem == nil, let start = rest.firstIndex(of: "<") {
      let before = rest[..<start]
      text += before
      rest = rest[rest.index(after: start)...]
      guard let end = TagReader.end(of: rest) else {
        problem = "a tag does not end: \(rest.prefix(40))"
        break
      }
      let tag = rest[..<end]
      rest = rest[rest.index(after: end)...]
      let name = tag.prefix { !" \n/>".contains($0) }
      if tag.hasPrefix("?") || tag.hasPrefix("!") { continue }
      if tag.hasPrefix("/") {
        let closed = open.popLast() ?? "nothing"
        if closed != tag.dropFirst() { problem = "</\(tag.dropFirst())> closes \(closed)" }
        continue
      }
      elementCount += 1
      if !tag.hasSuffix("/") { open.append(name) }
      read(attributes: tag.dropFirst(name.count).drop { $0 == " " })
      if name == "style", let end = rest.firstIndex(of: "<") { rest = rest[end...] }
    }
    text += rest
    if problem == nil, let left = open.last { problem = "<\(left)> is not closed" }
    for value in [text] + attributes.values.joined() where problem == nil {
      problem = TagReader.problem(of: value)
    }
  }

  /// The first `>` outside quotes.
  private static func end(of text: Substring) -> Substring.Index? {
    var isQuoted = false
    return text.indices.first { index in
      if text[index] == "\"" { isQuoted.toggle() }
      return text[index] == ">" && !isQuoted
    }
  }

  private mutating func read(attributes text: Substring) {
    var rest = text
    var names: Set<Substring> = []
    while !rest.isEmpty, rest != "/" {
      let name = rest.prefix { $0 != "=" && $0 != " " }
      rest = rest.dropFirst(name.count)
      guard rest.hasPrefix("=\""), names.insert(name).inserted else {
        problem = "an attribute is malformed or stands twice: \(name)\(rest.prefix(20))"
        return
      }
      rest = rest.dropFirst(2)
      let value = rest.prefix { $0 != "\"" }
      attributes[String(name), default: []].append(String(value))
      rest = rest.dropFirst(value.count + 1).drop { $0 == " " }
    }
  }

  /// What should have been escaped.
  private static func problem(of text: String) -> String? {
    let bad = text.unicodeScalars.first { scalar in
      switch scalar.value {
      case 0x0A: false
      case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x3C, 0x3E,
        0xFFFE, 0xFFFF:
        true
      default: false
      }
    }
    if let bad { return "U+\(String(bad.value, radix: 16)) stands bare in \(text.prefix(60))" }
    let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"]
    for part in text.split(separator: "&", omittingEmptySubsequences: false).dropFirst()
    where !entities.contains(where: { part.hasPrefix($0) }) {
      return "a bare & before \(part.prefix(20))"
    }
    return nil
  }
}
