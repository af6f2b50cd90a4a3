#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Text that is equal only to text with the same UTF-8 bytes.
///
/// Swift's `String` treats canonically equivalent spellings ("é" composed and decomposed) as one
/// value; two tensors or tokens spelt so are two. Every name, key and token that comes from a file
/// is therefore a `ByteString`. Order is the order of the bytes.
public struct ByteString: Sendable {
  /// The same bytes as a `String`, for printing and for APIs that want one.
  public let text: String

  public init(_ text: String) {
    var text = text
    text.makeContiguousUTF8()
    self.text = text
  }

  /// Validates `bytes` as UTF-8; nil when they are not.
  public init?(validating bytes: some Sequence<UInt8>) {
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    self.text = text
  }

  /// The same for bytes in memory, several times faster for ASCII, as names are.
  public init?(validatingBuffer bytes: UnsafeBufferPointer<UInt8>) {
    let isASCII = bytes.allSatisfy { $0 < 0x80 }
    let text =
      isASCII
      ? String(unsafeUninitializedCapacity: bytes.count) { $0.initialize(fromContentsOf: bytes) }
      : String(validating: bytes, as: UTF8.self)
    guard let text else { return nil }
    self.text = text
  }

  /// The length of the longest prefix of `bytes` that is valid UTF-8, for messages.
  public static func validByteCount(of bytes: some Sequence<UInt8>) -> Int {
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var count = 0
    while case .valid(let scalar) = parser.parseScalar(from: &iterator) { count += scalar.count }
    return count
  }

  public var utf8: String.UTF8View { text.utf8 }
  public var isEmpty: Bool { text.utf8.isEmpty }

  public func hasPrefix(_ prefix: String) -> Bool {
    text.utf8.starts(with: prefix.utf8)
  }

  public func contains(_ part: ByteString) -> Bool {
    withBytes { bytes in
      part.withBytes { part in
        guard let first = part.first else { return true }
        guard bytes.count >= part.count else { return false }
        for start in 0...bytes.count - part.count where bytes[start] == first {
          if memcmp(bytes.baseAddress! + start, part.baseAddress!, part.count) == 0 {
            return true  // neither is empty
          }
        }
        return false
      }
    }
  }

  public func hasSuffix(_ suffix: String) -> Bool {
    text.utf8.reversed().starts(with: suffix.utf8.reversed())
  }

  /// What stands before a suffix; nil when the bytes do not end in it.
  public func dropping(suffix: String) -> ByteString? {
    guard hasSuffix(suffix) else { return nil }
    return ByteString(String(decoding: text.utf8.dropLast(suffix.utf8.count), as: UTF8.self))
  }
}

extension ByteString: Hashable {
  public static func == (a: ByteString, b: ByteString) -> Bool {
    a.withBytes { x in
      b.withBytes { y in
        x.count == y.count && (x.isEmpty || memcmp(x.baseAddress!, y.baseAddress!, x.count) == 0)
      }
    }
  }

  public func hash(into hasher: inout Hasher) {
    withBytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }

  /// Gives the bytes to `body`.
  public func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
    // Every initialiser makes the storage contiguous.
    text.utf8.withContiguousStorageIfAvailable(body)!
  }
}

extension ByteString: Comparable {
  public static func < (a: ByteString, b: ByteString) -> Bool {
    a.withBytes { x in b.withBytes { y in x.lexicographicallyPrecedes(y) } }
  }
}

extension ByteString: ExpressibleByStringLiteral, CustomStringConvertible {
  public init(stringLiteral value: String) {
    self.init(value)
  }

  /// The text with control characters escaped, safe to print on a terminal.
  public var description: String { text.escapingControlCharacters }
}

extension String {
  /// The text with C0, DEL and C1 control characters, and the marks that reorder bidirectional
  /// text, written as `\u{…}`.
  public var escapingControlCharacters: String {
    guard unicodeScalars.contains(where: \.isUnprintable) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      if scalar.isUnprintable {
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension Unicode.Scalar {
  fileprivate var isUnprintable: Bool {
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
