/// The bytes of a GGUF file of any version and byte order, written piece by piece and exactly as
/// told: every count, type and offset may be wrong.
public struct GGUFBytes {
  public private(set) var bytes: [UInt8] = []
  private let version: UInt32
  private let isBigEndian: Bool

  public init(version: UInt32 = 3, isBigEndian: Bool = false) {
    self.version = version
    self.isBigEndian = isBigEndian
  }

  /// Magic, version and the two counts.
  public func header(tensors: UInt64 = 0, items: UInt64 = 0) -> GGUFBytes {
    raw("GGUF").integer(version).count(tensors).count(items)
  }

  public func raw(_ more: [UInt8]) -> GGUFBytes {
    var copy = self
    copy.bytes += more
    return copy
  }

  public func raw(_ text: String) -> GGUFBytes { raw(Array(text.utf8)) }

  public func integer<T: FixedWidthInteger>(_ value: T) -> GGUFBytes {
    raw(withUnsafeBytes(of: isBigEndian ? value.bigEndian : value.littleEndian) { Array($0) })
  }

  /// A count or length: 32 bits in version 1, 64 later.
  public func count(_ value: UInt64) -> GGUFBytes {
    version == 1 ? integer(UInt32(truncatingIfNeeded: value)) : integer(value)
  }

  public func string(_ text: String) -> GGUFBytes { count(UInt64(text.utf8.count)).raw(text) }

  /// A key and the id of its value's type; the value follows.
  public func key(_ key: String, type: UInt32) -> GGUFBytes { string(key).integer(type) }

  public func alignment(_ value: UInt32) -> GGUFBytes {
    key("general.alignment", type: 4).integer(value)
  }

  /// An entry of the table of tensors; `axes` as in the file, fastest first.
  public func tensor(
    _ name: String, _ axes: [UInt64], type: UInt32 = 0, offset: UInt64 = 0, rank: UInt32? = nil
  ) -> GGUFBytes {
    let start = string(name).integer(rank ?? UInt32(axes.count))
    return axes.reduce(start) { $0.count($1) }.integer(type).integer(offset)
  }

  /// Zeros up to a multiple of the alignment.
  public func padded(to alignment: Int = 32) -> GGUFBytes {
    zeros((alignment - bytes.count % alignment) % alignment)
  }

  public func zeros(_ count: Int) -> GGUFBytes { raw([UInt8](repeating: 0, count: count)) }
}
