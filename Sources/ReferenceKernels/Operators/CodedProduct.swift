import TensorTypes

/// How a runtime multiplies activations with a matrix that is stored as codes with scales beside
/// them.
public enum CodedProduct: Sendable, Hashable {
  /// I8 weights and I8 activations, whose scale each token has for itself.
  case int8Dynamic
  /// I8 weights and I8 activations, whose scale and offset are fixed.
  case int8Static(scale: Float, offset: Float)
  /// I8 weights and BF16 activations.
  case weightOnly
  /// I4 weights and I8 activations, which are cut into two halves.
  case int4Halves
  /// F8_E4M3 on both sides, activations with a scale for each token.
  case fp8Dynamic
  /// F8_E4M3 on both sides, weights by blocks, activations with a scale for each 128 of a token.
  case fp8Blocks
  /// Groups of 32 with a power of two, whatever the weights' codes are.
  case mx(activations: NarrowFloat)

  /// Some rows of a matrix as they are stored.
  public struct Weight: Sendable {
    /// Codes with the scales that are stored for them; for static activations, `deq_scale` over the
    /// scale of inputs.
    public var rows: ScaledRows
    /// `deq_scale` and `quant_bias` for each row; for static activations only.
    public var deqScale: [Float] = []
    public var quantBias: [Int] = []
    /// One sum for each row; for I4 codes only.
    public var scaleBias: [Float] = []

    public init(_ rows: ScaledRows) {
      self.rows = rows
    }
  }

  /// Activations after rounding, and what that may have changed.
  public struct Activations: Sendable {
    /// What products are made of, one row a token.
    public var values: Rows
    /// How far each may have moved: half a step, and what is cut off beyond the last code.
    public var halfSteps: Rows
    /// What rounded scales may change in all of them, as a share.
    public var scaleShare = 0.0
  }

  /// What rounding the weights' scales to BF16 may change, as a share: the runtime holds the scales
  /// of rows in the type of the model.
  ///
  /// - Source: vllm-ascend 0.23.0, `get_perchannel_param` of `w8a8_dynamic.py`, `w8a16.py`.
  public var weightScaleShare: Double {
    switch self {
    case .int8Dynamic, .weightOnly, .fp8Dynamic: 0x1p-8
    case .int8Static, .int4Halves, .fp8Blocks, .mx: 0
    }
  }

  /// The scale that the runtime multiplies with.
  public func held(_ scale: Double) -> Double {
    weightScaleShare > 0 ? FloatFormat.bf16.rounding(scale) : scale
  }

  /// What the runtime computes for some tokens with some rows of a weight.
  ///
  /// - Shape: `[tokens, in]` → `[tokens, rows]`.
  public func result(_ x: Rows, _ weight: Weight) -> Rows {
    var rows = weight.rows
    rows.scales = rows.scales.map(held)
    var codes: [Int] { rows.codes.map { Int($0) } }
    var scales: [Float] { rows.scales.map { Float($0) } }
    switch self {
    case .int8Dynamic:
      return quantMatmul(dynamicQuant(x), weight: codes, weightScale: scales)
    case .int8Static(let scale, let offset):
      return quantMatmul(
        codes: staticQuant(x, scale: scale, offset: offset), width: x.width, weight: codes,
        deqScale: weight.deqScale, quantBias: weight.quantBias)
    case .weightOnly:
      return weightOnlyMatmul(x, weight: rows)
    case .int4Halves:
      return halvedQuantMatmul(
        dynamicQuant(x), weight: codes, weightScale: scales, scaleBias: weight.scaleBias)
    case .fp8Dynamic: return scaledMatmul(fp8Quant(x), weight: rows)
    case .fp8Blocks: return scaledMatmul(fp8Quant(x, groupLength: 128), weight: rows)
    case .mx(let code): return scaledMatmul(mxQuant(x, code: code), weight: rows)
    }
  }

  /// What the runtime makes of activations before it multiplies.
  public func activations(_ x: Rows) -> Activations {
    var halfSteps = Rows(zeros: x.count, width: x.width)
    switch self {
    case .int8Dynamic, .int4Halves:
      let rounded = dynamicQuant(x)
      let values = rounded.codes.enumerated().map { index, code in
        Double(code) * Double(rounded.scales[index / x.width])
      }
      for index in x.values.indices {
        halfSteps.values[index] = Double(rounded.scales[index / x.width]) / 2
      }
      return Activations(values: Rows(width: x.width, values), halfSteps: halfSteps)
    case .int8Static(let scale, let offset):
      let values = staticQuant(x, scale: scale, offset: offset).map {
        (Double($0) - Double(offset)) * Double(scale)
      }
      for index in x.values.indices { halfSteps.values[index] = Double(scale) / 2 }
      // Both the scale and its inverse are held in BF16.
      return Activations(
        values: Rows(width: x.width, values), halfSteps: halfSteps, scaleShare: 0x1p-7)
    case .weightOnly:
      for (index, value) in x.values.enumerated() {
        halfSteps.values[index] = FloatFormat.bf16.halfStep(at: value)
      }
      return Activations(
        values: Rows(width: x.width, x.values.map(FloatFormat.bf16.rounding)),
        halfSteps: halfSteps)
    case .fp8Dynamic: return activations(x, fp8Quant(x), .e4m3)
    case .fp8Blocks: return activations(x, fp8Quant(x, groupLength: 128), .e4m3)
    case .mx(let code): return activations(x, mxQuant(x, code: code), code)
    }
  }

  private func activations(_ x: Rows, _ rounded: ScaledRows, _ code: NarrowFloat) -> Activations {
    var result = Activations(values: x, halfSteps: Rows(zeros: x.count, width: x.width))
    for (index, value) in x.values.enumerated() {
      let (row, column) = index.quotientAndRemainder(dividingBy: x.width)
      let scale = rounded.scales[row * rounded.groupsAcross + column / rounded.groupLength]
      result.values.values[index] = rounded.codes[index] * scale
      if scale == 0 { continue }
      result.halfSteps.values[index] = code.greatestError(at: value / scale) * scale
    }
    return result
  }
}

extension NarrowFloat {
  /// How far the nearest code may be: half a step, or what is cut off beyond the last one.
  public func greatestError(at x: Double) -> Double {
    max(step(at: x) / 2, x.magnitude - greatest)
  }
}
