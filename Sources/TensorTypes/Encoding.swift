/// How the elements of one tensor are stored: one by one, or in blocks along each row.
public enum Encoding: Sendable, Hashable {
  case plain(DType)
  case block(BlockType)

  public static let f32 = Encoding.plain(.f32)
  public static let f16 = Encoding.plain(.f16)
  public static let bf16 = Encoding.plain(.bf16)
  public static let q8_0 = Encoding.block(.q8_0)

  /// The name as the table spells it: `F32`, `q8_0`.
  public var name: String {
    switch self {
    case .plain(let dtype): dtype.name
    case .block(let block): block.name
    }
  }

  public var isBlock: Bool { if case .block = self { true } else { false } }

  /// The smallest number of consecutive elements that fill whole bytes on their own.
  public var unitElementCount: Int {
    switch self {
    case .plain(let dtype): dtype.bitWidth >= 8 ? 1 : (dtype.bitWidth == 4 ? 2 : 4)
    case .block(let block): block.elementCount
    }
  }

  /// - Units: bytes of one unit of `unitElementCount` elements.
  public var unitByteCount: Int {
    switch self {
    case .plain(let dtype): unitElementCount * dtype.bitWidth / 8
    case .block(let block): block.byteCount
    }
  }

  /// The bytes of `elementCount` consecutive elements; nil when they do not fill whole units or
  /// the product overflows.
  public func byteCount(elementCount: Int) -> Int? {
    guard elementCount >= 0, elementCount % unitElementCount == 0 else { return nil }
    let (bytes, overflow) = (elementCount / unitElementCount)
      .multipliedReportingOverflow(by: unitByteCount)
    return overflow ? nil : bytes
  }
}

extension Encoding: CustomStringConvertible {
  public var description: String { name }
}
