import Accelerators
import ByteIO
import TensorTypes

/// The text of a `config.json`, changed here and there with every other byte left as it is.
struct ConfigText {
  /// A member of an object by its place in the text.
  private struct Member {
    let key: ByteString
    let start: Int
    let value: Range<Int>
    let kind: JSONScanner.Kind
  }

  private let source: [UInt8]
  /// Those of the config, and those of a `text_config` in it.
  private var objects: [[Member]] = []
  private var edits: [(range: Range<Int>, text: [UInt8])] = []

  /// - Throws: `badInput` for text that is no JSON object.
  init(_ bytes: [UInt8], file: String) throws(Failure) {
    source = bytes
    var scanner = JSONScanner(bytes, file: file)
    try read(&scanner)
  }

  private mutating func read(_ scanner: inout JSONScanner) throws(Failure) {
    var members: [Member] = []
    var inner: [ConfigText] = []
    var copy = self
    copy.objects = []
    try scanner.object { (s, key, start) throws(Failure) in
      let kind = try s.nextKind()
      let first = s.offset
      if key == "text_config", kind == .object {
        var nested = copy
        try nested.read(&s)
        inner.append(nested)
      } else {
        try s.skipValue()
      }
      members.append(
        Member(key: key, start: start, value: first..<s.offset, kind: kind))
    }
    objects.append(members)
    objects += inner.flatMap(\.objects)
  }

  /// Changes what some rules say; once.
  mutating func apply(_ rules: [ConfigRule]) {
    var removed: [ByteString] = []
    var added: [String] = []
    for edit in rules.flatMap(\.edits) {
      switch edit {
      case .remove(let key): removed.append(key)
      case .replace(let key, let value): replace(key, by: value)
      case .add(let key, let value):
        removed.append(key)
        let text = String(decoding: value.sortedText.dropLast(), as: UTF8.self)
        added.append("\"\(key.text)\": " + text.replacing("\n", with: "\n  "))
      }
    }
    remove(removed)
    if !added.isEmpty { append(added.joined(separator: ",\n  ")) }
  }

  /// Takes members out.
  private mutating func remove(_ keys: [ByteString]) {
    for members in objects {
      for (position, member) in members.enumerated() where keys.contains(member.key) {
        let isFollowed = members[(position + 1)...].contains { !keys.contains($0.key) }
        if isFollowed {
          edits.append((member.start..<members[position + 1].start, []))
        } else {
          let start = position == 0 ? member.start : members[position - 1].value.upperBound
          edits.append((start..<member.value.upperBound, []))
        }
      }
    }
  }

  /// Gives members another value of their kind.
  private mutating func replace(_ key: ByteString, by value: JSON) {
    let kind: JSONScanner.Kind = if case .string = value { .string } else { .number }
    for member in objects.joined() where member.key == key && member.kind == kind {
      edits.append((member.value, value.sortedLine))
    }
  }

  /// Adds members to the config, given as text.
  private mutating func append(_ member: String) {
    // The members of the config stand first.
    let kept = objects[0].last { member in
      !edits.contains { $0.range.contains(member.start) && $0.text.isEmpty }
    }
    let end = kept?.value.upperBound ?? source.firstIndex(of: UInt8(ascii: "{"))! + 1  // an object
    let text = (kept == nil ? "" : ",") + "\n  \(member)"
    edits.append((end..<end, Array(text.utf8)))
  }

  /// The text with all changes.
  var bytes: [UInt8] {
    var result: [UInt8] = []
    var position = 0
    let sorted = edits.sorted {
      // What is added stands before what is taken out at the same place.
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    for (range, text) in sorted {
      result += source[position..<range.lowerBound] + text
      position = range.upperBound
    }
    return result + source[position...]
  }
}
