import TensorTypes

/// Reads the fields of one Protocol Buffers message, of any schema.
///
/// Every length is checked against the bytes that are there before it is used; the number of steps
/// is bounded by the number of bytes.
///
/// - Source: Protocol Buffers, "Encoding".
struct ProtobufReader {
  /// The value of a field as it lies in the message.
  enum Value: Hashable {
    case varint(UInt64), fixed64(UInt64), fixed32(UInt32)
    /// Bytes of the source: text, a message, packed numbers.
    case bytes(Range<Int>)
  }

  struct Field {
    let number: Int
    let value: Value
    /// Where its tag begins.
    /// - Units: bytes from the start of the source.
    let offset: Int
  }

  let source: [UInt8]
  let file: String
  private var position: Int
  private let end: Int

  /// - Parameter range: the bytes of the message; nil for the whole source.
  init(_ source: [UInt8], in range: Range<Int>? = nil, file: String) {
    self.source = source
    self.file = file
    position = range?.lowerBound ?? 0
    end = range?.upperBound ?? source.count
  }

  /// The next field; nil at the end of the message.
  ///
  /// - Throws: `badInput` for a message that ends too early, a number of more than 64 bits, or a
  ///   kind of field that no current writer uses.
  mutating func next() throws(Failure) -> Field? {
    guard position < end else { return nil }
    let start = position
    let tag = try varint()
    guard let number = Int(exactly: tag >> 3), (1...0x1FFF_FFFF).contains(number) else {
      throw failure(start, "a field has no valid number", "1 to 536870911", "\(tag >> 3)")
    }
    let value: Value
    switch tag & 7 {
    case 0: value = .varint(try varint())
    case 1: value = .fixed64(try fixed(UInt64.self))
    case 2:
      let place = position
      let length = try varint()
      guard length <= UInt64(end - position) else {
        throw failure(
          place, "a field is longer than its message", "at most \(end - position) bytes",
          "\(length)")
      }
      value = .bytes(position..<position + Int(length))  // fits, for it is below `end`
      position += Int(length)
    case 5: value = .fixed32(try fixed(UInt32.self))
    default: throw failure(start, "a field has an unknown kind", "0, 1, 2 or 5", "\(tag & 7)")
    }
    return Field(number: number, value: value, offset: start)
  }

  private mutating func varint() throws(Failure) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard position < end else {
        throw failure(start, "the message ends too early", "a whole number", "its beginning")
      }
      let byte = source[position]
      position += 1
      if shift == 63, byte > 1 { break }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw failure(start, "a number is too large", "at most 64 bits", "more")
  }

  private mutating func fixed<T: FixedWidthInteger>(_: T.Type) throws(Failure) -> T {
    let width = MemoryLayout<T>.size
    guard end - position >= width else {
      throw failure(
        position, "the message ends too early", "\(width) bytes", "\(end - position)")
    }
    defer { position += width }
    return source[position..<position + width].reversed().reduce(0) { $0 << 8 | T($1) }
  }

  private func failure(
    _ offset: Int, _ message: String, _ expected: String, _ found: String
  ) -> Failure {
    Failure(
      .badInput, message, file: file, offset: offset, expected: expected, found: found)
  }
}
