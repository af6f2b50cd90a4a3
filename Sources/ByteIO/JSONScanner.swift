import TensorTypes

/// Reads JSON text strictly by RFC 8259, value by value, and knows the byte it is at.
///
/// The caller says what it expects and the scanner throws when something else comes: there is no
/// tree in between, so a header of 100,000 tensors is read in one pass. Text must be UTF-8; lone
/// surrogates, control characters in strings, leading zeros, trailing commas and comments are
/// errors.
public struct JSONScanner {
  /// Nesting deeper than this is an error: no weight file needs it, and recursion costs stack.
  public static let depthLimit = 64

  private let bytes: [UInt8]
  private let base: Int
  private let file: String?
  private var index: Int
  private var depth = 0

  /// - Parameter base: the offset of the first byte in the file, for messages.
  public init(_ bytes: [UInt8], base: Int = 0, file: String? = nil) {
    self.bytes = bytes
    self.base = base
    self.file = file
    index = 0
  }

  /// - Units: bytes from the start of the file.
  public var offset: Int { base + index }

  /// What the next value is, after any white space.
  public enum Kind: Sendable {
    case object, array, string, number, literal
  }

  public mutating func nextKind() throws(Failure) -> Kind {
    skipWhitespace()
    switch peek() ?? 0 {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): return .literal
    default: throw unexpected("a JSON value")
    }
  }

  /// Reads an object, calling `body` with each key; `body` reads the value.
  ///
  /// Whether a key may come twice is the caller's to say; every caller in `port` refuses it.
  public mutating func object(
    _ body: (inout JSONScanner, ByteString, _ keyOffset: Int) throws(Failure) -> Void
  ) throws(Failure) {
    try open(UInt8(ascii: "{"), "'{'")
    skipWhitespace()
    if take(UInt8(ascii: "}")) {
      depth -= 1
      return
    }
    while true {
      skipWhitespace()
      let keyOffset = offset
      let key = try string()
      skipWhitespace()
      try expect(UInt8(ascii: ":"), "':'")
      try body(&self, key, keyOffset)
      skipWhitespace()
      if take(UInt8(ascii: ",")) { continue }
      try expect(UInt8(ascii: "}"), "',' or '}'")
      depth -= 1
      return
    }
  }

  /// Reads an array, calling `body` for each element; `body` reads it.
  public mutating func array(
    _ body: (inout JSONScanner) throws(Failure) -> Void
  ) throws(Failure) {
    try open(UInt8(ascii: "["), "'['")
    skipWhitespace()
    if take(UInt8(ascii: "]")) {
      depth -= 1
      return
    }
    while true {
      try body(&self)
      skipWhitespace()
      if take(UInt8(ascii: ",")) { continue }
      try expect(UInt8(ascii: "]"), "',' or ']'")
      depth -= 1
      return
    }
  }

  /// Reads a string.
  public mutating func string() throws(Failure) -> ByteString {
    skipWhitespace()
    try expect(UInt8(ascii: "\""), "a string")
    let start = index
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        let text = bytes.withUnsafeBufferPointer {
          ByteString(validatingBuffer: UnsafeBufferPointer(rebasing: $0[start..<index]))
        }
        guard let text else { throw notUTF8(start, index) }
        index += 1
        return text
      case UInt8(ascii: "\\"):
        return try escapedString(from: start)
      case 0..<0x20:
        throw unexpected("no control character in a string")
      default:
        index += 1
      }
    }
    throw unexpected("'\"' at the end of the string")
  }

  /// Reads a whole number that fits `Int` and is not negative: digits only, no sign, fraction or
  /// exponent.
  public mutating func count() throws(Failure) -> Int {
    skipWhitespace()
    let start = index
    var value = 0
    while let byte = peek(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
      let (scaled, o1) = value.multipliedReportingOverflow(by: 10)
      let (sum, o2) = scaled.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
      if o1 || o2 {
        index = start
        throw unexpected("a whole number up to 2^63-1")
      }
      value = sum
      index += 1
    }
    let isWhole =
      switch peek() {
      case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): false
      default: true
      }
    guard index > start, isWhole, index - start == 1 || bytes[start] != UInt8(ascii: "0") else {
      index = start
      throw unexpected("a whole number")
    }
    return value
  }

  /// Reads a number and returns its spelling.
  public mutating func number() throws(Failure) -> String {
    skipWhitespace()
    let start = index
    _ = take(UInt8(ascii: "-"))
    let integerStart = index
    skipDigits()
    guard index > integerStart,
      index - integerStart == 1 || bytes[integerStart] != UInt8(ascii: "0")
    else { throw unexpected("a number") }
    if take(UInt8(ascii: ".")) {
      let fraction = index
      skipDigits()
      guard index > fraction else { throw unexpected("a digit") }
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      let exponent = index
      skipDigits()
      guard index > exponent else { throw unexpected("a digit") }
    }
    return String(decoding: bytes[start..<index], as: UTF8.self)
  }

  /// Reads `true`, `false` or `null`; nil stands for `null`.
  public mutating func literal() throws(Failure) -> Bool? {
    skipWhitespace()
    if takeWord("true") { return true }
    if takeWord("false") { return false }
    if takeWord("null") { return nil }
    throw unexpected("true, false or null")
  }

  /// Reads any value and forgets it.
  public mutating func skipValue() throws(Failure) {
    switch try nextKind() {
    case .object: try object { (s, _, _) throws(Failure) in try s.skipValue() }
    case .array: try array { (s) throws(Failure) in try s.skipValue() }
    case .string: _ = try string()
    case .number: _ = try number()
    case .literal: _ = try literal()
    }
  }

  /// Requires that nothing but white space follows.
  public mutating func end() throws(Failure) {
    skipWhitespace()
    if index < bytes.count { throw unexpected("the end of the JSON text") }
  }

  /// An error about the next byte.
  public func unexpected(_ expected: String) -> Failure {
    let found =
      if index >= bytes.count {
        "the end of the text"
      } else if bytes[index] >= 0x21, bytes[index] < 0x7F {
        "'\(Character(UnicodeScalar(bytes[index])))'"
      } else {
        "byte 0x" + String(bytes[index], radix: 16, uppercase: true)
      }
    return Failure(
      .badInput, "the JSON text is malformed", file: file, offset: offset, expected: expected,
      found: found)
  }

  // MARK: - Steps

  private func peek() -> UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipWhitespace() {
    while index < bytes.count {
      switch bytes[index] {
      case 0x20, 0x09, 0x0A, 0x0D: index += 1
      default: return
      }
    }
  }

  private mutating func skipDigits() {
    while let byte = peek(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { index += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard index < bytes.count, bytes[index] == byte else { return false }
    index += 1
    return true
  }

  private mutating func takeWord(_ word: StaticString) -> Bool {
    let end = index + word.utf8CodeUnitCount
    guard end <= bytes.count else { return false }
    let isEqual = word.withUTF8Buffer { bytes[index..<end].elementsEqual($0) }
    if isEqual { index = end }
    return isEqual
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws(Failure) {
    if !take(byte) { throw unexpected(what) }
  }

  private mutating func open(_ byte: UInt8, _ what: String) throws(Failure) {
    skipWhitespace()
    guard depth < JSONScanner.depthLimit else {
      throw Failure(
        .badInput, "the JSON text is nested too deeply", file: file, offset: offset,
        expected: "at most \(JSONScanner.depthLimit) levels", found: "more")
    }
    try expect(byte, what)
    depth += 1
  }

  /// An error about the string whose bytes, escapes included, lie between `start` and `end`.
  private func notUTF8(_ start: Int, _ end: Int) -> Failure {
    let valid = start + ByteString.validByteCount(of: bytes[start..<end])
    return Failure(
      .badInput, "the JSON text is not valid UTF-8", file: file, offset: base + valid,
      expected: "UTF-8", found: "byte 0x" + String(bytes[valid], radix: 16, uppercase: true))
  }

  /// Reads the rest of a string whose first escape is at `index`.
  private mutating func escapedString(from start: Int) throws(Failure) -> ByteString {
    var decoded = Array(bytes[start..<index])
    while index < bytes.count {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = ByteString(validating: decoded) else { throw notUTF8(start, index) }
        index += 1
        return text
      case UInt8(ascii: "\\"):
        index += 1
        try decoded.append(contentsOf: escape())
      case 0..<0x20:
        throw unexpected("no control character in a string")
      default:
        decoded.append(byte)
        index += 1
      }
    }
    throw unexpected("'\"' at the end of the string")
  }

  /// Reads what follows a backslash.
  private mutating func escape() throws(Failure) -> [UInt8] {
    guard let byte = peek() else { throw unexpected("an escape") }
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      let high = try hexQuad()
      if let scalar = Unicode.Scalar(high) { return Array(String(scalar).utf8) }
      guard high < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
        throw unexpected("the second half of a surrogate pair")
      }
      let low = try hexQuad()
      guard (0xDC00..<0xE000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
      else { throw unexpected("the second half of a surrogate pair") }
      return Array(String(scalar).utf8)
    default:
      index -= 1
      throw unexpected("an escape")
    }
  }

  private mutating func hexQuad() throws(Failure) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = Character(UnicodeScalar(byte)).hexDigitValue,
        byte < 0x80
      else { throw unexpected("four hexadecimal digits") }
      value = value << 4 | UInt32(digit)
      index += 1
    }
    return value
  }
}
