import TensorTypes

/// Rows of codes that are floats, with one scale for each group of columns.
public struct ScaledRows: Sendable, Hashable {
  public let width: Int
  /// - Units: columns that share a scale; the last group of a row may be smaller.
  public let groupLength: Int
  /// The values of the codes, row-major.
  public var codes: [Double]
  /// For each row, for each of its groups.
  public var scales: [Double]

  /// - Precondition: `codes` are whole rows.
  public init(width: Int, groupLength: Int, codes: [Double], scales: [Double]) {
    self.width = width
    self.groupLength = groupLength
    self.codes = codes
    self.scales = scales
  }

  public var count: Int { codes.count / width }
  public var groupsAcross: Int { (width + groupLength - 1) / groupLength }
}

/// `npu_dynamic_quant` to F8_E4M3, and DeepSeek's `act_quant`: for each group of a token
/// `s = max|x| / 448` and the code nearest to `x / s`, half to even.
///
/// - Parameter groupLength: columns that share a scale; nil for whole tokens.
/// - Source: torch_npu, `npu_dynamic_quant`; vllm-ascend `quantization/methods/w8a8fp8_dynamic.py`;
///   DeepSeek-V3 `inference/kernel.py`, for groups of 128.
public func fp8Quant(_ x: Rows, groupLength: Int? = nil) -> ScaledRows {
  quantized(x, groupLength ?? x.width) { group in
    let scale = group.reduce(0) { max($0, Float($1).magnitude) } / 448
    return (
      Double(scale),
      group.map {
        scale == 0 ? 0 : NarrowFloat.e4m3.nearest(Double(Float($0) / scale), tiesToEven: true)
      }
    )
  }
}

/// `npu_dynamic_mx_quant`: for each group of 32 a power of two, `2^(floor(log2(max|x|)) − e)` with
/// the exponent `e` of the largest code, and the code nearest to `x` over it, saturating.
///
/// - Parameter code: E4M3, with halves to even, or E2M1, with halves away from zero.
/// - Source: torch_npu, `npu_dynamic_mx_quant`; vllm-ascend `quantization/methods/w8a8_mxfp8.py`,
///   `w4a8_mxfp4.py`, `w4a4_mxfp4.py`; OCP Microscaling Formats 1.0.
public func mxQuant(_ x: Rows, code: NarrowFloat) -> ScaledRows {
  quantized(x, 32) { group in
    let greatest = group.reduce(0) { max($0, $1.magnitude) }
    let exponent = greatest > 0 ? Int(greatest.exponent) - code.greatestExponent : -127
    let scale = Double(sign: .plus, exponent: min(max(exponent, -127), 127), significand: 1)
    return (scale, group.map { code.nearest($0 / scale, tiesToEven: code == .e4m3) })
  }
}

/// The product of two matrices of scaled codes: for each group of columns the sum of the codes'
/// products, times both scales; all groups added and rounded to BF16.
///
/// Sums are made in `Double`; hardware makes them in F32.
///
/// - Parameter weight: one row for each output; its groups are the tokens' or divide into them.
/// - Shape: `[tokens, in]` and `[out, in]` → `[tokens, out]`.
/// - Source: torch_npu, `npu_quant_matmul` with `group_sizes`; DeepSeek-V3 `inference/kernel.py`,
///   `fp8_gemm`.
public func scaledMatmul(_ x: ScaledRows, weight: ScaledRows) -> Rows {
  precondition(x.width == weight.width, "rows of different lengths")
  var y = Rows(zeros: x.count, width: weight.count)
  for token in 0..<x.count {
    for out in 0..<weight.count {
      var sum = 0.0
      for index in 0..<x.width {
        let scale =
          x.scales[token * x.groupsAcross + index / x.groupLength]
          * weight.scales[out * weight.groupsAcross + index / weight.groupLength]
        sum +=
          x.codes[token * x.width + index] * weight.codes[out * weight.width + index] * scale
      }
      y.values[token * weight.count + out] = FloatFormat.bf16.rounding(sum)
    }
  }
  return y
}

/// `npu_weight_quant_batchmatmul`: activations stay in BF16, and weights are their codes times the
/// scale of their row or group; the result is rounded to BF16.
///
/// - Shape: `[tokens, in]` and `[out, in]` → `[tokens, out]`.
/// - Source: torch_npu, `npu_weight_quant_batchmatmul`; vllm-ascend `quantization/methods/w8a16.py`.
public func weightOnlyMatmul(_ x: Rows, weight: ScaledRows) -> Rows {
  let rounded = x.values.map(FloatFormat.bf16.rounding)
  return scaledMatmul(
    ScaledRows(
      width: x.width, groupLength: x.width, codes: rounded,
      scales: [Double](repeating: 1, count: x.count)),
    weight: weight)
}

/// The floats of four and eight bits that codes are.
public enum NarrowFloat: Sendable, Hashable {
  /// Up to 448, with three bits of fraction.
  case e4m3
  /// Up to 6, with one bit of fraction.
  case e2m1

  /// The exponent of the largest code.
  public var greatestExponent: Int { self == .e4m3 ? 8 : 2 }
  /// That of the smallest normal code, and of those below it.
  public var leastExponent: Int { self == .e4m3 ? -6 : 0 }
  public var fractionBitWidth: Int { self == .e4m3 ? 3 : 1 }
  public var greatest: Double { self == .e4m3 ? 448 : 6 }

  /// The distance between the codes around `x`.
  public func step(at x: Double) -> Double {
    let own = x == 0 ? leastExponent : Int(x.exponent)
    let exponent = min(max(own, leastExponent), greatestExponent)
    return Double(sign: .plus, exponent: exponent - fractionBitWidth, significand: 1)
  }

  /// The code's value nearest to `x`, saturating; of two equally near, the even one or the larger.
  public func nearest(_ x: Double, tiesToEven: Bool) -> Double {
    guard x.isFinite else { return x.isNaN ? x : x < 0 ? -greatest : greatest }
    let step = step(at: x)
    let rounded = (x / step).rounded(
      tiesToEven ? .toNearestOrEven : .toNearestOrAwayFromZero)
    return min(max(rounded * step, -greatest), greatest)
  }
}

private func quantized(
  _ x: Rows, _ groupLength: Int,
  _ quantize: (ArraySlice<Double>) -> (scale: Double, codes: [Double])
) -> ScaledRows {
  var result = ScaledRows(width: x.width, groupLength: groupLength, codes: [], scales: [])
  for row in 0..<x.count {
    for start in stride(from: row * x.width, to: (row + 1) * x.width, by: groupLength) {
      let end = min(start + groupLength, (row + 1) * x.width)
      let (scale, codes) = quantize(x.values[start..<end])
      result.scales.append(scale)
      result.codes += codes
    }
  }
  return result
}
