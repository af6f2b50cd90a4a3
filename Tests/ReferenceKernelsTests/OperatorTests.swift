import TensorTypes
import Testing

@testable import ReferenceKernels

/// Emulated operators on worked examples.
@Suite struct OperatorTests {
  @Test func dynamicQuantRoundsHalfToEven() {
    let x = dynamicQuant(Rows(width: 4, [127, 0.5, 1.5, -2.5, 0, 0, 0, 0]))
    #expect(x.codes == [127, 0, 2, -2, 0, 0, 0, 0])
    #expect(x.scales == [1, 0])
  }

  @Test func dynamicProduct() {
    let x = QuantizedRows(width: 2, codes: [100, -50], scales: [0.5])
    let y = quantMatmul(x, weight: [2, 1, 0, 127], weightScale: [0.25, 2], bias: [1, 0])
    // 150·0.25·0.5 + 1 = 19.75; −6350·2·0.5 = −6350, whose nearest BF16 is −6336.
    #expect(y.values == [19.75, -6336])
  }

  @Test func staticProduct() {
    let codes = staticQuant(Rows(width: 2, [1, -3]), scale: 0.5, offset: 10)
    #expect(codes == [12, 4])
    #expect(staticQuant(Rows(width: 2, [1000, -1000]), scale: 0.5, offset: 10) == [127, -128])
    // The weight is [3, 5]·0.25; deq_scale 0.125; quant_bias = 1/0.125 − 10·8 = −72.
    let y = quantMatmul(
      codes: codes, width: 2, weight: [3, 5], deqScale: [0.125], quantBias: [-72])
    // (1·3 − 3·5)·0.25 + 1.
    #expect(y.values == [-2])
  }

  /// The halves of a product are the product.
  @Test func halvedProductIsTheWhole() {
    let codes = [-128, -17, -1, 0, 7, 8, 100, 127]
    let weight = [-8, 7, 3, -2, 5, 1, -6, 4]
    let x = QuantizedRows(width: 8, codes: codes, scales: [1])
    let bias = Float(8 * weight.reduce(0, +))
    let halved = halvedQuantMatmul(x, weight: weight, weightScale: [1], scaleBias: [bias])
    #expect(halved == quantMatmul(x, weight: weight, weightScale: [1]))
  }

  @Test func expertRequantizes() {
    let x = QuantizedRows(width: 1, codes: [100], scales: [1])
    // Gate 100, whose SiLU is itself, times up 1.
    let y = quantExpert(
      x, gateUp: [1, 1], gateUpScale: [1, 0.01], down: [2], downScale: [0.5])
    #expect(y.values == [100])
  }

  @Test func fractalOffsets() {
    #expect(fractalOffset(row: 34, column: 69, rowCount: 35, tileColumns: 32) == 4165)
    #expect(fractalOffset(row: 17, column: 33, rowCount: 35, tileColumns: 16) == 1809)
    // Every element of a padded matrix has a place of its own.
    let places = Set(
      (0..<32).flatMap { row in
        (0..<96).map { fractalOffset(row: row, column: $0, rowCount: 32, tileColumns: 32) }
      })
    #expect(places == Set(0..<32 * 96))
  }

  @Test func activationsOfLlamaCpp() {
    var x = [Double](repeating: 0, count: 32)
    x[3] = -12.7
    x[4] = 0.06
    let blocks = RuntimeProduct.llamaCpp(.q8_0).activations(x)
    let scale = FloatFormat.f16.rounding(Double(Float(12.7) / 127))
    #expect(blocks.values[3] == -127 * scale)

    #expect(blocks.values[4] == scale)
    #expect(abs(blocks.halfSteps[0] - 0.05) < 1e-7)

    let wide = x + [Double](repeating: 1, count: 224)
    let superblock = RuntimeProduct.llamaCpp(.block(.q4_k)).activations(wide)
    #expect(abs(superblock.values[3] + 12.7) < 1e-6)
    #expect(abs(superblock.values[40] - 1) < 1e-6)
    #expect(superblock.scaleShare == 0)

    #expect(RuntimeProduct.llamaCpp(.f16).activations([1 + 0x1p-12]).values == [1])
    #expect(RuntimeProduct.llamaCpp(.f32).activations([1 + 0x1p-40]).values == [1 + 0x1p-40])
    #expect(RuntimeProduct.transformers(.bf16).result(1 + 0x1p-10) == 1)
    #expect(RuntimeProduct.transformers(.bf16).halfStep(atResult: 1 + 0x1p-10) == 0x1p-8)
    #expect(RuntimeProduct.llamaCpp(.bf16).result(1 + 0x1p-10) == 1 + 0x1p-10)
  }

  /// No activation moves farther than half a step and what the scale's rounding adds.
  @Test(arguments: [RuntimeProduct.q8_0, .q8_k, .rounded(.f16, roundsResult: false), .exact])
  func activationsMoveByHalfAStep(_ product: RuntimeProduct) {
    let x = (0..<512).map { Double(($0 * 7919) % 1009 - 504) / 37 }
    let rounded = product.activations(x)
    for index in x.indices {
      let limit = rounded.halfSteps[index] * 1.0001 + rounded.scaleShare * abs(x[index])
      #expect(abs(rounded.values[index] - x[index]) <= limit)
    }
    #expect(product == .exact || rounded.values != x)
  }
}
