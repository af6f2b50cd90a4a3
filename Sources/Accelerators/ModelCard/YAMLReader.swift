/// Reads the part of YAML that model cards are written in: mappings and sequences, in blocks or in
/// brackets, plain and quoted scalars, and blocks of text.
///
/// Anchors, aliases, tags, and keys that are no plain or quoted text are refused.
struct YAMLReader {
  /// Why a value cannot be read.
  struct Unreadable: Error {
    /// Counted from 1 in the text that was given.
    let line: Int
    let reason: String
  }

  private struct Line {
    var indentation: Int
    /// Without indentation, and without spaces at the end.
    var text: Substring
    let number: Int

    /// Nothing, or a comment only.
    var isBlank: Bool { text.isEmpty || text.first == "#" }
  }

  private var lines: [Line] = []
  private var position = 0
  private var depth = 0

  static let depthLimit = 32
  /// The most lines that a value in brackets or quotes may take.
  static let flowLineLimit = 1000

  /// The values of the keys that stand at the beginning of a line, and the keys whose values cannot
  /// be read, each with the reason.
  static func topLevel(
    _ lines: [Substring]
  ) -> (values: YAML, unreadable: [(key: String, reason: Unreadable)]) {
    var pairs: [YAML.Pair] = []
    var unreadable: [(String, Unreadable)] = []
    var start = lines.startIndex
    while start < lines.endIndex {
      var end = start + 1
      while end < lines.endIndex, !beginsEntry(lines[end]) { end += 1 }
      defer { start = end }
      var reader = YAMLReader(lines[start..<end], firstNumber: start + 1)
      reader.skipBlanks()
      guard let first = reader.current else { continue }
      do throws(Unreadable) {
        let value = try reader.block(from: 0)
        reader.skipBlanks()
        guard case .mapping(let own) = value, reader.current == nil else {
          throw Unreadable(line: first.number, reason: "it is no key with a value")
        }
        pairs += own
      } catch {
        unreadable.append((String(first.text.prefix { $0 != ":" }), error))
      }
    }
    return (.mapping(pairs), unreadable)
  }

  /// Whether a line begins an entry of the outermost mapping.
  private static func beginsEntry(_ line: Substring) -> Bool {
    guard let first = line.utf8.first else { return false }
    return first != 0x20 && first != UInt8(ascii: "-") && first != UInt8(ascii: "#")
      && first != UInt8(ascii: "]") && first != UInt8(ascii: "}")
  }

  private init(_ texts: ArraySlice<Substring>, firstNumber: Int) {
    for (index, text) in texts.enumerated() {
      let rest = text.drop { $0 == " " }
      lines.append(
        Line(
          indentation: text.utf8.count - rest.utf8.count, text: rest.withoutSpacesAtEnd,
          number: firstNumber + index))
    }
  }

  private var current: Line? { position < lines.count ? lines[position] : nil }

  private mutating func skipBlanks() {
    while let line = current, line.isBlank { position += 1 }
  }

  private func unreadable(_ reason: String) -> Unreadable {
    Unreadable(line: current?.number ?? lines.last?.number ?? 0, reason: reason)
  }

  // MARK: - Blocks

  /// Reads the value that begins on the current line, which is indented by at least `least`.
  private mutating func block(from least: Int) throws(Unreadable) -> YAML {
    skipBlanks()
    guard let line = current, line.indentation >= least else { return .null }
    depth += 1
    defer { depth -= 1 }
    guard depth <= YAMLReader.depthLimit else { throw unreadable("it is nested too deeply") }
    if line.text == "-" || line.text.hasPrefix("- ") { return try sequence(at: line.indentation) }
    if YAMLReader.splitKey(line.text) != nil { return try mapping(at: line.indentation) }
    return try inlineValue(line.text, parent: least - 1)
  }

  private mutating func sequence(at indentation: Int) throws(Unreadable) -> YAML {
    var elements: [YAML] = []
    while true {
      skipBlanks()
      guard let line = current, line.indentation == indentation,
        line.text == "-" || line.text.hasPrefix("- ")
      else { break }
      // What follows the hyphen is a line of its own, indented to where it stands.
      let rest = line.text.dropFirst().drop { $0 == " " }
      lines[position].indentation += line.text.utf8.count - rest.utf8.count
      lines[position].text = rest
      elements.append(try block(from: indentation + 1))
    }
    return .sequence(elements)
  }

  private mutating func mapping(at indentation: Int) throws(Unreadable) -> YAML {
    var pairs: [YAML.Pair] = []
    while true {
      skipBlanks()
      guard let line = current, line.indentation == indentation else { break }
      guard let (key, rest) = YAMLReader.splitKey(line.text) else {
        throw unreadable("a key was expected")
      }
      let name = try YAMLReader.keyText(key, line.number)
      pairs.append(YAML.Pair(key: name, value: try value(rest, of: indentation)))
    }
    if let line = current, line.indentation > indentation {
      throw unreadable("the indentation does not fit")
    }
    return .mapping(pairs)
  }

  /// Reads the value of a key, whose rest of the line is given.
  private mutating func value(
    _ rest: Substring, of indentation: Int
  ) throws(Unreadable) -> YAML {
    guard rest.isEmpty || rest.first == "#" else {
      return try inlineValue(rest, parent: indentation)
    }
    position += 1
    skipBlanks()
    // A sequence may stand as far left as its key.
    if let line = current, line.indentation == indentation,
      line.text == "-" || line.text.hasPrefix("- ")
    {
      return try block(from: indentation)
    }
    return try block(from: indentation + 1)
  }

  // MARK: - Values that begin within a line

  private mutating func inlineValue(
    _ text: Substring, parent: Int
  ) throws(Unreadable) -> YAML {
    switch text.first {
    case "|", ">": return try textBlock(text, parent: parent)
    case "[", "{", "\"", "'":
      var joined = String(text)
      for _ in 0..<YAMLReader.flowLineLimit {
        var flow = YAMLFlowReader(joined)
        let value = try flow.value(line: current?.number ?? 0)
        position += 1
        if let value { return value }
        guard let next = current else { break }
        joined += " " + next.text
      }
      throw unreadable("a bracket or quote is not closed")
    default: return try plain(text, parent: parent)
    }
  }

  /// A plain scalar, which goes on in lines that are indented further.
  private mutating func plain(_ text: Substring, parent: Int) throws(Unreadable) -> YAML {
    if let first = text.first, "&*!%@`".contains(first) {
      throw unreadable("'\(first)' is not supported")
    }
    var joined = String(text.withoutComment)
    var blanks = 0
    position += 1
    while let line = current, line.text.isEmpty || line.indentation > parent {
      if line.text.isEmpty {
        blanks += 1
      } else if line.text.first == "#" {
        break
      } else {
        guard YAMLReader.splitKey(line.text) == nil else {
          throw unreadable("a key stands where text was expected")
        }
        joined += blanks > 0 ? String(repeating: "\n", count: blanks) : " "
        joined += line.text.withoutComment
        blanks = 0
      }
      position += 1
    }
    return YAML(plain: joined)
  }

  /// `|` keeps the ends of lines, `>` turns them into spaces.
  private mutating func textBlock(_ header: Substring, parent: Int) throws(Unreadable) -> YAML {
    let marks = header.withoutComment.dropFirst()
    guard marks.allSatisfy({ "+-123456789".contains($0) }), marks.count <= 2 else {
      throw unreadable("the beginning of a block of text is not understood")
    }
    let stated = marks.compactMap(\.wholeNumberValue).first
    position += 1
    var block: [Line] = []
    while let line = current, line.text.isEmpty || line.indentation > parent {
      block.append(line)
      position += 1
    }
    let margin =
      stated.map { $0 + max(parent, 0) } ?? block.first { !$0.text.isEmpty }?.indentation ?? 0
    let texts = block.map { line in
      String(repeating: " ", count: max(0, line.text.isEmpty ? 0 : line.indentation - margin))
        + line.text
    }
    let ending = texts.reversed().prefix { $0.isEmpty }.count
    let body = texts.dropLast(ending)
    var text = header.first == "|" ? body.joined(separator: "\n") : YAMLReader.folded(body)
    if !body.isEmpty, !marks.contains("-") { text += "\n" }
    if marks.contains("+") { text += String(repeating: "\n", count: ending) }
    return .scalar(text, isText: true)
  }

  /// Lines joined by spaces; an empty line ends a line, and lines that are indented stay.
  private static func folded(_ lines: ArraySlice<String>) -> String {
    var text = ""
    var blanks = 0
    var previous: String?
    for line in lines {
      guard !line.isEmpty else {
        blanks += 1
        continue
      }
      if let last = previous {
        let keeps = last.hasPrefix(" ") || line.hasPrefix(" ")
        text += String(repeating: "\n", count: blanks + (keeps ? 1 : 0))
        if blanks == 0, !keeps { text += " " }
      } else {
        text += String(repeating: "\n", count: blanks)
      }
      text += line
      blanks = 0
      previous = line
    }
    return text
  }

  // MARK: - Keys

  /// The key of a line and what follows its colon; nil when the line has no key.
  private static func splitKey(_ text: Substring) -> (key: Substring, rest: Substring)? {
    guard let first = text.first, !"[{#|>".contains(first) else { return nil }
    var index = text.startIndex
    if first == "\"" || first == "'" {
      index = text.index(after: index)
      guard let close = text[index...].firstIndex(of: first) else { return nil }
      index = text.index(after: close)
      guard index < text.endIndex, text[index] == ":" else { return nil }
    }
    while let colon = text[index...].firstIndex(of: ":") {
      if let comment = text[index..<colon].firstIndex(of: "#"), comment > text.startIndex,
        text[text.index(before: comment)] == " "
      {
        return nil
      }
      let after = text.index(after: colon)
      if after == text.endIndex || text[after] == " " {
        return (text[..<colon], text[after...].drop { $0 == " " })
      }
      index = after
    }
    return nil
  }

  private static func keyText(_ key: Substring, _ line: Int) throws(Unreadable) -> String {
    guard let first = key.first, !"&*!?%@`".contains(first) else {
      throw Unreadable(line: line, reason: "the key is not understood")
    }
    guard first == "\"" || first == "'" else { return String(key.withoutSpacesAtEnd) }
    var flow = YAMLFlowReader(String(key))
    guard case .scalar(let text, _)? = try flow.value(line: line) else {
      throw Unreadable(line: line, reason: "the key is not understood")
    }
    return text
  }
}

extension Substring {
  fileprivate var withoutSpacesAtEnd: Substring {
    var result = self
    while result.last == " " { result.removeLast() }
    return result
  }

  /// The text up to a `#` with a space before it.
  fileprivate var withoutComment: Substring {
    var index = startIndex
    while let mark = self[index...].firstIndex(of: "#") {
      if mark > startIndex, self[self.index(before: mark)] == " " {
        return self[..<mark].withoutSpacesAtEnd
      }
      index = self.index(after: mark)
    }
    return self
  }
}
