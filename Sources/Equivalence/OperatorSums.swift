import ReferenceKernels

extension Double {
  /// Whether sums of products with the number, and of their squares, are finite.
  var isMultipliable: Bool { magnitude < 0x1p400 }
}

/// The inner product of two vectors.
///
/// - Precondition: they have the same length, and are not empty.
func inner(_ a: [Double], _ b: [Double]) -> Double { inner(a[...], b[...]) }

func inner(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double {
  precondition(a.count == b.count && !a.isEmpty, "vectors of different lengths")
  return a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      dot(a.baseAddress!, b.baseAddress!, count: a.count)  // neither is empty
    }
  }
}

/// How far the product of a row with a probe may be off.
struct Spread {
  /// What independent errors of the weights make.
  var weight = 0.0
  /// What errors that many weights share make at most.
  var sharedWeight = 0.0
  /// The same of the activations, and what the rounding of the result adds.
  var activation = 0.0
  var sharedActivation = 0.0
}

/// Sums of squares over rows and probes.
struct OperatorSums {
  private var error = 0.0
  private var weightError = 0.0
  private var result = 0.0
  private var spread = Spread()
  private var worst = (row: 0, error: 0.0)
  private var current = (row: -1, error: 0.0)

  /// The exponent of the chance that independent errors exceed the bound: `e⁻²⁰`.
  private static let exponent = 20.0

  mutating func add(
    row: Int, error: Double, weightError: Double, result: Double, spread: Spread
  ) {
    func square(_ x: Double) -> Double { x.isNaN ? .infinity : x * x }
    self.error += square(error)
    self.weightError += square(weightError)
    self.result += result * result
    self.spread.weight += square(spread.weight)
    self.spread.sharedWeight += square(spread.sharedWeight)
    self.spread.activation += square(spread.activation)
    self.spread.sharedActivation += square(spread.sharedActivation)
    if row != current.row { current = (row, 0) }
    current.error += square(weightError)
    if current.error > worst.error { worst = current }
  }

  /// Squares of independent errors add up to more than their mean; by Laurent and Massart, for `n`
  /// of them to more than `1 + 2√(t/n) + 2t/n` times with a chance below `e⁻ᵗ`.
  private static func excess(_ count: Int) -> Double {
    let share = exponent / Double(max(1, count))
    return 1 + 2 * share.squareRoot() + 2 * share
  }

  /// Errors of the weights are the same for all probes, those of activations for all rows.
  func metrics(rowCount: Int, of chosenRowCount: Int) -> OperatorMetrics {
    let scale = result == 0 ? 1 : result
    let probes = OperatorComparison.probeCount
    func share(_ sum: Double, excess: Double = 1) -> Double { (excess * sum / scale).squareRoot() }
    var metrics = OperatorMetrics(
      rowCount: rowCount, skippedRowCount: chosenRowCount - rowCount, probeCount: probes)
    metrics.error = share(error)
    metrics.weightError = share(weightError)
    metrics.weightBound =
      share(spread.weight, excess: OperatorSums.excess(rowCount)) + share(spread.sharedWeight)
      + OperatorComparison.arithmetic
    metrics.bound =
      metrics.weightBound + share(spread.activation, excess: OperatorSums.excess(probes))
      + share(spread.sharedActivation)
    metrics.worstRow = worst.error > 0 ? worst.row : nil
    return metrics
  }
}
