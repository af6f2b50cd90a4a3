import GraphRewriting
import ReferenceKernels
import TensorTypes
import WeightFormats

/// What one tensor does to probe vectors, on both sides. Errors are RMS over RMS of the source's
/// result.
public struct OperatorMetrics: Sendable, Hashable {
  /// Rows of the weight that were used; for a vector, its elements.
  public var rowCount = 0
  /// Rows that were chosen and not used, because products with the source's values are not finite.
  public var skippedRowCount = 0
  public var probeCount = 0
  /// Of the runtime's result, with its rounding of activations, against the source's in `Double`.
  public var error = 0.0
  /// What `error` must not exceed.
  public var bound = 0.0
  /// The part of the error that the stored weights make: both sides on the same rounded activations.
  public var weightError = 0.0
  /// What `weightError` must not exceed.
  public var weightBound = 0.0
  /// The row whose weights make the largest error.
  public var worstRow: Int?

  var holds: Bool { error <= bound && weightError <= weightBound }
}

/// Multiplies probe vectors with the weights of both sides: with the source's in `Double`, with the
/// converted ones as its runtime does.
///
/// Half of the probes are normally distributed, the others are their magnitudes, as activations
/// after a gate may be: errors of one sign add up in them.
struct OperatorComparison: Sendable {
  /// A tensor and how its runtime uses it.
  struct Pair: Sendable {
    let name: ByteString
    let node: NodeID
    /// The number of the tensor in the converted checkpoint.
    let converted: Int
    /// nil for a vector, which multiplies or is added element by element.
    let product: RuntimeProduct?
  }

  let evaluation: Evaluation<CheckpointTensors>
  let converted: CheckpointTensors
  let request: VerificationRequest
  let isCancelled: @Sendable () -> Bool

  static let probeCount = 16
  /// Rows of one tensor that are multiplied: more than 256 say little more, and those of tens of
  /// thousands of experts would take hours.
  static func rowLimit(tensorCount: Int) -> Int { min(256, max(16, 1 << 18 / max(1, tensorCount))) }
  /// What `Double` arithmetic leaves, as a share of the result.
  static let arithmetic = 0x1p-40
  /// The metrics of each pair; nil where nothing is known of the encoding.
  ///
  /// - Throws: what reading throws; `interrupted`.
  func metrics(of pairs: [Pair]) throws(Failure) -> [OperatorMetrics?] {
    let rowLimit = OperatorComparison.rowLimit(tensorCount: pairs.count)
    return try concurrentResults(
      count: pairs.count, jobs: request.jobs, isCancelled: isCancelled
    ) { (number) throws(Failure) in
      do throws(Failure) {
        return try metrics(of: pairs[number], rowLimit: rowLimit)
      } catch {
        throw error.located(subject: .tensor(pairs[number].name))
      }
    }
  }

  private func metrics(of pair: Pair, rowLimit: Int) throws(Failure) -> OperatorMetrics? {
    let shape = evaluation.graph[pair.node].type.shape
    guard let count = shape.elementCount, count > 0 else { return nil }
    let random = RandomNumbers(seed: request.seed, name: pair.name)
    guard let product = pair.product else {
      return try vectorMetrics(of: pair, count, random)
    }
    return try matrixMetrics(of: pair, product, shape, rowLimit, random)
  }

  // MARK: - Vectors

  private func vectorMetrics(
    of pair: Pair, _ count: Int, _ random: RandomNumbers
  ) throws(Failure) -> OperatorMetrics? {
    let from = evaluation.graph[pair.node].type.encoding
    let to = converted.checkpoint.tensors[pair.converted].type.encoding
    let source = try evaluation.values(pair.node, elements: 0..<count)
    let found = try converted.values(of: pair.converted, elements: 0..<count)
    guard found.count == source.count,
      let noise = StoredNoise(source[...], source: from, stored: to)
    else { return nil }
    var random = random
    var sums = Sums()
    for probe in 0..<OperatorComparison.probeCount {
      let x = random.probe(count, isPositive: probe % 2 == 1)
      for index in x.indices where source[index].isMultipliable {
        let error = (found[index] - source[index]) * x[index]
        sums.add(
          row: index, error: error, weightError: error, result: source[index] * x[index],
          spread: Spread(sharedWeight: noise.steps[index] * x[index]))
      }
    }
    return sums.metrics(rowCount: source.count(where: \.isMultipliable), of: count)
  }

  // MARK: - Matrices

  /// A probe before and after the runtime's rounding, with the squares that spreads are made of.
  private struct Probe {
    let exact: [Double]
    let rounded: [Double]
    let squares: [Double]
    let halfStepSquares: [Double]
    let scaleShare: Double

    init(_ x: [Double], _ product: RuntimeProduct) {
      let activations = product.activations(x)
      exact = x
      rounded = activations.values
      squares = activations.values.map { $0 * $0 }
      halfStepSquares = activations.halfSteps.map { $0 * $0 }
      scaleShare = activations.scaleShare
    }
  }

  private func matrixMetrics(
    of pair: Pair, _ product: RuntimeProduct, _ shape: Shape, _ rowLimit: Int,
    _ random: RandomNumbers
  ) throws(Failure) -> OperatorMetrics? {
    let from = evaluation.graph[pair.node].type.encoding
    let to = converted.checkpoint.tensors[pair.converted].type.encoding
    let columns = shape.rowLength
    let rowCount = (shape.elementCount ?? 0) / columns
    var random = random
    let probes = (0..<OperatorComparison.probeCount).map {
      Probe(random.probe(columns, isPositive: $0 % 2 == 1), product)
    }
    var sums = Sums()
    let rows = random.spread(min(rowCount, rowLimit), below: rowCount)
    var usedRowCount = 0
    for row in rows {
      let elements = row * columns..<(row + 1) * columns
      let source = try evaluation.values(pair.node, elements: elements)
      let found = try converted.values(of: pair.converted, elements: elements)
      guard let noise = StoredNoise(source[...], source: from, stored: to) else { return nil }
      guard source.allSatisfy(\.isMultipliable) else { continue }
      usedRowCount += 1
      let squares = source.map { $0 * $0 }
      let stepSquares = noise.steps.map { $0 * $0 }
      for probe in probes {
        let y = inner(source, probe.exact)
        let seen = inner(found, probe.rounded)
        let weight = inner(stepSquares, probe.squares) + noise.groupSquares(source, probe.rounded)
        var spread = Spread(weight: weight.squareRoot())
        spread.activation = inner(squares, probe.halfStepSquares).squareRoot()
        if noise.blockScale + probe.scaleShare > 0 {
          let parts = blockParts(source, probe.rounded)
          spread.sharedWeight = noise.blockScale * parts
          spread.sharedActivation = probe.scaleShare * parts
        }
        spread.sharedActivation += product.halfStep(atResult: seen)
        sums.add(
          row: row, error: product.result(seen) - y,
          weightError: seen - inner(source, probe.rounded), result: y, spread: spread)
      }
    }
    return sums.metrics(rowCount: usedRowCount, of: rows.count)
  }
}

extension Double {
  /// Whether sums of products with the number, and of their squares, are finite.
  fileprivate var isMultipliable: Bool { magnitude < 0x1p400 }
}

private func inner(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count && !a.isEmpty, "vectors of different lengths")
  return a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      dot(a.baseAddress!, b.baseAddress!, count: a.count)  // neither is empty
    }
  }
}

/// The parts of an inner product that each block of 32 gives, without their signs.
private func blockParts(_ a: [Double], _ b: [Double]) -> Double {
  a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      guard let x = a.baseAddress, let y = b.baseAddress else { return 0 }
      var sum = 0.0
      for start in stride(from: 0, to: a.count, by: 32) {
        sum += dot(x + start, y + start, count: min(32, a.count - start)).magnitude
      }
      return sum
    }
  }
}

extension StoredNoise {
  /// How far the scales and offsets of groups may move the product of a row with a vector, as a sum
  /// of squares.
  fileprivate func groupSquares(_ row: [Double], _ x: [Double]) -> Double {
    var sum = 0.0
    for group in scale.indices where scale[group] > 0 || offset[group] > 0 {
      let members = group * groupLength..<min(row.count, (group + 1) * groupLength)
      let product = members.reduce(0) { $0 + row[$1] * x[$1] } * scale[group]
      let shift = members.reduce(0) { $0 + x[$1] } * offset[group]
      sum += product * product + shift * shift
    }
    return sum
  }
}

/// How far the product of a row with a probe may be off.
private struct Spread {
  /// What independent errors of the weights make.
  var weight = 0.0
  /// What errors that many weights share make at most.
  var sharedWeight = 0.0
  /// The same of the activations, and what the rounding of the result adds.
  var activation = 0.0
  var sharedActivation = 0.0
}

/// Sums of squares over rows and probes.
private struct Sums {
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
      share(spread.weight, excess: Sums.excess(rowCount)) + share(spread.sharedWeight)
      + OperatorComparison.arithmetic
    metrics.bound =
      metrics.weightBound + share(spread.activation, excess: Sums.excess(probes))
      + share(spread.sharedActivation)
    metrics.worstRow = worst.error > 0 ? worst.row : nil
    return metrics
  }
}
