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
    /// How the runtime multiplies with it.
    let use: Use
  }

  /// How a runtime uses a tensor.
  enum Use: Sendable {
    /// A vector multiplies or is added element by element.
    case vector
    case product(RuntimeProduct)
    /// Codes with scales beside them; the node of the pair is the matrix that they stand for.
    case coded(CodedLayer)
  }

  let evaluation: Evaluation<CheckpointTensors>
  let converted: CheckpointTensors
  let request: VerificationRequest
  let isCancelled: @Sendable () -> Bool
  let progress: @Sendable (VerificationProgress) -> Void

  static let probeCount = 16
  /// Rows of one tensor that are multiplied: more than 256 say little more, and those of tens of
  /// thousands of experts would take hours. A sample has as many rows as are compared by value.
  static func rowLimit(tensorCount: Int, _ sample: VerificationRequest.Sampling) -> Int {
    let most = min(256, max(16, 1 << 18 / max(1, tensorCount)))
    return if case .rows(let count) = sample { min(most, max(16, count)) } else { most }
  }
  /// What `Double` arithmetic leaves, as a share of the result.
  static let arithmetic = 0x1p-40
  /// The metrics of each pair; nil where nothing is known of the encoding.
  ///
  /// - Throws: what reading throws; `interrupted`.
  func metrics(of pairs: [Pair]) throws(Failure) -> [OperatorMetrics?] {
    let rowLimit = OperatorComparison.rowLimit(tensorCount: pairs.count, request.sample)
    return try concurrentResults(
      count: pairs.count, jobs: request.jobs, isCancelled: isCancelled
    ) { (number) throws(Failure) in
      defer { progress(.multiplied(tensorCount: 1, of: pairs.count)) }
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
    switch pair.use {
    case .vector: return try vectorMetrics(of: pair, count, random)
    case .product(let product):
      return try matrixMetrics(of: pair, product, shape, rowLimit, random)
    case .coded(let layer): return try codedMetrics(of: pair, layer, rowLimit, random)
    }
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
    var sums = OperatorSums()
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
    var sums = OperatorSums()
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
