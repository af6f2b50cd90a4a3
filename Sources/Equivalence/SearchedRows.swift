import Accelerators
import GraphRewriting
import ReferenceKernels
import TensorTypes
import WeightFormats

/// What holds for the rows of a matrix whose scales were searched for, whoever did it: codes follow
/// from the stored scales, sums from the stored codes, and no scale is worse than the one that needs
/// no search.
struct SearchedRows: Sendable {
  /// Which tensor of the matrix is judged.
  let part: QuantPart
  /// The matrix in the source's graph.
  private var source: NodeID
  private let stored: CodedMatrix
  /// What the greatest magnitude of a row is divided by without a search, and the least scale.
  private let limit: Float
  private let least: Float

  /// nil for a node that is no part of such a matrix.
  init?(_ node: NodeID, of graph: WeightGraph, _ stored: CodedMatrix) {
    guard case .quantize(let scheme, let part) = graph[node].op, scheme == stored.scheme,
      case .search(let limit, let least) = scheme.rule, scheme.code == .int4,
      graph[graph[node].inputs[0]].type.shape == stored.shape
    else { return nil }
    self.part = part
    self.stored = stored
    self.limit = limit
    self.least = least
    source = graph[node].inputs[0]
  }

  /// The same rule for another matrix of the same shape.
  func reading(_ matrix: NodeID) -> SearchedRows {
    var copy = self
    copy.source = matrix
    return copy
  }

  /// The code of a value: the quotient in F32, half to even.
  private func code(_ value: Double, _ scale: Float) -> Float {
    let quotient = Float(value) / scale
    return quotient.isNaN ? 0 : min(max(quotient.rounded(.toNearestOrEven), -limit - 1), limit)
  }

  // MARK: - Codes

  /// Writes the bytes that consecutive bytes of codes should be, by the stored scales.
  func codes(
    _ elements: Range<Int>, _ evaluation: Evaluation<CheckpointTensors>,
    _ converted: CheckpointTensors, into bytes: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let width = stored.columnCount
    let first = elements.lowerBound / width
    let scales = try converted.values(
      of: stored.scales, elements: 2 * first..<2 * ((elements.upperBound + width - 1) / width))
    var position = elements.lowerBound
    while position < elements.upperBound {
      let (row, column) = position.quotientAndRemainder(dividingBy: width)
      let count = min(width - column, elements.upperBound - position)
      for half in 0..<2 {
        let start = (2 * row + half) * width + column
        let values = try evaluation.values(source, elements: start..<start + count)
        let scale = Float(scales[2 * (row - first) + half])
        for (index, value) in values.enumerated() {
          let nibble = UInt8(truncatingIfNeeded: Int(code(value, scale))) & 15
          let place = position - elements.lowerBound + index
          bytes[place] = half == 0 ? nibble : bytes[place] | nibble << 4
        }
      }
      position += count
    }
  }

  // MARK: - Scales and sums

  /// What some numbers should be, or the numbers themselves where they hold, and whether they do.
  func judge(
    _ numbers: [Double], from start: Int, _ evaluation: Evaluation<CheckpointTensors>,
    _ converted: CheckpointTensors
  ) throws(Failure) -> [(expected: Double, holds: Bool)] {
    var judged: [(Double, Bool)] = []
    var row = (number: -1, codes: [Double](), scale: 0.0)
    var slices = 1
    if case .scaleBias(let count) = part { slices = count }
    for (index, number) in numbers.enumerated() {
      let (own, slice) = (start + index).quotientAndRemainder(dividingBy: slices)
      if own != row.number {
        let rows = try stored.rows(own..<own + 1, of: converted)
        row = (own, rows.codes, rows.scales[0])
      }
      if part == .scales {
        let length = row.codes.count
        let values = try evaluation.values(source, elements: own * length..<(own + 1) * length)
        judged.append(judge(scale: number, values, row.codes))
      } else {
        let length = row.codes.count / slices
        judged.append(
          judge(sum: number, row.codes[slice * length..<(slice + 1) * length], row.scale))
      }
    }
    return judged
  }

  /// A scale is above 0 and finite, and its square error no larger than without a search.
  private func judge(scale: Double, _ values: [Double], _ codes: [Double]) -> (Double, Bool) {
    let greatest = values.reduce(0) { $1.isNaN ? $0 : max($0, $1.magnitude) }
    let plain = max(Float(greatest) / limit, least)
    // Every scale is as good where there is no error to compare.
    guard values.allSatisfy(\.isFinite) else { return (scale, true) }
    guard scale > 0, scale.isFinite else { return (Double(plain), false) }
    var error = 0.0
    var allowed = 0.0
    for (value, code) in zip(values, codes) {
      let own = value - scale * code
      let other = value - Double(plain) * Double(self.code(value, plain))
      error += own * own
      allowed += other * other
    }
    // Searches in F32 may take a sum for the smaller one that is larger by their rounding.
    let rounding = greatest * 0x1p-22
    allowed += allowed * 0x1p-16 + Double(values.count) * rounding * rounding
    return error <= allowed ? (scale, true) : (Double(plain), false)
  }

  /// A sum is `8 · scale · Σ code`, but for the rounding of F32 in any order.
  private func judge(
    sum: Double, _ codes: ArraySlice<Double>, _ scale: Double
  ) -> (Double, Bool) {
    let expected = Double(Float(8 * scale * codes.reduce(0, +)))
    let magnitude = 8 * scale * codes.reduce(0) { $0 + $1.magnitude }
    let bound = magnitude.magnitude * Double(codes.count + 2) * 0x1p-24
    let holds = (sum - expected).magnitude <= bound || sum == expected
    return holds ? (sum, true) : (expected, sum.isNaN && expected.isNaN)
  }
}

extension Expectation {
  /// What holds for a tensor that has been searched for; nil for others, and where what it belongs
  /// to is not there.
  func searchedRows(_ tensor: Tensor) throws(Failure) -> SearchedRows? {
    guard let description, case .quantize(let scheme, let part) = graph[tensor.node].op,
      case .search = scheme.rule
    else { return nil }
    let suffix: AscendMatrix.Part? =
      switch part {
      case .scales: .weightScale
      case .scaleBias: .scaleBias
      default: nil
      }
    let ending = suffix?.rawValue ?? "weight"
    guard let base = tensor.name.dropping(suffix: ending),
      case let name = ByteString(base.text + "weight"), let type = description.types[name],
      let codes = converted.position(of: name)
    else { return nil }
    do throws(Failure) {
      let matrix = try AscendMatrix(
        codes: codes, type, groupSize: description.groupSize, of: converted)
      return try SearchedRows(
        tensor.node, of: graph,
        CodedMatrix(matrix, of: CheckpointTensors(checkpoint: converted)))
    } catch  where error.kind == .badInput {
      return nil
    }
  }
}
