/// How a matrix becomes codes with scales beside them: what a code is, where the scales lie, and
/// how they are found.
///
/// All arithmetic is in F32 with one rounding an operation. A NaN counts for nothing in a scale,
/// and its code is 0.
public enum QuantScheme: Sendable, Hashable {
  /// What one code is.
  public enum Code: Sendable, Hashable {
    /// An I8 in −128…127.
    case int8
    /// An integer in −8…7; two rows share a row of bytes, the even one in the low nibbles.
    case int4
    /// F8_E4M3, saturating at ±448.
    case e4m3
    /// E2M1; two columns share a byte, the even one in the low nibble.
    case e2m1
  }

  /// How a scale follows from the values of its rectangle, and a code from value and scale.
  public enum Rule: Sendable, Hashable {
    /// The greatest magnitude over `limit`, at least `atLeast`; code = value / scale, rounded half to
    /// even.
    case greatest(over: Float, atLeast: Float)
    /// As `greatest`, then at most 50 rounds of `scale = Σ value·code / Σ code²`, keeping the scale
    /// with the least square error.
    case search(over: Float, atLeast: Float)
    /// A power of two, stored as its exponent + 127: `floor(log2(greatest))` less the exponent of
    /// the largest code; codes are rounded half away from zero.
    case powerOfTwo
  }

  /// One scale for each row.
  case int8Channel
  /// One scale for each group of so many columns of a row.
  case int8Group(Int)
  /// One scale for each row, searched for.
  case int4Channel
  /// One scale for each row.
  case fp8Channel
  /// One scale for each block of 128×128, as in the checkpoints of DeepSeek-V3.
  case fp8Block128
  /// A power of two for each group of 32 columns.
  case mxfp8, mxfp4

  public static let all: [QuantScheme] = [
    .int8Channel, .int8Group(32), .int8Group(64), .int8Group(128), .int8Group(256), .int4Channel,
    .fp8Channel, .fp8Block128, .mxfp8, .mxfp4,
  ]

  /// As `port list` and messages spell it.
  public var name: String {
    switch self {
    case .int8Channel: "int8-channel"
    case .int8Group(let columns): "int8-group\(columns)"
    case .int4Channel: "int4-channel"
    case .fp8Channel: "fp8-channel"
    case .fp8Block128: "fp8-block128"
    case .mxfp8: "mxfp8"
    case .mxfp4: "mxfp4"
    }
  }

  public var code: Code {
    switch self {
    case .int8Channel, .int8Group: .int8
    case .int4Channel: .int4
    case .fp8Channel, .fp8Block128, .mxfp8: .e4m3
    case .mxfp4: .e2m1
    }
  }

  public var grid: ScaleGrid {
    switch self {
    case .int8Channel, .int4Channel, .fp8Channel: .channel
    case .int8Group(let columns): .group(columns)
    case .fp8Block128: .blocks(128, 128)
    case .mxfp8, .mxfp4: .group(32)
    }
  }

  public var rule: Rule {
    switch self {
    case .int8Channel, .int8Group: .greatest(over: 127, atLeast: 0x1p-23)
    case .int4Channel: .search(over: 7, atLeast: 0x1p-23)
    case .fp8Channel, .fp8Block128: .greatest(over: 448, atLeast: 1e-12 / 448)
    case .mxfp8, .mxfp4: .powerOfTwo
    }
  }

  /// What fixes the arithmetic.
  public var source: String {
    switch self {
    case .int8Channel, .int8Group: "msmodelslim 26.1.0, int_quantization.py"
    case .int4Channel: "msmodelslim 26.1.0, int_quantization.py and ssz.py"
    case .fp8Channel: "msmodelslim 26.1.0, fp_quantization.py"
    case .fp8Block128: "DeepSeek-V3, inference/kernel.py"
    case .mxfp8, .mxfp4: "OCP Microscaling Formats 1.0; msmodelslim 26.1.0, mx_quantization.py"
    }
  }

  /// Rows that are quantized together: those that share bytes or scales.
  public var rowMultiple: Int { max(grid.rows ?? 1, code == .int4 ? 2 : 1) }

  /// The type of the codes of a matrix; nil when it does not divide into whole bytes.
  public func codes(of shape: Shape) -> TensorType? {
    guard shape.rank == 2 else { return nil }
    let (rows, columns) = (shape.axes[0], shape.axes[1])
    switch code {
    case .int8: return TensorType(shape: shape, encoding: .plain(.i8))
    case .e4m3: return TensorType(shape: shape, encoding: .plain(.f8e4m3))
    case .int4:
      guard rows % 2 == 0 else { return nil }
      return TensorType(shape: [rows / 2, columns], encoding: .plain(.i8))
    case .e2m1:
      guard columns % 2 == 0 else { return nil }
      return TensorType(shape: [rows, columns / 2], encoding: .plain(.u8))
    }
  }

  /// The type of the scales of a matrix; nil for other ranks, and for rows without columns that would
  /// have scales.
  public func scales(of shape: Shape) -> TensorType? {
    guard let (down, across) = grid.counts(of: shape), shape.axes[1] > 0 || down * across == 0
    else { return nil }
    return TensorType(
      shape: [down, across], encoding: rule == .powerOfTwo ? .plain(.u8) : .f32)
  }
}

extension QuantScheme: CustomStringConvertible {
  public var description: String { name }
}

/// What quantizing a matrix gives, one tensor each.
public enum QuantPart: Sendable, Hashable {
  case codes
  case scales
  /// `8 · scale · Σ code` over each of so many equal slices of a row: what an int4 product of
  /// activations that were shifted by 8 needs to be put right.
  case scaleBias(slices: Int)
  /// `inputScale · scale` for each row: F32, or its bits in an I64.
  case deqScale(inputScale: Float, asBits: Bool)
  /// `round(bias / (inputScale · scale) − inputOffset · Σ code)` for each row, half to even, I32.
  case quantBias(inputScale: Float, inputOffset: Float)

  /// The type of this part of a matrix; nil when the matrix does not divide.
  public func type(of shape: Shape, _ scheme: QuantScheme) -> TensorType? {
    guard shape.rank == 2 else { return nil }
    let (rows, columns) = (shape.axes[0], shape.axes[1])
    switch self {
    case .codes: return scheme.codes(of: shape)
    case .scales: return scheme.scales(of: shape)
    case .scaleBias(let slices):
      guard slices > 0, columns % slices == 0, scheme.grid == .channel else { return nil }
      return TensorType(shape: [rows, slices], encoding: .f32)
    case .deqScale(_, let asBits):
      guard scheme.grid == .channel else { return nil }
      return TensorType(shape: [rows], encoding: asBits ? .plain(.i64) : .f32)
    case .quantBias:
      guard scheme.grid == .channel, scheme.code == .int8 else { return nil }
      return TensorType(shape: [rows], encoding: .plain(.i32))
    }
  }
}

extension QuantPart: CustomStringConvertible {
  public var description: String {
    switch self {
    case .codes: "codes"
    case .scales: "scales"
    case .scaleBias(let slices): "scale bias of \(slices) slices"
    case .deqScale(let scale, let asBits):
      "deq_scale for input scale \(scale)\(asBits ? " as bits" : "")"
    case .quantBias(let scale, let offset): "quant_bias for input scale \(scale), offset \(offset)"
    }
  }
}
