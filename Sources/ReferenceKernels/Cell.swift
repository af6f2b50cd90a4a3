import TensorTypes

/// The smallest part of a tensor that can be moved on its own: one element, or one block.
///
/// Elements narrower than a byte take a byte each here, the code in its low bits; in files they are
/// packed without gaps, the first element in the lowest bits.
public struct Cell: Sendable, Hashable {
  public let encoding: Encoding
  public let elementCount: Int
  /// - Units: bytes of one cell in memory.
  public let byteCount: Int

  public init(_ encoding: Encoding) {
    self.encoding = encoding
    switch encoding {
    case .plain(let dtype):
      elementCount = 1
      byteCount = max(1, dtype.bitWidth / 8)
    case .block(let block):
      elementCount = block.elementCount
      byteCount = block.byteCount
    }
  }

  /// - Units: bits of one cell in a file.
  var packedBitCount: Int {
    switch encoding {
    case .plain(let dtype): dtype.bitWidth
    case .block(let block): 8 * block.byteCount
    }
  }

  /// Numbers in one element: 2 for complex ones, real part first.
  public var valuesPerElement: Int { encoding == .plain(.c64) ? 2 : 1 }

  /// The bytes of a file that hold some cells.
  public func packedBytes(_ cells: Range<Int>) -> Range<Int> {
    let bits = packedBitCount
    if bits % 8 == 0 { return cells.lowerBound * (bits / 8)..<cells.upperBound * (bits / 8) }
    return cells.lowerBound * bits / 8..<(cells.upperBound * bits + 7) / 8
  }

  /// Takes packed codes apart.
  ///
  /// - Parameter packed: the bytes that `packedBytes(cells)` names.
  func unpack(
    _ packed: UnsafeRawBufferPointer, _ cells: Range<Int>,
    into codes: UnsafeMutableRawBufferPointer
  ) {
    let bits = packedBitCount
    let start = cells.lowerBound * bits / 8 * 8
    for (position, cell) in cells.enumerated() {
      let bit = cell * bits - start
      var window = UInt16(packed[bit / 8])
      if bit / 8 + 1 < packed.count { window |= UInt16(packed[bit / 8 + 1]) << 8 }
      codes[position] = UInt8(window >> UInt16(bit % 8) & (1 << UInt16(bits) - 1))
    }
  }
}
