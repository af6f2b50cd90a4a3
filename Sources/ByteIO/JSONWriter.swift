import TensorTypes

/// Writes JSON, byte for byte in the order of the calls; the caller keeps it well-formed.
///
/// The text is compact but for the lines that the caller begins.
public struct JSONWriter {
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  public init() {}

  /// Begins an object or array: `"{"` or `"["`.
  public mutating func open(_ bracket: Unicode.Scalar) {
    separate()
    bytes.append(UInt8(ascii: bracket))
    needsComma = false
  }

  /// Ends an object or array: `"}"` or `"]"`.
  public mutating func close(_ bracket: Unicode.Scalar) {
    bytes.append(UInt8(ascii: bracket))
    needsComma = true
  }

  public mutating func key(_ key: ByteString, spaced: Bool = false) {
    string(key)
    bytes += (spaced ? ": " : ":").utf8
    needsComma = false
  }

  /// Begins a line for the next member or element; nil for none.
  public mutating func newline(indentation: Int?) {
    guard let indentation else { return }
    separate()
    needsComma = false
    endLine(indentation: indentation)
  }

  /// Ends a line; the next one is indented by so many levels.
  public mutating func endLine(indentation: Int?) {
    guard let indentation else { return }
    bytes.append(UInt8(ascii: "\n"))
    bytes += repeatElement(UInt8(ascii: " "), count: 2 * indentation)
  }

  public mutating func string(_ text: ByteString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes += "\\\"".utf8
      case UInt8(ascii: "\\"): bytes += "\\\\".utf8
      case 0x08: bytes += "\\b".utf8
      case 0x09: bytes += "\\t".utf8
      case 0x0A: bytes += "\\n".utf8
      case 0x0C: bytes += "\\f".utf8
      case 0x0D: bytes += "\\r".utf8
      case 0..<0x20:
        bytes += "\\u00".utf8
        bytes += (byte < 16 ? "0" : "").utf8
        bytes += String(byte, radix: 16).utf8
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
    needsComma = true
  }

  public mutating func integer(_ value: Int) {
    raw(String(value))
  }

  public mutating func bool(_ value: Bool) {
    raw(value ? "true" : "false")
  }

  public mutating func null() {
    raw("null")
  }

  /// The shortest spelling that reads back as the same double; `null` where JSON has none.
  public mutating func number(_ value: Double) {
    if !value.isFinite {
      null()
    } else if value == value.rounded(), abs(value) < 1e15 {
      raw(String(Int(value)))
    } else {
      raw("\(value)")
    }
  }

  /// An array of whole numbers.
  public mutating func counts(_ values: [Int]) {
    open("[")
    for value in values { integer(value) }
    close("]")
  }

  private mutating func raw(_ text: String) {
    separate()
    bytes += text.utf8
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
  }
}
