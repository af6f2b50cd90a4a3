/// Where the elements of a tensor lie relative to each other.
public enum Layout: Sendable, Hashable {
  /// C order: the last axis is contiguous.
  case rowMajor
  /// Tiles of `rows × columns`, each row-major, column of tiles after column of tiles.
  case tiled(rows: Int, columns: Int)
}

/// What is known of a tensor without its values: shape, encoding, layout, and so its size.
public struct TensorType: Sendable, Hashable {
  public let shape: Shape
  public let encoding: Encoding
  public let layout: Layout

  public init(shape: Shape, encoding: Encoding, layout: Layout = .rowMajor) {
    self.shape = shape
    self.encoding = encoding
    self.layout = layout
  }

  /// The number of bytes of the tensor; nil when it overflows, when the elements do not fill whole
  /// bytes, or when the row is not a whole number of blocks.
  public var byteCount: Int? {
    guard let elementCount = shape.elementCount else { return nil }
    switch (encoding, layout) {
    case (.block, _) where shape.rowLength % encoding.unitElementCount != 0:
      return nil
    case (.plain(let dtype), .rowMajor):
      let (bits, overflow) = elementCount.multipliedReportingOverflow(by: dtype.bitWidth)
      return overflow || bits % 8 != 0 ? nil : bits / 8
    case (.block, .rowMajor):
      return encoding.byteCount(elementCount: elementCount)
    case (_, .tiled(let rows, let columns)):
      guard let rowCount = shape.rowCount,
        let paddedRows = rowCount.rounded(upToMultipleOf: rows),
        let paddedColumns = shape.rowLength.rounded(upToMultipleOf: columns)
      else { return nil }
      let (padded, overflow) = paddedRows.multipliedReportingOverflow(by: paddedColumns)
      return overflow ? nil : encoding.byteCount(elementCount: padded)
    }
  }

  public func with(encoding: Encoding) -> TensorType {
    TensorType(shape: shape, encoding: encoding, layout: layout)
  }

  public func with(shape: Shape) -> TensorType {
    TensorType(shape: shape, encoding: encoding, layout: layout)
  }
}

extension TensorType: CustomStringConvertible {
  public var description: String { "\(encoding)\(shape)" }
}

extension Int {
  /// The next multiple of `unit` that is not smaller; nil when it overflows.
  ///
  /// - Precondition: `self ≥ 0` and `unit > 0`.
  public func rounded(upToMultipleOf unit: Int) -> Int? {
    let remainder = self % unit
    if remainder == 0 { return self }
    let (sum, overflow) = addingReportingOverflow(unit - remainder)
    return overflow ? nil : sum
  }
}
