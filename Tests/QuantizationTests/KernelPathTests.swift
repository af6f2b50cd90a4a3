import TensorTypes
import Testing

@testable import Quantization

/// The row kernels of every path that this processor has, against plain arithmetic and each other.
@Suite struct KernelPathTests {
  static let pairs: [(Encoding, Encoding)] = [
    (.f16, .f32), (.bf16, .f32), (.f32, .f16), (.f32, .bf16), (.f32, .q8_0), (.q8_0, .f32),
  ]

  /// The result of one kernel, which may write nothing but it. Both buffers begin `shift` bytes
  /// after an aligned address.
  private func run(
    _ from: Encoding, _ to: Encoding, on path: Kernels, _ bytes: [UInt8], count: Int, shift: Int = 0
  ) -> [UInt8] {
    let size = to.byteCount(elementCount: count)!
    var output = [UInt8](repeating: 0xA5, count: size + 256)
    let input = [UInt8](repeating: 0, count: shift) + bytes
    input.withUnsafeBytes { input in
      output.withUnsafeMutableBytes { output in
        _ = RowKernel(from: from, to: to, on: path)!(
          UnsafeRawBufferPointer(rebasing: input[shift...]),
          into: UnsafeMutableRawBufferPointer(rebasing: output[shift..<shift + size]),
          elementCount: count)
      }
    }
    #expect(output[..<shift].allSatisfy { $0 == 0xA5 }, "\(path.name) wrote before its output")
    #expect(output[(shift + size)...].allSatisfy { $0 == 0xA5 }, "\(path.name) wrote past the end")
    return Array(output[shift..<shift + size])
  }

  private func bytes<T: BitwiseCopyable>(_ values: [T]) -> [UInt8] {
    values.withUnsafeBytes { Array($0) }
  }

  private func floats(_ bits: [UInt32]) -> [Float] { bits.map(Float.init(bitPattern:)) }

  // MARK: - Paths give the same bits

  @Test func thisProcessorHasThePortablePath() {
    #expect(Kernels.available.first?.name == "portable")
    #expect(Kernels.available.contains { $0.name == Kernels.best.name })
  }

  /// Any bits at all: NaN with payloads, infinities and subnormal numbers among them.
  @Test(arguments: 0..<6)
  func everyPathGivesTheSameBits(_ number: Int) {
    let (from, to) = KernelPathTests.pairs[number]
    let unit = max(from.unitElementCount, to.unitElementCount)
    var random = Generator(state: 11)
    let special: [UInt32] = [
      0, 0x8000_0000, 1, 0x807F_FFFF, 0x0080_0000, 0x7F80_0000, 0xFF80_0000, 0x7F80_0001,
      0xFFBF_FFFF, 0x7FC0_0000, 0xFFFF_FFFF, 0x7F7F_FFFF, 0x477F_EFFF, 0x477F_F000, 0x3300_0000,
      0x3300_0001, 0x387F_DFFF, 0x387F_E000, 0x3380_0000, 0x7F7F_8000,
    ]
    for units in 0..<70 {
      let count = units * unit
      let size = from.byteCount(elementCount: count)!
      var input = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      if from == .f32 {
        for index in 0..<count {
          // A third of anything, a third of usual weights, a third of special values.
          let word: UInt32
          switch random.next() % 3 {
          case 0: continue
          case 1: word = (Float(random.next() - 1 << 23) * 0x1p-26).bitPattern
          default: word = special[random.next() % special.count]
          }
          withUnsafeBytes(of: word) { input.replaceSubrange(4 * index..<4 * index + 4, with: $0) }
        }
      }
      let expected = run(from, to, on: Kernels.available[0], input, count: count)
      for path in Kernels.available.dropFirst() {
        let shift = units % 4 + (units % 8 == 7 ? 61 : 0)
        let found = run(from, to, on: path, input, count: count, shift: shift)
        #expect(found == expected, "\(path.name), \(from) to \(to), \(count) elements")
      }
    }
  }

  // MARK: - Half-precision numbers

  /// The rule of the header file in plain arithmetic.
  private func half(_ value: Float) -> UInt16 {
    guard value.isNaN else { return Float16(value).bitPattern }
    let bits = value.bitPattern
    return UInt16(bits >> 16 & 0x8000) | 0x7E00 | UInt16(bits >> 13 & 0x3FF)
  }

  @Test func everyHalfIsReadExactly() {
    let all = (0...UInt16.max).map { $0 }
    let expected = all.map { half -> UInt32 in
      let value = Float16(bitPattern: half)
      guard value.isNaN else { return Float(value).bitPattern }
      return UInt32(half & 0x8000) << 16 | 0x7FC0_0000 | UInt32(half & 0x3FF) << 13
    }
    for path in Kernels.available {
      let found = run(.f16, .f32, on: path, bytes(all), count: all.count)
      #expect(found == bytes(expected), "\(path.name)")
    }
  }

  @Test func roundingToHalvesIsToNearestEvenAtEveryBoundary() {
    // Each half, the middle between it and the next, and the floats around both.
    var inputs: [UInt32] = []
    for number in 0...UInt16(0x7C00) {
      let value = Float(Float16(bitPattern: number))
      var middle = value
      if number < 0x7BFF {
        middle = (value + Float(Float16(bitPattern: number + 1))) / 2
      } else if number == 0x7BFF {
        middle = 65520
      }
      for bits in [value.bitPattern, middle.bitPattern] {
        inputs += [bits == 0 ? 0 : bits - 1, bits, bits + 1]
      }
    }
    inputs += inputs.map { $0 | 0x8000_0000 }
    let expected = floats(inputs).map(half)
    for path in Kernels.available {
      let found = run(.f32, .f16, on: path, bytes(inputs), count: inputs.count)
      #expect(found == bytes(expected), "\(path.name)")
    }
  }

  @Test func everyBrainFloatIsReadExactlyAndRoundedAtEveryBoundary() {
    let all = (0...UInt16.max).map { $0 }
    var inputs: [UInt32] = []
    var expected: [UInt16] = []
    for upper in all {
      let isNaN = upper & 0x7FFF > 0x7F80
      for lower: UInt32 in [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF] {
        inputs.append(UInt32(upper) << 16 | lower)
        if upper & 0x7F80 == 0x7F80, isNaN || lower != 0 {
          expected.append(upper | 0x40)
        } else {
          let isUp = lower > 0x8000 || lower == 0x8000 && upper & 1 == 1
          expected.append(isUp ? upper + 1 : upper)
        }
      }
    }
    for path in Kernels.available {
      let found = run(.f32, .bf16, on: path, bytes(inputs), count: inputs.count)
      #expect(found == bytes(expected), "\(path.name)")
      let exact = run(.bf16, .f32, on: path, bytes(all), count: all.count)
      #expect(exact == bytes(all.map { UInt32($0) << 16 }), "\(path.name)")
    }
  }

  // MARK: - Q8_0

  private func q8(_ values: [Float], on path: Kernels) -> (scales: [Float16], codes: [Int8]) {
    let bytes = run(.f32, .q8_0, on: path, bytes(values), count: values.count)
    let starts = stride(from: 0, to: bytes.count, by: 34)
    return (
      starts.map { Float16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8) },
      starts.flatMap { bytes[$0 + 2..<$0 + 34].map(Int8.init(bitPattern:)) }
    )
  }

  @Test func codesRoundHalvesAwayFromZero() {
    // With 127 as the largest value the scale is 1.
    for start in stride(from: Float(-126.5), through: 83.5, by: 30) {
      var values = (0..<31).map { start + Float($0) }
      values.append(127)
      for path in Kernels.available {
        let (scales, codes) = q8(values, on: path)
        #expect(scales == [1])
        #expect(
          codes == values.map { Int8($0.rounded(.toNearestOrAwayFromZero)) }, "\(path.name)")
      }
      // The floats next to a half belong to their own side of it.
      let below = values.dropLast().map(\.nextDown) + [127]
      for path in Kernels.available {
        #expect(
          q8(below, on: path).codes == below.map { Int8($0.rounded(.toNearestOrAwayFromZero)) },
          "\(path.name)")
      }
    }
  }

  @Test func blocksOfZerosHaveNoScale() {
    for path in Kernels.available {
      let (scales, codes) = q8(
        [Float](repeating: 0, count: 32) + Array(repeating: -0.0, count: 32), on: path)
      #expect(scales.map(\.bitPattern) == [0, 0] && codes.allSatisfy { $0 == 0 }, "\(path.name)")
    }
  }

  @Test func valuesThatAreNotFiniteHaveCodeZero() {
    for path in Kernels.available {
      for position in [0, 9, 31] {
        var values = (0..<32).map { Float($0) - 15.5 }
        values[position] = .nan
        var expected = values
        expected[position] = 0
        // NaN does not count for the scale.
        #expect(q8(values, on: path).codes == q8(expected, on: path).codes, "\(path.name)")
        values[position] = -.infinity
        let (scales, codes) = q8(values, on: path)
        #expect(scales == [.infinity] && codes.allSatisfy { $0 == 0 }, "\(path.name)")
      }
    }
  }

  @Test func oneBlockIsTheFormula() {
    var random = Generator(state: 3)
    for exponent in stride(from: -140, through: 120, by: 13) {
      let values = (0..<32).map { _ in
        Float(sign: .plus, exponent: exponent, significand: 1)
          * Float(random.next() - 1 << 23) / 0x1p23
      }
      let greatest = values.map(\.magnitude).max()!
      let scale = greatest / 127
      let inverse = scale == 0 ? 0 : 1 / scale
      let expected = values.map { value -> Int8 in
        let product = value * inverse
        return product.isFinite ? Int8(product.rounded(.toNearestOrAwayFromZero)) : 0
      }
      for path in Kernels.available {
        let (scales, codes) = q8(values, on: path)
        #expect(scales == [Float16(scale)] && codes == expected, "2^\(exponent), \(path.name)")
      }
    }
  }
}
