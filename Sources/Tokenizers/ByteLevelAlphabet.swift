import TensorTypes

/// The characters that stand for bytes in byte-level BPE: a printable character of Latin-1 for its
/// own byte, and the characters from U+0100 on for the other 68 in their order.
///
/// - Source: openai/gpt-2 `src/encoder.py`, `bytes_to_unicode`.
enum ByteLevelAlphabet {
  private static let ownRanges: [ClosedRange<UInt32>] = [0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF]

  private static let bytes: [Unicode.Scalar: UInt8] = {
    var bytes: [Unicode.Scalar: UInt8] = [:]
    var next: UInt32 = 0x100
    for value in UInt32(0)...0xFF {
      let code = ownRanges.contains { $0.contains(value) } ? value : next
      if code == next { next += 1 }
      bytes[Unicode.Scalar(code)!] = UInt8(value)  // no surrogate lies below U+0200
    }
    return bytes
  }()

  /// The text that a token stands for. A token with a character outside the alphabet stands for
  /// itself, and so does one whose bytes are no text.
  static func decoded(_ token: ByteString) -> ByteString {
    var decoded: [UInt8] = []
    for scalar in token.text.unicodeScalars {
      guard let byte = bytes[scalar] else { return token }
      decoded.append(byte)
    }
    return ByteString(validating: decoded) ?? token
  }
}
