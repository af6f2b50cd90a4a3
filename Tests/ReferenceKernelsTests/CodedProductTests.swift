import TensorTypes
import Testing

@testable import ReferenceKernels

/// Products with codes that are floats, and the table of ways to multiply, on worked examples.
@Suite struct CodedProductTests {
  @Test func fp8CodesOfATokenReach448() {
    // The scale is 896 / 448 = 2; 17/2 = 8.5 lies halfway between 8 and 9; 18/2 = 9 is a code;
    // 21/2 = 10.5 is halfway between 10 and 11, whose even one is 10.
    let x = fp8Quant(Rows(width: 4, [896, 17, 18, -21]))
    #expect(x.scales == [2])
    #expect(x.codes == [448, 8, 9, -10])
    #expect(
      fp8Quant(Rows(width: 2, [0, 0]))
        == ScaledRows(width: 2, groupLength: 2, codes: [0, 0], scales: [0]))
  }

  @Test func fp8ScalesOfGroups() {
    let x = fp8Quant(Rows(width: 3, [448, 224, 44.8]), groupLength: 2)
    #expect(x.scales == [1, Double(Float(44.8) / 448)])
    #expect(x.codes == [448, 224, 448])
  }

  @Test func mxScalesArePowersOfTwo() {
    var row = [Double](repeating: 0, count: 64)
    row[0] = 5  // 2²·1.25: exponent 2 − 8 = −6, code 320
    row[1] = 0.265625  // 17 at that scale: halfway between 16 and 18, whose even one is 16
    row[32] = -0.75  // exponent −1 − 8
    let x = mxQuant(Rows(width: 64, row), code: .e4m3)
    #expect(x.scales == [0x1p-6, 0x1p-9])
    #expect(x.codes[0] == 320 && x.codes[1] == 16 && x.codes[32] == -384)

    row[0] = 7  // 2²·1.75: exponent 2 − 2 = 0, beyond 6
    row[1] = 2.5  // halfway between 2 and 3
    row[2] = -0.25  // halfway between 0 and 0.5
    let y = mxQuant(Rows(width: 64, row), code: .e2m1)
    #expect(y.scales == [1, 0x1p-3])
    #expect(Array(y.codes[..<3]) == [6, 3, -0.5])
    #expect(y.codes[32] == -6)
  }

  @Test func everyNarrowCodeIsItsOwnNearest() {
    for (code, dtype, count) in [(NarrowFloat.e4m3, DType.f8e4m3, 127), (.e2m1, .f4, 8)] {
      let values = (0..<UInt64(count)).map { FloatFormat(dtype)!.value(of: $0) }
      for (value, next) in zip(values, values.dropFirst()) {
        #expect(code.nearest(value, tiesToEven: true) == value)
        #expect(code.nearest(-value, tiesToEven: false) == -value)
        #expect(code.step(at: value) == next - value)
        #expect(code.nearest((value + next) / 2, tiesToEven: false) == next)
      }
      #expect(code.nearest(1e9, tiesToEven: true) == values.last)
      #expect(code.greatestError(at: code.greatest + 100) == 100)
    }
  }

  @Test func productsOfGroups() {
    let x = ScaledRows(width: 3, groupLength: 2, codes: [1, 2, 4], scales: [0.5, 2])
    let weight = ScaledRows(
      width: 3, groupLength: 3, codes: [1, 1, 1, 3, 0, -1], scales: [1, 0.25])
    // (1 + 2)·0.5 + 4·2 = 9.5; (3·0.5 − 4·2)·0.25 = −1.625.
    #expect(scaledMatmul(x, weight: weight).values == [9.5, -1.625])
  }

  @Test func weightsAloneAreRounded() {
    // 1 + 2⁻⁸ lies halfway between 1 and 1 + 2⁻⁷ in BF16; the even one is 1.
    let weight = ScaledRows(width: 2, groupLength: 2, codes: [3, -2], scales: [0.5])
    #expect(weightOnlyMatmul(Rows(width: 2, [1 + 0x1p-8, 4]), weight: weight).values == [-2.5])
  }

  /// One token `[1, −0.5]` and one row of codes `[100, 50]` with scale 0.01.
  @Test func everyProductIsNearTheExactOne() {
    let x = Rows(width: 2, [1, -0.5])
    func weight(_ codes: [Double], _ scale: Double) -> CodedProduct.Weight {
      .init(ScaledRows(width: 2, groupLength: 2, codes: codes, scales: [scale]))
    }
    // Codes 127 and −64 (half to even), scale 1; 0.01 is 0.01001 in BF16.
    let held = FloatFormat.bf16.rounding(0.01)
    let token = Rows(width: 2, [127, -63.5])
    let dynamic = CodedProduct.int8Dynamic.result(token, weight([100, 50], 0.01))
    #expect(dynamic.values == [FloatFormat.bf16.rounding(9500 * held)])

    // Codes round(1·128 − 10) = 118 and −74; 118·100 − 74·50 = 8100, and 10·150 more.
    var fixed = weight([100, 50], 0.01)
    (fixed.deqScale, fixed.quantBias) = ([0x1p-7 * 0.01], [1500])
    let product = CodedProduct.int8Static(scale: 0x1p-7, offset: -10)
    #expect(product.result(x, fixed).values == [0.75])
    #expect(product.activations(x).values.values == [1, -0.5])

    // 127 = 16·7 + 15, −64 = 16·(−4) + 0; (127·5 + 64·3)·0.125 with scale bias 8·0.125·(5 − 3).
    var halves = weight([5, -3], 0.125)
    halves.scaleBias = [2]
    let split = CodedProduct.int4Halves.result(token, halves)
    #expect(split.values == [FloatFormat.bf16.rounding(103.375)])

    for product in [CodedProduct.weightOnly, .fp8Dynamic, .fp8Blocks, .mx(activations: .e4m3)] {
      let x = Rows(width: 2, [448, -224])
      #expect(product.result(x, weight([96, 48], 0x1p-3)).values == [4032])
      #expect(product.activations(x).values == x)
    }
    #expect(CodedProduct.mx(activations: .e2m1).result(x, weight([6, 1], 2)).values == [11])
  }

  /// No activation moves farther than predicted.
  @Test(arguments: [
    CodedProduct.int8Dynamic, .int8Static(scale: 0.02, offset: 3), .weightOnly, .fp8Dynamic,
    .fp8Blocks, .mx(activations: .e4m3), .mx(activations: .e2m1),
  ])
  func activationsMoveByHalfAStep(_ product: CodedProduct) {
    let x = Rows(width: 160, (0..<480).map { Double(($0 * 7919) % 1009 - 504) / 370 })
    let rounded = product.activations(x)
    for index in x.values.indices {
      let limit =
        rounded.halfSteps.values[index] * 1.0001 + rounded.scaleShare * abs(x.values[index])
      #expect(abs(rounded.values.values[index] - x.values[index]) <= limit)
    }
    #expect(rounded.values != x)
  }
}
