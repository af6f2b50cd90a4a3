import ReferenceKernels
import TensorTypes

/// Tries what would explain a tensor that fails, and names the first that fits.
///
/// Every guess is tested: the source's values, changed as the fault would change them, must give
/// what was found. Only some rows are read.
struct LikelyCauses {
  let expectation: Expectation
  let comparison: Comparison
  let pairs: [Comparison.Pair]
  /// Tensors that are still looked into; guessing costs far more than comparing.
  private var budget = 64

  init(expectation: Expectation, comparison: Comparison, pairs: [Comparison.Pair]) {
    self.expectation = expectation
    self.comparison = comparison
    self.pairs = pairs
  }

  /// - Throws: what reading throws.
  mutating func cause(for position: Int, _ metrics: Metrics) throws(Failure) -> String? {
    let suspect = Suspect(position: position, pair: pairs[position], metrics: metrics, self)
    if let cause = suspect.causeOfSpecials { return cause }
    guard budget > 0, suspect.elementCount > 0, metrics.comparedCount > 0 else { return nil }
    budget -= 1
    if let cause = try causeInRounding(suspect) { return cause }
    if let cause = try causeInCodes(suspect) { return cause }
    if let cause = try causeInBits(suspect) { return cause }
    guard let probe = try probe(suspect) else { return nil }
    if let cause = try causeInZeros(suspect) { return cause }
    if let cause = try causeInOtherTensors(suspect, probe) { return cause }
    if let cause = try causeInRows(suspect, probe) { return cause }
    if let cause = try causeInTransposition(suspect, probe) { return cause }
    if let cause = try causeInOffsets(suspect, probe) { return cause }
    if let cause = causeInInversion(suspect, probe) { return cause }
    if let cause = try causeInInvertedBlocks(suspect, probe) { return cause }
    if let cause = causeInScale(suspect, probe) { return cause }
    if let cause = try causeInBlockScales(suspect, probe) { return cause }
    if let cause = try causeInStorage(suspect, probe) { return cause }
    return causeInNearness(suspect)
  }

  /// A tensor that fails.
  struct Suspect {
    let position: Int
    let pair: Comparison.Pair
    let metrics: Metrics
    let shape: Shape
    let encoding: Encoding
    /// How far apart, as RMS over RMS, what is the same may be in this encoding.
    let tolerance: Double

    init(position: Int, pair: Comparison.Pair, metrics: Metrics, _ causes: LikelyCauses) {
      self.position = position
      self.pair = pair
      self.metrics = metrics
      let type = causes.expectation.converted.tensors[pair.converted].type
      shape = type.shape.withoutColumn
      encoding = type.encoding
      switch pair.law {
      case .blocks(let law): tolerance = min(0.5, law.noiseBound)
      case .rounded(let format, _, _):
        tolerance = 4 * Double(sign: .plus, exponent: -format.fractionBitWidth, significand: 1)
      case .bitExact, .exactValue, .calibrated, .searched, .unknown: tolerance = 1e-6
      }
    }

    var elementCount: Int { shape.elementCount ?? 0 }
    var rowCount: Int { elementCount / max(1, shape.rowLength) }

    var causeOfSpecials: String? {
      guard metrics.specialMismatchCount > 0 else { return nil }
      if metrics.converted.infinite > metrics.source.infinite, encoding == .f16 {
        return "values overflow F16, whose largest is 65504"
      }
      guard encoding.isBlock, metrics.converted.infinite + metrics.converted.nan > 0 else {
        return nil
      }
      return "the scale of a block overflows F16, or was damaged"
    }
  }

  /// Some values of a failing row, as they should be and as they are.
  struct Probe {
    let row: Int
    let expected: [Double]
    let found: [Double]
  }

  /// - Units: elements of a row that guesses are tested on; a multiple of every block.
  static let probeLength = 1024

  /// A row that differs; nil when none does by more than the encoding explains.
  private func probe(_ suspect: Suspect) throws(Failure) -> Probe? {
    let length = suspect.shape.rowLength
    var rows: [Int] = []
    if let place = suspect.metrics.firstViolation { rows.append(place.element / length) }
    if let block = suspect.metrics.worstBlock, case .blocks(let law) = suspect.pair.law {
      rows.append(block.index * law.type.elementCount / length)
    }
    if let place = suspect.metrics.worst { rows.append(place.element / length) }
    rows += [0, suspect.rowCount / 3, suspect.rowCount / 2, suspect.rowCount - 1]
    for row in rows {
      let expected = try self.expected(suspect.pair, row: row)
      let found = try self.found(suspect.pair, row: row)
      if !isClose(expected, found, suspect.tolerance) {
        return Probe(row: row, expected: expected, found: found)
      }
    }
    return nil
  }

  /// The first values of a row as the source gives them.
  func expected(_ pair: Comparison.Pair, row: Int, count: Int = probeLength) throws(Failure)
    -> [Double]
  {
    let shape = expectation.graph[pair.node].type.shape.withoutColumn
    let elements = elements(shape, row, count)
    return try comparison.evaluation.values(pair.node, elements: elements)
  }

  /// The first values of a row as the converted checkpoint has them.
  func found(_ pair: Comparison.Pair, row: Int, count: Int = probeLength) throws(Failure)
    -> [Double]
  {
    let shape = expectation.converted.tensors[pair.converted].type.shape.withoutColumn
    return try comparison.converted.values(
      of: pair.converted, elements: elements(shape, row, count))
  }

  private func elements(_ shape: Shape, _ row: Int, _ count: Int) -> Range<Int> {
    let start = row * shape.rowLength
    return start..<start + min(count, shape.rowLength)
  }

  // MARK: - Guesses

  private func causeInZeros(_ suspect: Suspect) throws(Failure) -> String? {
    func isZero(_ row: Int) throws(Failure) -> Bool {
      try found(suspect.pair, row: row).allSatisfy { $0 == 0 }
    }
    let last = suspect.rowCount - 1
    guard try isZero(last), try expected(suspect.pair, row: last).contains(where: { $0 != 0 })
    else { return nil }
    var low = 0
    var high = last
    while low < high {
      let middle = (low + high) / 2
      if try isZero(middle) { high = middle } else { low = middle + 1 }
    }
    if low > 0 {
      let right = try expected(suspect.pair, row: low - 1)
      let before = try found(suspect.pair, row: low - 1)
      guard isClose(right, before, suspect.tolerance) else { return nil }
    }
    return low == 0
      ? "the tensor is zero: it was not written"
      : "rows from \(low) on are zero: the file was cut short or not written to its end"
  }

  private func causeInOtherTensors(
    _ suspect: Suspect, _ probe: Probe
  ) throws(Failure) -> String? {
    var tried = 0
    for (position, other) in pairs.enumerated() where position != suspect.position {
      guard expectation.graph[other.node].type.shape.withoutColumn == suspect.shape, tried < 4096,
        other.node != suspect.pair.node
      else { continue }
      tried += 1
      let start = try expected(other, row: probe.row, count: 256)
      guard isClose(start, Array(probe.found.prefix(256)), suspect.tolerance),
        isClose(try expected(other, row: probe.row), probe.found, suspect.tolerance)
      else { continue }
      // Whole numbers of different tensors may be near one another.
      let tolerance = suspect.encoding.isWhole ? suspect.tolerance : max(suspect.tolerance, 0.02)
      let isMutual = isClose(probe.expected, try found(other, row: probe.row), tolerance)
      if isMutual { return "it is exchanged with '\(other.name)'" }
      let layers = (suspect.pair.name.layerNumber, other.name.layerNumber)
      if let own = layers.0, let source = layers.1, own != source {
        return "it holds '\(other.name)', of layer \(source) instead of \(own)"
      }
      return "it holds '\(other.name)'"
    }
    return nil
  }

  /// Rows and columns in each other's place, with or without the lengths of the axes.
  private func causeInTransposition(
    _ suspect: Suspect, _ probe: Probe
  ) throws(Failure) -> String? {
    let axes = suspect.shape.axes
    guard axes.count >= 2, let columns = axes.last, columns > 1 else { return nil }
    let rows = axes[axes.count - 2]
    guard rows > 1 else { return nil }
    let matrix = probe.row / rows * rows
    let start = (probe.row - matrix) * columns
    let cell = Cell(expectation.graph[suspect.pair.node].type.encoding)
    var values: [Double] = []
    for position in start..<start + min(256, columns) {
      let (column, row) = position.quotientAndRemainder(dividingBy: rows)
      let first = column / cell.elementCount * cell.elementCount
      let element = (matrix + row) * columns + first
      values.append(
        try comparison.evaluation.values(
          suspect.pair.node, elements: element..<element + cell.elementCount)[column - first])
    }
    return isClose(values, Array(probe.found.prefix(values.count)), suspect.tolerance)
      ? "the matrix is transposed" : nil
  }

  private func causeInScale(_ suspect: Suspect, _ probe: Probe) -> String? {
    let count = Double(probe.expected.count)
    let product = zip(probe.expected, probe.found).reduce(0) { $0 + $1.0 * $1.1 }
    let square = probe.expected.reduce(0) { $0 + $1 * $1 }
    if probe.expected.count > 1, square > 0 {
      let factor = product / square
      if factor != 0,
        isClose(probe.expected.map { $0 * factor }, probe.found, suspect.tolerance)
      {
        let digits = (factor - 1).magnitude < 0.01 ? 6 : 3
        return "the values are \(rounded(factor, digits: digits)) times the source's"
      }
    }
    let offset = zip(probe.expected, probe.found).reduce(0) { $0 + $1.1 - $1.0 } / count
    if probe.expected.count > 1, offset.isFinite,
      isClose(probe.expected.map { $0 + offset }, probe.found, suspect.tolerance)
    {
      return "the values are the source's plus \(rounded(offset))"
    }
    return nil
  }

  /// Values that are like the source's everywhere, and wrong in many places.
  private func causeInNearness(_ suspect: Suspect) -> String? {
    let metrics = suspect.metrics
    guard metrics.cosine > 0.9, 8 * metrics.violationCount > metrics.comparedCount else {
      return nil
    }
    return "values are near the source's and not the same: they are of another revision, or were "
      + "rounded before"
  }

  /// Whether two runs of values are the same up to noise.
  func isClose(_ a: [Double], _ b: [Double], _ tolerance: Double) -> Bool {
    guard a.count == b.count, !a.isEmpty else { return false }
    var error = 0.0
    var norm = 0.0
    for (x, y) in zip(a, b) where !(x.isNaN && y.isNaN) {
      error += (x - y) * (x - y)
      norm += x * x
    }
    // Rows of zeros are like every other row of zeros.
    return norm > 0 ? error <= tolerance * tolerance * norm : error == 0 && a == b
  }
}

extension Shape {
  /// The shape of a column as that of a vector: scales of rows are looked at together.
  var withoutColumn: Shape {
    guard rank == 2, axes[1] == 1 else { return self }
    return Shape([axes[0]])
  }
}
