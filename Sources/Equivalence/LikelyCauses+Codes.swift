import GraphRewriting
import ReferenceKernels
import TensorTypes

extension LikelyCauses {
  /// What would explain codes, or what stands beside them.
  func causeInCodes(_ suspect: Suspect) throws(Failure) -> String? {
    guard let place = suspect.metrics.firstViolation else { return nil }
    let node = expectation.graph[suspect.pair.node]
    let row = place.element / suspect.shape.rowLength
    switch node.op {
    case .quantize(let scheme, .codes):
      if let cause = try causeInNibbles(suspect, scheme, row) { return cause }
      return try causeInRounding(suspect, scheme, node.inputs[0], row)
    case .quantize(let scheme, .quantBias(let scale, let offset)):
      return try causeInOffset(suspect, scheme, node.inputs, scale, offset)
    default: return nil
    }
  }

  /// Two codes of a byte in each other's place.
  private func causeInNibbles(
    _ suspect: Suspect, _ scheme: QuantScheme, _ row: Int
  ) throws(Failure) -> String? {
    guard scheme.code == .int4 || scheme.code == .e2m1 else { return nil }
    let expected = try expected(suspect.pair, row: row)
    let found = try found(suspect.pair, row: row)
    let turned = zip(expected, found).allSatisfy { a, b in
      let byte = UInt8(truncatingIfNeeded: Int(a))
      return byte << 4 | byte >> 4 == UInt8(truncatingIfNeeded: Int(b))
    }
    return turned ? "the two nibbles of each byte are exchanged" : nil
  }

  /// Another rule of rounding that explains every code of some rows.
  private func causeInRounding(
    _ suspect: Suspect, _ scheme: QuantScheme, _ matrix: NodeID, _ row: Int
  ) throws(Failure) -> String? {
    guard scheme.code == .int8 || scheme.code == .e4m3, scheme.grid.rows == 1 else { return nil }
    let columns = suspect.shape.rowLength
    let exactly = "instead of to nearest, ties to even"
    let rules: [(String, (Double) -> Double, CodeRounding)] = [
      ("codes are rounded towards zero \(exactly)", { $0 }, .towardsZero),
      ("codes are rounded halves away from zero \(exactly)", { $0 }, .halvesAway),
      ("codes are rounded halves up \(exactly)", { $0 }, .halvesUp),
      (
        "values are rounded to BF16 before they are quantized", FloatFormat.bf16.rounding,
        .halvesEven
      ),
    ]
    for (name, prepare, rounding) in rules {
      var isExplained = true
      for other in row..<min(row + 4, suspect.rowCount) where isExplained {
        let values = try comparison.evaluation.values(
          matrix, elements: other * columns..<(other + 1) * columns
        ).map(prepare)
        let found = try comparison.converted.values(
          of: suspect.pair.converted, elements: other * columns..<(other + 1) * columns)
        isExplained = scheme.codes(of: values, rounding) == found
      }
      if isExplained { return name }
    }
    return nil
  }

  /// A bias that leaves out what the offset of inputs adds.
  private func causeInOffset(
    _ suspect: Suspect, _ scheme: QuantScheme, _ inputs: [NodeID], _ scale: Float, _ offset: Float
  ) throws(Failure) -> String? {
    let codes = pairs.first { pair in
      let node = expectation.graph[pair.node]
      return node.op == .quantize(scheme, .codes) && node.inputs[0] == inputs[0]
    }
    guard let codes, offset != 0 else { return nil }
    let expected = try expected(suspect.pair, row: 0)
    let found = try found(suspect.pair, row: 0)
    let columns = expectation.graph[codes.node].type.shape.rowLength
    for (row, value) in expected.enumerated() {
      let sum = try comparison.evaluation.values(
        codes.node, elements: row * columns..<(row + 1) * columns
      ).reduce(0, +)
      // Whole numbers, rounded once in each.
      guard (value + Double(offset) * sum - found[row]).magnitude <= 1 + value.magnitude * 0x1p-20
      else { return nil }
    }
    return "the offset of inputs is left out of the bias"
  }

  /// Scales that are one over those of the source.
  func causeInInversion(_ suspect: Suspect, _ probe: Probe) -> String? {
    if case .quantize(let scheme, .scales) = expectation.graph[suspect.pair.node].op,
      scheme.rule == .powerOfTwo
    {
      return isClose(probe.expected.map { 254 - $0 }, probe.found, suspect.tolerance)
        ? "scales are inverted" : nil
    }
    guard !probe.expected.contains(0) else { return nil }
    return isClose(probe.expected.map { 1 / $0 }, probe.found, suspect.tolerance)
      ? "scales are inverted" : nil
  }
}

/// Ways of rounding to a code.
private enum CodeRounding {
  case halvesEven, halvesAway, halvesUp, towardsZero
}

extension QuantScheme {
  /// The codes of a row with scales of its own, by some rule of rounding.
  fileprivate func codes(of row: [Double], _ rounding: CodeRounding) -> [Double] {
    let length = grid.columns ?? row.count
    return stride(from: 0, to: row.count, by: length).flatMap { start in
      let group = row[start..<min(row.count, start + length)]
      let peak = group.reduce(0) { max($0, $1.magnitude) }
      // As the definition says: in F32, rounded once for each operation.
      let scale = Float(scale(peak: peak))
      return group.map { value in
        let quotient = Double(Float(value) / scale)
        let step = code == .int8 ? 1 : NarrowFloat.e4m3.step(at: quotient)
        let units = quotient / step
        let rounded =
          switch rounding {
          case .halvesEven: units.rounded(.toNearestOrEven)
          case .halvesAway: units.rounded(.toNearestOrAwayFromZero)
          case .halvesUp: (units + 0.5).rounded(.down)
          case .towardsZero: units.rounded(.towardZero)
          }
        return rounded * step
      }
    }
  }
}
