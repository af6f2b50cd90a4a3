import TensorTypes

extension Piece {
  /// What becomes of the values on their way.
  func conversion(thorough: Bool) -> Explanation.Conversion {
    var result = Explanation.Conversion(encodings: encodings, bounds: [])
    for (position, (from, to)) in zip(encodings, encodings.dropFirst()).enumerated() {
      if position == 0, scales != nil {
        result.bounds.append(
          "half a unit in the last place of F32 for code × scale: 2⁻²⁴ of the value")
      } else if case .block = to, from != to, thorough {
        result.bounds.append("no more squared error in a block than llama.cpp's scales give")
      } else if let bound = to.errorBound(from: from) {
        result.bounds.append(bound)
      }
    }
    if let quantization {
      result.encodings.append(storedEncoding)
      result.bounds.append(quantization.scheme.errorBound(of: quantization.part))
    }
    return result
  }
}

extension QuantScheme {
  /// How far a part of quantizing may be from what it stands for.
  ///
  /// - Source: the scheme's rule, with codes rounded to nearest.
  func errorBound(of part: QuantPart) -> String {
    switch part {
    case .codes: codeBound
    case .scales:
      switch rule {
      case .greatest: "half a unit in the last place of F32: 2⁻²⁴ of the scale"
      case .search: "the best scale of at most 51, rounded to F32: 2⁻²⁴ of the scale"
      case .powerOfTwo: "none: an exponent is a whole number"
      }
    case .scaleBias, .deqScale: "half a unit in the last place of F32: 2⁻²⁴ of the value"
    case .quantBias: "half of 1, and 2⁻²³ of each term"
    }
  }

  private var codeBound: String {
    let place =
      switch (grid.rows, grid.columns) {
      case (1, nil): "its row"
      case (_, let columns?) where grid.rows == 1: "its \(columns) columns of a row"
      default: "its block of \(grid.rows ?? 0)×\(grid.columns ?? 0)"
      }
    switch self {
    case .int8Channel, .int8Group:
      return "half a step of the scale max|w| / 127 of \(place): 1/254 of max|w|, 0.394 %"
    case .int4Channel:
      return
        "no more squared error in \(place) than half a step of max|w| / 7 gives: 1/14 of max|w|, "
        + "7.15 %, for each value"
    case .fp8Channel, .fp8Block128:
      return "half a unit in the last place of F8_E4M3 times the scale max|w| / 448 of \(place): "
        + "2⁻⁴ of the value, 6.25 %; below 2⁻⁶ of the scale, 2⁻¹⁰ of it"
    case .mxfp8:
      return
        "half a unit in the last place of F8_E4M3 times a power of two for \(place): 2⁻⁴ of the "
        + "value, 6.25 %; below 2⁻⁶ of the scale, 2⁻¹⁰ of it; beyond 448 times it, 1/8 of the value"
    case .mxfp4:
      return "half a unit in the last place of E2M1 times a power of two for \(place): 1/4 of the "
        + "value; below the scale, 1/4 of it; beyond 6 times it, 1/7 of the value"
    }
  }
}

extension Encoding {
  /// How far a value may move on its way into this encoding; nil when it cannot.
  ///
  /// - Source: IEEE 754, rounding to nearest; ggml's block formats.
  public func errorBound(from source: Encoding) -> String? {
    if source == self { return nil }
    if case .plain(let from) = source, case .plain(let to) = self,
      from.isExactly(representableIn: to)
    {
      return nil
    }
    switch self {
    case .plain(.f16):
      return "half a unit in the last place: 2⁻¹¹ of the value, 2⁻²⁵ below 2⁻¹⁴; beyond 65504 ∞"
    case .plain(.bf16): return "half a unit in the last place: 2⁻⁸ of the value"
    case .plain(.f32):
      if case .block = source { return nil }
      return "half a unit in the last place: 2⁻²⁴ of the value"
    case .plain(let dtype): return "rounding to \(dtype.name)"
    case .block(.q8_0):
      return "half a step of the block's scale: 1/254 of its largest value, "
        + "and 2⁻¹¹ of the value for the scale in F16"
    case .block(let block): return "a step of \(block.name)'s grid"
    }
  }
}
