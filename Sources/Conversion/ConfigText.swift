import ByteIO
import TensorTypes

/// The text of a `config.json`, changed here and there with every other byte left as it is.
struct ConfigText {
  /// A member of an object by its place in the text.
  private struct Member {
    let key: ByteString
    let start: Int
    let value: Range<Int>
    let isString: Bool
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
        Member(key: key, start: start, value: first..<s.offset, isString: kind == .string))
    }
    objects.append(members)
    objects += inner.flatMap(\.objects)
  }

  /// Takes members out.
  mutating func remove(_ keys: [ByteString]) {
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

  /// Gives members that are strings another value.
  mutating func replace(_ keys: [ByteString], by text: String) {
    for member in objects.joined() where keys.contains(member.key) && member.isString {
      edits.append((member.value, Array("\"\(text)\"".utf8)))
    }
  }

  /// Adds a member to the config, given as text.
  mutating func append(_ member: String) {
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
