/// Reads the values of YAML that have a beginning and an end within a text: in brackets, in braces
/// and in quotes.
struct YAMLFlowReader {
  private let scalars: [Unicode.Scalar]
  private var index = 0
  private var line = 0
  private var depth = 0

  init(_ text: String) {
    scalars = Array(text.unicodeScalars)
  }

  /// The value; nil when the text ends before it does.
  ///
  /// - Throws: for what is not understood, and for anything but a comment after the value.
  mutating func value(line: Int) throws(YAMLReader.Unreadable) -> YAML? {
    self.line = line
    guard let value = try element(within: nil) else { return nil }
    skipSpaces()
    guard index == scalars.count || scalars[index] == "#" else {
      throw unreadable("text follows a bracket or quote")
    }
    return value
  }

  private func unreadable(_ reason: String) -> YAMLReader.Unreadable {
    YAMLReader.Unreadable(line: line, reason: reason)
  }

  private mutating func skipSpaces() {
    while index < scalars.count, scalars[index] == " " { index += 1 }
  }

  private mutating func element(
    within closing: Unicode.Scalar?
  ) throws(YAMLReader.Unreadable) -> YAML? {
    skipSpaces()
    guard index < scalars.count else { return nil }
    depth += 1
    defer { depth -= 1 }
    guard depth <= YAMLReader.depthLimit else { throw unreadable("it is nested too deeply") }
    switch scalars[index] {
    case "[": return try sequence()
    case "{": return try mapping()
    case "\"", "'": return try quoted().map { .scalar($0, isText: true) }
    default: return try plain(within: closing)
    }
  }

  private mutating func sequence() throws(YAMLReader.Unreadable) -> YAML? {
    index += 1
    var elements: [YAML] = []
    while true {
      skipSpaces()
      guard index < scalars.count else { return nil }
      if take("]") { return .sequence(elements) }
      guard let element = try element(within: "]") else { return nil }
      elements.append(element)
      skipSpaces()
      guard index < scalars.count else { return nil }
      guard take(",") || scalars[index] == "]" else {
        throw unreadable("a comma or bracket was expected")
      }
    }
  }

  private mutating func mapping() throws(YAMLReader.Unreadable) -> YAML? {
    index += 1
    var pairs: [YAML.Pair] = []
    while true {
      skipSpaces()
      guard index < scalars.count else { return nil }
      if take("}") { return .mapping(pairs) }
      guard let key = try element(within: "}") else { return nil }
      guard case .scalar(let name, _) = key else { throw unreadable("the key is not understood") }
      skipSpaces()
      guard index < scalars.count else { return nil }
      var value = YAML.null
      if take(":") {
        skipSpaces()
        guard index < scalars.count else { return nil }
        if scalars[index] != ",", scalars[index] != "}" {
          guard let given = try element(within: "}") else { return nil }
          value = given
        }
      }
      pairs.append(YAML.Pair(key: name, value: value))
      skipSpaces()
      guard index < scalars.count else { return nil }
      guard take(",") || scalars[index] == "}" else {
        throw unreadable("a comma or brace was expected")
      }
    }
  }

  private mutating func plain(
    within closing: Unicode.Scalar?
  ) throws(YAMLReader.Unreadable) -> YAML? {
    if "&*!%@`|>".unicodeScalars.contains(scalars[index]) {
      throw unreadable("'\(scalars[index])' is not supported")
    }
    var text = String.UnicodeScalarView()
    while index < scalars.count {
      let scalar = scalars[index]
      if ",[]{}".unicodeScalars.contains(scalar) { break }
      if scalar == ":" {
        guard index + 1 < scalars.count else { break }
        if " ,[]{}".unicodeScalars.contains(scalars[index + 1]) { break }
      }
      if scalar == "#", text.last == " " { throw unreadable("a comment stands in brackets") }
      text.append(scalar)
      index += 1
    }
    while text.last == " " { text.removeLast() }
    if index == scalars.count, closing != nil { return nil }
    guard !text.isEmpty else { throw unreadable("a value was expected") }
    return YAML(plain: String(text))
  }

  /// The text in quotes; nil when they are not closed.
  private mutating func quoted() throws(YAMLReader.Unreadable) -> String? {
    let quote = scalars[index]
    index += 1
    var text = String.UnicodeScalarView()
    while index < scalars.count {
      let scalar = scalars[index]
      index += 1
      if scalar == quote {
        if quote == "'", take("'") {
          text.append("'")
          continue
        }
        return String(text)
      }
      if scalar == "\\", quote == "\"" {
        guard let escaped = try escape() else { return nil }
        text.append(escaped)
      } else {
        text.append(scalar)
      }
    }
    return nil
  }

  /// What a backslash and the next characters stand for; nil at the end of the text.
  private mutating func escape() throws(YAMLReader.Unreadable) -> Unicode.Scalar? {
    guard index < scalars.count else { return nil }
    let mark = scalars[index]
    index += 1
    let simple: [Unicode.Scalar: Unicode.Scalar] = [
      "0": "\0", "a": "\u{7}", "b": "\u{8}", "t": "\t", "n": "\n", "v": "\u{B}", "f": "\u{C}",
      "r": "\r", "e": "\u{1B}", " ": " ", "\"": "\"", "/": "/", "\\": "\\", "N": "\u{85}",
      "_": "\u{A0}", "L": "\u{2028}", "P": "\u{2029}",
    ]
    if let scalar = simple[mark] { return scalar }
    let lengths: [Unicode.Scalar: Int] = ["x": 2, "u": 4, "U": 8]
    guard let length = lengths[mark], index + length <= scalars.count else {
      throw unreadable("an escape is not understood")
    }
    let digits = String(String.UnicodeScalarView(scalars[index..<index + length]))
    guard let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
      throw unreadable("an escape is not understood")
    }
    index += length
    return scalar
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard index < scalars.count, scalars[index] == scalar else { return false }
    index += 1
    return true
  }
}
