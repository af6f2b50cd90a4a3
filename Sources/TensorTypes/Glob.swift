/// A pattern for names: `*` stands for any text, `?` for one byte, everything else for itself.
public struct Glob: Sendable, Hashable {
  public let pattern: String
  private let bytes: [UInt8]

  public init(_ pattern: String) {
    self.pattern = pattern
    bytes = Array(pattern.utf8)
  }

  /// Whether the whole name is of this form.
  ///
  /// - Complexity: the product of both lengths at most.
  public func matches(_ name: ByteString) -> Bool {
    let text = Array(name.utf8)
    var position = 0
    var index = 0
    var star: (index: Int, position: Int)?
    while position < text.count {
      if index < bytes.count, bytes[index] == UInt8(ascii: "*") {
        star = (index, position)
        index += 1
      } else if index < bytes.count,
        bytes[index] == UInt8(ascii: "?") || bytes[index] == text[position]
      {
        index += 1
        position += 1
      } else if let last = star {
        index = last.index + 1
        position = last.position + 1
        star = (last.index, position)
      } else {
        return false
      }
    }
    return bytes[index...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
