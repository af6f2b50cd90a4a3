/// The lengths of a tensor's axes, slowest axis first (row-major).
///
/// Rank 0 is one element. An axis may have length 0.
public struct Shape: Sendable, Hashable {
  public let axes: [Int]

  /// - Precondition: no axis is negative.
  public init(_ axes: [Int]) {
    precondition(axes.allSatisfy { $0 >= 0 }, "an axis has a negative length")
    self.axes = axes
  }

  public var rank: Int { axes.count }

  /// The number of elements; nil when the product of the non-zero axes overflows, whatever their
  /// order and even if another axis is zero.
  public var elementCount: Int? {
    var product = 1
    var isEmpty = false
    for axis in axes {
      if axis == 0 {
        isEmpty = true
        continue
      }
      let (next, overflow) = product.multipliedReportingOverflow(by: axis)
      if overflow { return nil }
      product = next
    }
    return isEmpty ? 0 : product
  }

  /// The length of the fastest axis: the elements of one row. 1 for rank 0.
  public var rowLength: Int { axes.last ?? 1 }

  /// The number of rows: the product of all axes but the last; nil when it overflows.
  public var rowCount: Int? { Shape(Array(axes.dropLast())).elementCount }
}

extension Shape: ExpressibleByArrayLiteral, CustomStringConvertible {
  public init(arrayLiteral elements: Int...) {
    self.init(elements)
  }

  /// `[2, 3]`, as in a safetensors header.
  public var description: String { "[" + axes.map(String.init).joined(separator: ", ") + "]" }
}
