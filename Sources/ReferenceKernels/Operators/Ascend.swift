import TensorTypes

/// Activations of some tokens as whole numbers, with one F32 scale for each token.
public struct QuantizedRows: Sendable, Hashable {
  public let width: Int
  public var codes: [Int]
  public var scales: [Float]
}

/// `npu_dynamic_quant`: for each token `s = max|x| / 127` and `q = round(x / s)`, half to even, I8.
///
/// - Shape: `[tokens, width]` → codes of the same shape and `[tokens]` scales.
/// - Source: torch_npu, `npu_dynamic_quant`; vllm-ascend `quantization/methods/w8a8_dynamic.py`.
public func dynamicQuant(_ x: Rows) -> QuantizedRows {
  var result = QuantizedRows(width: x.width, codes: [], scales: [])
  for token in 0..<x.count {
    let greatest = x[token].reduce(0) { max($0, Float($1).magnitude) }
    let scale = greatest / 127
    result.scales.append(scale)
    result.codes += x[token].map { scale == 0 ? 0 : int8(Float($0) / scale) }
  }
  return result
}

/// The quantization of activations with a scale known beforehand:
/// `q = round(x · (1/scale) + offset)`, half to even, I8.
///
/// The runtime of a BF16 model holds the scale and its inverse in BF16.
///
/// - Source: vllm-ascend `quantization/methods/w8a8_static.py`; torch_npu, `npu_quantize`.
public func staticQuant(
  _ x: Rows, scale: Float, offset: Float, holding format: FloatFormat = .bf16
) -> [Int] {
  func held(_ value: Float) -> Float { Float(format.rounding(Double(value))) }
  let inverse = held(1 / held(scale))
  return x.values.map { int8(Float($0) * inverse + offset) }
}

/// `npu_quant_matmul` for dynamic activations: exact I32 sums, then
/// `sum · weightScale[o] · tokenScale[t] + bias[o]` in F32, rounded to BF16.
///
/// - Parameters:
///   - weight: codes `[out, in]`.
///   - weightScale: one for each output.
/// - Shape: `[tokens, in]` → `[tokens, out]`.
/// - Source: torch_npu, `npu_quant_matmul`; vllm-ascend `quantization/methods/w8a8_dynamic.py`.
public func quantMatmul(
  _ x: QuantizedRows, weight: [Int], weightScale: [Float], bias: [Float]? = nil,
  result format: FloatFormat = .bf16
) -> Rows {
  let sums = integerProducts(x.codes, weight, x.width)
  let width = weightScale.count
  var y = Rows(zeros: x.scales.count, width: width)
  for token in x.scales.indices {
    for out in 0..<width {
      var value = Float(sums[token * width + out]) * weightScale[out] * x.scales[token]
      if let bias { value += bias[out] }
      y.values[token * width + out] = format.rounding(Double(value))
    }
  }
  return y
}

/// `npu_quant_matmul` for static activations: `(sum + quantBias[o]) · deqScale[o]` in F32, rounded
/// to BF16.
///
/// - Parameters:
///   - codes: what `staticQuant` gives, `[tokens, in]`.
///   - deqScale: `inputScale · weightScale` for each output.
///   - quantBias: `round(bias / deqScale − inputOffset · Σ weight)` for each output.
/// - Source: vllm-ascend `quantization/methods/w8a8_static.py`.
public func quantMatmul(
  codes: [Int], width: Int, weight: [Int], deqScale: [Float], quantBias: [Int],
  result format: FloatFormat = .bf16
) -> Rows {
  let sums = integerProducts(codes, weight, width)
  let outCount = deqScale.count
  return Rows(
    width: outCount,
    sums.enumerated().map { position, sum in
      let out = position % outCount
      return format.rounding(Double(Float(sum + quantBias[out]) * deqScale[out]))
    })
}

/// One expert of a grouped matmul with requantization: gate and up along the output axis of one
/// matrix, `SwiGLU = silu(gate) · up` in F32, quantized again for each token, then down.
///
/// - Parameters:
///   - gateUp: codes `[2 · width, in]`, gate rows first.
///   - down: codes `[in, width]`.
/// - Source: vllm-ascend `ops/fused_moe/moe_mlp.py`; torch_npu, `npu_grouped_matmul_swiglu_quant`.
public func quantExpert(
  _ x: QuantizedRows, gateUp: [Int], gateUpScale: [Float], down: [Int], downScale: [Float]
) -> Rows {
  let both = quantMatmul(x, weight: gateUp, weightScale: gateUpScale, result: .f32)
  let width = gateUpScale.count / 2
  let mixed = gated(gate: both.columns(0..<width), up: both.columns(width..<2 * width), .silu)
  let rounded = Rows(width: width, mixed.values.map { Double(Float($0)) })
  return quantMatmul(dynamicQuant(rounded), weight: down, weightScale: downScale)
}

/// A linear layer with I4 weights and I8 activations, which are cut into two I4 halves,
/// `high = ⌊x / 16⌋` and `low = (x mod 16) − 8`:
/// `(16 · high·w + low·w) · weightScale[o] + scaleBias[o]`, times the token's scale, in F32.
///
/// - Parameter scaleBias: `8 · weightScale · Σ weight` for each output, which puts the 8 right.
/// - Source: vllm-ascend `quantization/methods/w4a8.py`.
public func halvedQuantMatmul(
  _ x: QuantizedRows, weight: [Int], weightScale: [Float], scaleBias: [Float]
) -> Rows {
  let high = integerProducts(x.codes.map { $0 >> 4 }, weight, x.width)
  let low = integerProducts(x.codes.map { ($0 & 15) - 8 }, weight, x.width)
  let width = weightScale.count
  return Rows(
    width: width,
    zip(high, low).enumerated().map { position, parts in
      let (token, out) = (position / width, position % width)
      let sum = Float(16 * parts.0 + parts.1) * weightScale[out] + scaleBias[out]
      return FloatFormat.bf16.rounding(Double(sum * x.scales[token]))
    })
}

/// Where an element of an `[rows, columns]` matrix lies in the FRACTAL_NZ layout, whose tiles have
/// 16 rows and 32 bytes: columns of tiles one after another, each tile row-major.
///
/// - Parameter tileColumns: elements in 32 bytes: 16 of BF16 and F16, 32 of I8, 64 of I4.
/// - Units: elements.
/// - Source: Ascend CANN documentation, data formats, NZ.
public func fractalOffset(row: Int, column: Int, rowCount: Int, tileColumns: Int) -> Int {
  let tileRows = (rowCount + 15) / 16
  return (column / tileColumns * tileRows + row / 16) * 16 * tileColumns
    + row % 16 * tileColumns + column % tileColumns
}

/// Rounds half to even to an I8, saturating.
private func int8(_ x: Float) -> Int {
  guard !x.isNaN else { return 0 }
  return Int(min(max(x.rounded(.toNearestOrEven), -128), 127))
}

/// `Σ x·w` for each token and output, exact.
private func integerProducts(_ x: [Int], _ weight: [Int], _ length: Int) -> [Int] {
  let (tokens, outputs) = (x.count / length, weight.count / length)
  var sums = [Int](repeating: 0, count: tokens * outputs)
  for token in 0..<tokens {
    for out in 0..<outputs {
      var sum = 0
      for index in 0..<length { sum += x[token * length + index] * weight[out * length + index] }
      sums[token * outputs + out] = sum
    }
  }
  return sums
}
