import ReferenceKernels
import TensorTypes

extension LikelyCauses {
  /// Another rule of rounding that explains every element around the first that differs.
  func causeInRounding(_ suspect: Suspect) throws(Failure) -> String? {
    // What was searched for or measured is not rounded from the source's numbers.
    switch suspect.pair.law {
    case .searched, .calibrated: return nil
    default: break
    }
    guard let place = suspect.metrics.firstViolation,
      case .plain(let dtype) = suspect.encoding, let format = FloatFormat(dtype)
    else { return nil }
    let count = min(suspect.elementCount, 1 << 14)
    let cell = Cell(expectation.graph[suspect.pair.node].type.encoding)
    let first = min(place.element, suspect.elementCount - count)
    let start = first / cell.elementCount * cell.elementCount
    let elements = start..<min(suspect.elementCount, start + count)
    let source = try comparison.evaluation.values(suspect.pair.node, elements: elements)
    let found = try comparison.converted.values(of: suspect.pair.converted, elements: elements)
    let rounding = Rounding(format)
    let exactly = "instead of to nearest, ties to even, in \(dtype.name)"
    let rules: [(String, (Double) -> Double)] = [
      ("values are rounded towards zero \(exactly)", rounding.towardsZero),
      ("values are rounded halves away from zero \(exactly)", rounding.halvesAway),
      ("values are rounded halves up \(exactly)", rounding.halvesUp),
      ("values are rounded to BF16 first", { format.rounding(FloatFormat.bf16.rounding($0)) }),
      ("values are rounded to F16 first", { format.rounding(FloatFormat.f16.rounding($0)) }),
      ("subnormal values are zero", { rounding.withoutSubnormals(format.rounding($0)) }),
      ("subnormal values are zero", { format.rounding(rounding.withoutSubnormals($0)) }),
    ]
    for (name, round) in rules
    where zip(source, found).allSatisfy({ $1.isNaN || round($0) == $1 }) {
      return name
    }
    return nil
  }

  /// One bit that makes everything right when it is turned back.
  func causeInBits(_ suspect: Suspect) throws(Failure) -> String? {
    let cell = Cell(suspect.encoding)
    let element: Int
    if let place = suspect.metrics.firstViolation {
      element = place.element
    } else if let block = suspect.metrics.firstWorseBlock {
      element = block * cell.elementCount
    } else {
      return nil
    }
    let broken = max(suspect.metrics.violationCount, suspect.metrics.worseBlockCount)
    guard broken <= cell.elementCount, cell.valuesPerElement == 1 else { return nil }
    let first = element / cell.elementCount * cell.elementCount
    let elements = first..<first + cell.elementCount
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: cell.byteCount, alignment: 16)
    defer { memory.deallocate() }
    try comparison.converted.cells(of: suspect.pair.converted, elements: elements, into: memory)
    let source = Cell(expectation.graph[suspect.pair.node].type.encoding)
    let start = first / source.elementCount * source.elementCount
    let end =
      (elements.upperBound + source.elementCount - 1) / source.elementCount
      * source.elementCount
    let values = try comparison.evaluation.values(suspect.pair.node, elements: start..<end)
    let expected = Array(values[first - start..<elements.upperBound - start])
    let bit: Int?
    if suspect.pair.law.isByBits {
      // Scales may be stored in a narrower type.
      guard source.byteCount == cell.byteCount else { return nil }
      bit = try differingBit(memory, suspect.pair, elements)
    } else {
      bit = flippedBit(memory, expected, suspect.pair.law, cell)
    }
    guard let bit else { return nil }
    let tensor = expectation.converted.tensors[suspect.pair.converted]
    let byte = tensor.offset + cell.packedBytes(0..<first / cell.elementCount).count + bit / 8
    return "one bit is flipped: bit \(bit % 8) of byte \(byte) of "
      + expectation.converted.files[tensor.file].source.name
  }

  /// The only bit in which a cell is not the source's.
  private func differingBit(
    _ cell: UnsafeMutableRawBufferPointer, _ pair: Comparison.Pair, _ elements: Range<Int>
  ) throws(Failure) -> Int? {
    let source = UnsafeMutableRawBufferPointer.allocate(byteCount: cell.count, alignment: 16)
    defer { source.deallocate() }
    try comparison.evaluation.evaluate(pair.node, elements: elements, into: source)
    var bits: [Int] = []
    for bit in 0..<8 * cell.count {
      let difference = cell[bit / 8] ^ source[bit / 8]
      if difference >> UInt8(bit % 8) & 1 == 1 { bits.append(bit) }
    }
    return bits.count == 1 ? bits[0] : nil
  }

  /// The bit of a cell that must be turned for the law to hold; the best when there are several.
  private func flippedBit(
    _ cell: UnsafeMutableRawBufferPointer, _ expected: [Double], _ law: Law, _ type: Cell
  ) -> Int? {
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: 16 * expected.count, alignment: 64)
    defer { memory.deallocate() }
    let source = memory.bindMemory(to: Double.self, capacity: 2 * expected.count)
    source.update(from: expected, count: expected.count)
    let values = Values(
      source: source, converted: source + expected.count, count: expected.count, start: 0)
    var best: (bit: Int, error: Double)?
    for bit in 0..<8 * cell.count {
      cell[bit / 8] ^= 1 << UInt8(bit % 8)
      defer { cell[bit / 8] ^= 1 << UInt8(bit % 8) }
      type.decode(
        UnsafeRawBufferPointer(cell),
        into: UnsafeMutableBufferPointer(start: values.converted, count: values.count))
      var metrics = Metrics()
      metrics.add(values)
      switch law {
      case .rounded(let format, _, let viaF32):
        metrics.checkRounding(values, format, viaF32: viaF32)
      case .blocks(let law) where law.scalar != nil:
        // A cell of a block type holds a block, so there is a base address.
        BlockComparison(law).compare(cell.baseAddress!, values, into: &metrics)
      case .exactValue: metrics.checkEqual(values)
      default: return nil
      }
      guard metrics.violationCount == 0, metrics.worseBlockCount == 0,
        metrics.specialMismatchCount == 0
      else { continue }
      if metrics.squaredError < best?.error ?? .infinity { best = (bit, metrics.squaredError) }
    }
    return best?.bit
  }

  /// Bytes or nibbles in another order.
  func causeInStorage(_ suspect: Suspect, _ probe: Probe) throws(Failure) -> String? {
    let cell = Cell(suspect.encoding)
    let memory = try cells(suspect, probe)
    defer { memory.deallocate() }
    for number in 0..<memory.count / cell.byteCount {
      let bytes = number * cell.byteCount..<(number + 1) * cell.byteCount
      if case .block(let type) = suspect.encoding {
        guard let codes = LikelyCauses.nibbles[type.name] else { return nil }
        for byte in codes {
          memory[bytes.lowerBound + byte] =
            memory[bytes.lowerBound + byte] << 4 | memory[bytes.lowerBound + byte] >> 4
        }
      } else {
        memory[bytes].reverse()
      }
    }
    var values = [Double](repeating: 0, count: probe.found.count * cell.valuesPerElement)
    values.withUnsafeMutableBufferPointer {
      cell.decode(UnsafeRawBufferPointer(memory), into: $0)
    }
    guard isClose(probe.expected, values, suspect.tolerance) else { return nil }
    return suspect.encoding.isBlock
      ? "the two nibbles of each byte are exchanged" : "the bytes of each element are reversed"
  }

  /// The cells that a probe was decoded from; the caller deallocates them.
  func cells(
    _ suspect: Suspect, _ probe: Probe
  ) throws(Failure) -> UnsafeMutableRawBufferPointer {
    let cell = Cell(suspect.encoding)
    let start = probe.row * suspect.shape.rowLength
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: probe.found.count / cell.elementCount * cell.byteCount, alignment: 16)
    do throws(Failure) {
      try comparison.converted.cells(
        of: suspect.pair.converted, elements: start..<start + probe.found.count, into: memory)
    } catch {
      memory.deallocate()
      throw error
    }
    return memory
  }

  /// The bytes of a block that hold two codes each.
  private static let nibbles: [String: Range<Int>] = [
    "q4_0": 2..<18, "q4_1": 4..<20, "q5_0": 6..<22, "q5_1": 8..<24, "q4_k": 16..<144,
    "q5_k": 48..<176, "iq4_nl": 2..<18, "iq4_xs": 8..<136, "mxfp4": 1..<17, "nvfp4": 4..<36,
  ]
}

/// Ways of rounding that are not the right one.
private struct Rounding {
  let format: FloatFormat

  init(_ format: FloatFormat) {
    self.format = format
  }

  /// The values of the format on both sides of `x`, the one nearer to zero first.
  private func around(_ x: Double) -> (near: Double, far: Double) {
    guard x.isFinite, x != 0 else { return (x, x) }
    let exponent = max(Int(x.exponent), format.leastExponent) - format.fractionBitWidth
    let step = Double(sign: .plus, exponent: exponent, significand: 1)
    let near = (x / step).rounded(.towardZero) * step
    return (near, near == x ? x : near + (x < 0 ? -step : step))
  }

  func towardsZero(_ x: Double) -> Double { around(x).near }

  func halvesAway(_ x: Double) -> Double {
    let (near, far) = around(x)
    return (x - near).magnitude == (far - x).magnitude ? far : format.rounding(x)
  }

  func withoutSubnormals(_ x: Double) -> Double {
    x.isFinite && x != 0 && Int(x.exponent) < format.leastExponent ? 0 : x
  }

  func halvesUp(_ x: Double) -> Double {
    let (near, far) = around(x)
    return (x - near).magnitude == (far - x).magnitude ? max(near, far) : format.rounding(x)
  }
}
