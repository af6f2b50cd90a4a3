import GraphRewriting
import ReferenceKernels
import TensorTypes
import Testing

@testable import Quantization

/// Codes and scales of matrices, on every path, against the naive definition of each scheme.
@Suite struct MatrixKernelTests {
  /// A matrix of this many rows and columns, with values of every size that a weight has.
  private func values(_ rows: Int, _ columns: Int, seed: UInt64) -> [Float] {
    var random = Generator(state: seed)
    return (0..<rows * columns).map { index in
      let bits = random.next()
      let unit = Float(Int32(truncatingIfNeeded: bits << 8)) * 0x1p-31
      // Some rows are large, one is small, one is zero, and ties come often.
      switch index / columns % 5 {
      case 0: return unit
      case 1: return (unit * 254).rounded() / 2
      case 2: return unit * 0x1p-100
      case 3: return index / columns == 3 ? 0 : unit * 1e6
      default: return index % 3 == 0 ? -0.0 : unit * unit * unit
      }
    }
  }

  /// One tensor of a scheme by the reference kernels.
  private func expected(
    _ scheme: QuantScheme, _ part: QuantPart, _ values: [Float], _ shape: Shape
  ) throws -> [UInt8] {
    var graph = WeightGraph(sources: [TensorType(shape: shape, encoding: .f32)])
    let node = try graph.add(.quantize(scheme, part), [graph.add(.load(0))])
    let evaluation = Evaluation(graph, source: Floats(values: values))
    let type = graph[node].type
    var bytes = [UInt8](repeating: 0, count: type.byteCount!)
    try bytes.withUnsafeMutableBytes {
      try evaluation.evaluate(node, elements: 0..<type.shape.elementCount!, into: $0)
    }
    return bytes
  }

  private func found(
    _ scheme: QuantScheme, _ values: [Float], _ shape: Shape, on path: Kernels
  ) -> (codes: [UInt8], scales: [UInt8], refusal: Refusal?) {
    let quantizer = MatrixQuantizer(scheme, columnCount: shape.axes[1], on: path)
    var codes = [UInt8](repeating: 0xA5, count: scheme.codes(of: shape)!.byteCount!)
    var scales = [UInt8](repeating: 0xA5, count: scheme.scales(of: shape)!.byteCount!)
    var scratch = [UInt8](repeating: 0, count: quantizer.scratchByteCount)
    let refusal = values.withUnsafeBufferPointer { values in
      codes.withUnsafeMutableBytes { codes in
        scales.withUnsafeMutableBytes { scales in
          scratch.withUnsafeMutableBytes { scratch in
            quantizer.quantize(
              values.baseAddress!, rowCount: shape.axes[0], codes: codes.baseAddress!,
              scales: scales.baseAddress!, scratch: scratch.baseAddress)
          }
        }
      }
    }
    return (codes, scales, refusal)
  }

  static let shapes: [Shape] = [[2, 32], [10, 96], [6, 130], [134, 262]]

  @Test(arguments: QuantScheme.all.filter { $0.code != .int4 }, shapes)
  func everyPathGivesTheCodesOfTheDefinition(_ scheme: QuantScheme, _ shape: Shape) throws {
    let values = values(shape.axes[0], shape.axes[1], seed: 5)
    let codes = try expected(scheme, .codes, values, shape)
    let scales = try expected(scheme, .scales, values, shape)
    for path in Kernels.available {
      let found = found(scheme, values, shape, on: path)
      #expect(found.refusal == nil)
      #expect(found.scales == scales, "\(path.name)")
      #expect(found.codes == codes, "\(path.name)")
    }
  }

  /// The order of sums is free in the search, so its result is only about as good.
  @Test(arguments: shapes)
  func everyPathSearchesAsWell(_ shape: Shape) throws {
    let columns = shape.axes[1]
    let values = values(shape.axes[0], columns, seed: 6)
    let reference = try expected(.int4Channel, .scales, values, shape)
    let first = found(.int4Channel, values, shape, on: .available[0])
    for path in Kernels.available.dropFirst() {
      let other = found(.int4Channel, values, shape, on: path)
      #expect(other.codes == first.codes && other.scales == first.scales, "\(path.name)")
    }
    func scale(_ bytes: [UInt8], _ row: Int) -> Float {
      bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * row, as: Float.self) }
    }
    func error(_ row: Int, _ scale: Float) -> Double {
      (0..<columns).reduce(0) { sum, column in
        let value = values[row * columns + column]
        let code = min(max((value / scale).rounded(.toNearestOrEven), -8), 7)
        let difference = Double(value) - Double(code) * Double(scale)
        return sum + difference * difference
      }
    }
    for row in 0..<shape.axes[0] {
      let (own, best) = (scale(first.scales, row), scale(reference, row))
      #expect(error(row, own) <= error(row, best) * 1.001, "row \(row)")
      for column in 0..<columns {
        let byte = first.codes[row / 2 * columns + column]
        let nibble = Int8(bitPattern: row % 2 == 0 ? byte << 4 : byte) >> 4
        let code = min(
          max((values[row * columns + column] / own).rounded(.toNearestOrEven), -8), 7)
        #expect(Float(nibble) == code, "row \(row), column \(column)")
      }
    }
  }

  /// Rows of 40 to 3000 values: normal and with outliers, multiples of half a step, so that
  /// quotients lie on the border of two codes, and some of one sign or with many zeros.
  private func searchedRow(_ number: Int, _ random: inout Generator) -> [Float] {
    let count = 40 + number * 37 % 2961
    let unit = Float(sign: .plus, exponent: number % 60 - 20, significand: 1)
    return (0..<count).map { _ in
      let sum = (0..<6).reduce(Float(0)) { sum, _ in
        sum + Float(Int32(truncatingIfNeeded: random.next())) * 0x1p-31
      }
      switch number % 5 {
      case 0: return sum * unit
      case 1: return (sum * 8).rounded() / 2 * unit
      case 2: return sum * sum * sum * sum.magnitude * unit
      case 3: return sum < 0 ? 0 : -sum * unit
      default: return (sum.magnitude * 5).rounded() / 4 * unit
      }
    }
  }

  /// The scale of each row is that of the definition, taken step by step.
  @Test func theSearchFollowsTheDefinition() {
    var random = Generator(state: 8)
    var equal = 0
    for number in 0..<150 {
      let row = searchedRow(number, &random)
      func codes(_ scale: Float) -> [Double] {
        row.map { Double(min(max(($0 / scale).rounded(.toNearestOrEven), -8), 7)) }
      }
      func error(_ scale: Float, _ codes: [Double]) -> Double {
        zip(row, codes).reduce(0) { sum, pair in
          let difference = Double(pair.0) - Double(scale) * pair.1
          return sum + difference * difference
        }
      }
      var scale = max(row.map(\.magnitude).max()! / 7, 0x1p-23)
      var last = codes(scale)
      var best = (scale: scale, error: error(scale, last))
      for _ in 0..<50 {
        let square = last.reduce(0) { $0 + $1 * $1 }
        guard square > 0 else { break }
        scale = Float(zip(row, last).reduce(0) { $0 + Double($1.0) * $1.1 } / square)
        let next = codes(scale)
        let own = error(scale, next)
        if own < best.error { best = (scale, own) }
        if next == last { break }
        last = next
      }
      let found = found(.int4Channel, row + row, [2, row.count], on: .best).scales
      for place in [0, 4] {
        let own = found.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: Float.self) }
        if own == best.scale { equal += 1 }
        // The order of sums may decide between two scales that are alike.
        #expect(error(own, codes(own)) <= best.error * (1 + 1e-12), "row \(number)")
      }
    }
    #expect(equal >= 298)
  }

  @Test(arguments: QuantScheme.all, [Float.nan, .infinity, -.infinity])
  func valuesThatAreNotFiniteAreFound(_ scheme: QuantScheme, _ value: Float) {
    var values = values(4, 64, seed: 7)
    values[70] = value
    for path in Kernels.available {
      let refusal = found(scheme, values, [4, 64], on: path).refusal
      guard case .notFinite(70, _) = refusal else {
        Issue.record("\(path.name): \(String(describing: refusal))")
        continue
      }
    }
  }

  /// All 256 codes times scales, from every column on.
  @Test(arguments: [ScaleGrid.tensor, .channel, .blocks(3, 16), .blocks(128, 128), .group(7)])
  func everyPathScalesCodes(_ grid: ScaleGrid) throws {
    let shape: Shape = [8, 64]
    let (down, across) = try #require(grid.counts(of: shape))
    let codes = (0..<512).map { UInt8(truncatingIfNeeded: $0 * 5) }
    let scales = (0..<down * across).map { Float(3 + $0) * 0x1.23456p-9 }
    let format = try #require(FloatFormat(.f8e4m3))
    for path in Kernels.available {
      let rows = ScaledRows(grid, shape: shape, on: path)
      for start in [0, 1, 63, 100, 511] {
        var found = [Float](repeating: -1, count: 512 - start)
        codes.withUnsafeBufferPointer { codes in
          found.withUnsafeMutableBufferPointer { found in
            rows.decode(
              codes.baseAddress! + start, from: start, count: 512 - start, scales: scales,
              into: found.baseAddress!)
          }
        }
        for (position, value) in found.enumerated() {
          let (row, column) = (start + position).quotientAndRemainder(dividingBy: 64)
          let scale =
            scales[
              (grid.rows.map { row / $0 } ?? 0) * across + (grid.columns.map { column / $0 } ?? 0)]
          let expected = Float(format.value(of: UInt64(codes[start + position]))) * scale
          #expect(value == expected || value.isNaN && expected.isNaN, "\(path.name)")
        }
      }
    }
  }
}

/// F32 values in memory.
private struct Floats: TensorSource {
  let values: [Float]

  func read(
    tensor number: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    values.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + buffer.count]))
    }
  }
}
