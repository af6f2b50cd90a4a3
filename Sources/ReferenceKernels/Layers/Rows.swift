/// A matrix of numbers, row-major: what a model computes for each token, one row a token.
public struct Rows: Sendable, Hashable {
  public private(set) var count: Int
  /// - Units: elements of one row.
  public let width: Int
  public var values: [Double]

  /// - Precondition: `values` are whole rows.
  public init(width: Int, _ values: [Double]) {
    precondition(width > 0 && values.count % width == 0, "the values are no whole rows")
    self.width = width
    self.values = values
    count = values.count / width
  }

  public init(zeros count: Int, width: Int) {
    self.init(width: width, [Double](repeating: 0, count: count * width))
  }

  public subscript(row: Int) -> ArraySlice<Double> {
    get { values[row * width..<(row + 1) * width] }
    set { values.replaceSubrange(row * width..<(row + 1) * width, with: newValue) }
  }

  /// Some columns of every row.
  public func columns(_ range: Range<Int>) -> Rows {
    var part: [Double] = []
    part.reserveCapacity(count * range.count)
    for row in 0..<count {
      part += values[row * width + range.lowerBound..<row * width + range.upperBound]
    }
    return Rows(width: range.count, part)
  }

  /// The rows of these numbers, in this order.
  public func picking(_ rows: [Int]) -> Rows {
    Rows(width: width, rows.flatMap { self[$0] })
  }

  /// - Precondition: the same shape.
  public static func += (a: inout Rows, b: Rows) {
    precondition(a.count == b.count && a.width == b.width, "the shapes differ")
    for index in a.values.indices { a.values[index] += b.values[index] }
  }
}

/// The inner product `Σ aᵢbᵢ`, in eight sums that are added at the end, so that rounding grows with an
/// eighth of the length and the order never changes.
///
/// - Precondition: `count` elements on both sides.
public func dot(
  _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, count: Int
) -> Double {
  var (s0, s1, s2, s3, s4, s5, s6, s7) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
  var index = 0
  while index &+ 8 <= count {
    s0 += a[index] * b[index]
    s1 += a[index &+ 1] * b[index &+ 1]
    s2 += a[index &+ 2] * b[index &+ 2]
    s3 += a[index &+ 3] * b[index &+ 3]
    s4 += a[index &+ 4] * b[index &+ 4]
    s5 += a[index &+ 5] * b[index &+ 5]
    s6 += a[index &+ 6] * b[index &+ 6]
    s7 += a[index &+ 7] * b[index &+ 7]
    index &+= 8
  }
  while index < count {
    s0 += a[index] * b[index]
    index &+= 1
  }
  return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
}

/// A linear layer `y = x·Wᵀ + b`.
///
/// - Parameter weight: `[out, in]`, row-major.
/// - Shape: `[tokens, in]` → `[tokens, out]`.
/// - Source: transformers and torch, `nn.Linear`.
public func linear(_ x: Rows, weight: [Double], bias: [Double]? = nil) -> Rows {
  precondition(weight.count % x.width == 0, "the weight does not fit the input")
  let width = weight.count / x.width
  var y = Rows(zeros: x.count, width: width)
  x.values.withUnsafeBufferPointer { x in
    weight.withUnsafeBufferPointer { weight in
      guard let from = x.baseAddress, let rows = weight.baseAddress else { return }
      let length = weight.count / width
      for out in 0..<width {
        let row = rows + out * length
        for token in 0..<x.count / length {
          y.values[token * width + out] =
            dot(from + token * length, row, count: length) + (bias?[out] ?? 0)
        }
      }
    }
  }
  return y
}
