import TensorTypes

/// The order of the bytes of a number in a file.
public enum ByteOrder: String, Sendable, Hashable {
  case little, big
}

/// Reads a source from front to back through a small window, and always knows where it is.
///
/// Nothing is allocated before the bytes are known to be there.
public struct Cursor: ~Copyable {
  public let source: any ByteSource
  /// - Units: bytes from the start of the source.
  public private(set) var position: Int
  public var byteOrder = ByteOrder.little

  private var window: [UInt8] = []
  private var windowStart = 0
  private let windowByteCount: Int

  public init(_ source: any ByteSource, position: Int = 0, windowByteCount: Int = 1 << 16) {
    self.source = source
    self.position = position
    self.windowByteCount = windowByteCount
  }

  /// The bytes between the position and the end of the source.
  public var remaining: Int { source.byteCount - position }

  /// The next integer, in the cursor's byte order.
  public mutating func read<T: FixedWidthInteger>(_ type: T.Type) throws(Failure) -> T {
    let width = MemoryLayout<T>.size
    try fill(width)
    let start = position - windowStart
    let raw = window.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start, as: T.self) }
    position += width
    return byteOrder == .little ? T(littleEndian: raw) : T(bigEndian: raw)
  }

  /// The next `count` bytes.
  public mutating func readBytes(_ count: Int) throws(Failure) -> [UInt8] {
    if count <= windowByteCount {
      try fill(count)
      let start = position - windowStart
      position += count
      return Array(window[start..<start + count])
    }
    try require(count)
    let bytes = try source.bytes(at: position, count: count)
    position += count
    return bytes
  }

  /// The next `count` bytes as UTF-8 text.
  public mutating func readText(_ count: Int) throws(Failure) -> ByteString {
    let start = position
    let text: ByteString?
    if count <= windowByteCount {
      try fill(count)
      let first = position - windowStart
      text = window.withUnsafeBufferPointer {
        ByteString(validatingBuffer: UnsafeBufferPointer(rebasing: $0[first..<first + count]))
      }
      position += count
    } else {
      text = ByteString(validating: try readBytes(count))
    }
    guard let text else { throw try notUTF8(start, count) }
    return text
  }

  public mutating func skip(_ count: Int) throws(Failure) {
    try require(count)
    position += count
  }

  /// - Throws: `badInput` when fewer than `count` bytes are left.
  public func require(_ count: Int) throws(Failure) {
    guard count >= 0, count <= remaining else { throw tooShort(count, max(0, remaining)) }
  }

  /// Makes the next `count` bytes lie in the window.
  private mutating func fill(_ count: Int) throws(Failure) {
    try require(count)
    if position >= windowStart, position + count <= windowStart + window.count { return }
    window = try source.bytes(at: position, atMost: max(count, windowByteCount))
    windowStart = position
    guard count <= window.count else { throw tooShort(count, window.count) }
  }

  private func tooShort(_ count: Int, _ found: Int) -> Failure {
    Failure(
      .badInput, "the file ends too early", file: source.name, offset: position,
      expected: "\(count) bytes", found: "\(found) to the end of the file")
  }

  private func notUTF8(_ start: Int, _ count: Int) throws(Failure) -> Failure {
    let bytes = try source.bytes(at: start, count: count)
    let valid = ByteString.validByteCount(of: bytes)
    return Failure(
      .badInput, "the text is not valid UTF-8", file: source.name, offset: start + valid,
      expected: "UTF-8", found: "byte 0x" + String(bytes[valid], radix: 16, uppercase: true))
  }
}
