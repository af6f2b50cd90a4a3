import TensorTypes

/// A binary floating-point format, described by the numbers that define it.
///
/// - Source: IEEE 754; OCP 8-bit floating point and microscaling formats; `docs/formats`.
public struct FloatFormat: Sendable, Hashable {
  /// What the codes stand for that would be infinities and NaNs in IEEE 754.
  public enum Specials: Sendable, Hashable {
    /// All exponent bits set: infinity when the fraction is zero, NaN otherwise.
    case ieee
    /// All exponent and fraction bits set: NaN. Everything else is finite.
    case allOnes
    /// The code of negative zero: NaN. Everything else is finite.
    case negativeZero
    /// Every code is finite.
    case none
  }

  public let exponentBitWidth: Int
  public let fractionBitWidth: Int
  public let bias: Int
  public let specials: Specials

  public static let f16 = FloatFormat(exponentBitWidth: 5, fractionBitWidth: 10)
  public static let bf16 = FloatFormat(exponentBitWidth: 8, fractionBitWidth: 7)
  public static let f32 = FloatFormat(exponentBitWidth: 8, fractionBitWidth: 23)

  init(
    exponentBitWidth: Int, fractionBitWidth: Int, bias: Int? = nil, specials: Specials = .ieee
  ) {
    self.exponentBitWidth = exponentBitWidth
    self.fractionBitWidth = fractionBitWidth
    self.bias = bias ?? (1 << (exponentBitWidth - 1)) - 1
    self.specials = specials
  }

  /// The format of a dtype; nil for dtypes that are no binary floats of sign, exponent, fraction.
  public init?(_ dtype: DType) {
    switch dtype {
    case .f4: self.init(exponentBitWidth: 2, fractionBitWidth: 1, specials: .none)
    case .f6e2m3: self.init(exponentBitWidth: 2, fractionBitWidth: 3, specials: .none)
    case .f6e3m2: self.init(exponentBitWidth: 3, fractionBitWidth: 2, specials: .none)
    case .f8e4m3: self.init(exponentBitWidth: 4, fractionBitWidth: 3, specials: .allOnes)
    case .f8e5m2: self.init(exponentBitWidth: 5, fractionBitWidth: 2)
    case .f8e4m3fnuz:
      self.init(exponentBitWidth: 4, fractionBitWidth: 3, bias: 8, specials: .negativeZero)
    case .f8e5m2fnuz:
      self.init(exponentBitWidth: 5, fractionBitWidth: 2, bias: 16, specials: .negativeZero)
    case .f16: self = .f16
    case .bf16: self = .bf16
    case .f32: self = .f32
    case .f64: self.init(exponentBitWidth: 11, fractionBitWidth: 52)
    default: return nil
    }
  }

  /// The exponent of the smallest normal number, which is also that of the subnormal ones.
  public var leastExponent: Int { 1 - bias }

  /// The largest finite value of a format with IEEE specials.
  public var greatestFinite: Double {
    let exponent = (1 << exponentBitWidth) - 2 - bias
    return Double(sign: .plus, exponent: exponent, significand: 2)
      - Double(sign: .plus, exponent: exponent - fractionBitWidth, significand: 1)
  }

  /// The value of a code: `±fraction · 2^least` or `±(1 + fraction) · 2^(exponent − bias)`.
  public func value(of code: UInt64) -> Double {
    let fractionMask = (UInt64(1) << fractionBitWidth) - 1
    let exponentMask = (UInt64(1) << exponentBitWidth) - 1
    let fraction = code & fractionMask
    let exponent = code >> fractionBitWidth & exponentMask
    let isNegative = code >> (fractionBitWidth + exponentBitWidth) & 1 == 1
    switch specials {
    case .ieee where exponent == exponentMask:
      return fraction != 0 ? .nan : isNegative ? -.infinity : .infinity
    case .allOnes where exponent == exponentMask && fraction == fractionMask:
      return .nan
    case .negativeZero where isNegative && exponent == 0 && fraction == 0:
      return .nan
    default: break
    }
    let significand = exponent == 0 ? fraction : fraction | (fractionMask + 1)
    let power = max(1, Int(exponent)) - bias - fractionBitWidth
    let magnitude = Double(sign: .plus, exponent: power, significand: Double(significand))
    return isNegative ? -magnitude : magnitude
  }

  /// The value of the format nearest to `x`, ties to the even one; beyond the largest finite value
  /// and its half step, infinity. NaN stays NaN.
  ///
  /// Adding and taking away `1.5 · 2^52` steps makes `Double` itself round to whole steps.
  ///
  /// - Precondition: IEEE specials, and at most 24 significant bits.
  @inline(__always)
  public func rounding(_ x: Double) -> Double {
    let bits = x.bitPattern
    let exponentField = Int(bits >> 52 & 0x7FF)
    guard exponentField < 0x7FF else { return x }
    // Beyond the greatest exponent, which is the bias, everything becomes infinity.
    let exponent = min(max(exponentField - 1023, leastExponent), bias + 1)
    let shift = Double(
      bitPattern: UInt64(exponent - fractionBitWidth + 52 + 1023) << 52 | 1 << 51)
    let rounded = (x + shift) - shift
    let limited = rounded.magnitude > greatestFinite ? Double.infinity : rounded.magnitude
    return Double(bitPattern: limited.bitPattern | bits & 1 << 63)
  }

  /// Which value of the format this is, counted from zero; neighbours differ by 1.
  ///
  /// - Precondition: `x` is a value of the format, and no NaN.
  public func ordinal(_ x: Double) -> Int {
    if x.isInfinite { return (x < 0 ? -1 : 1) * (ordinal(greatestFinite) + 1) }
    if x == 0 { return 0 }
    let exponent = max(Int(x.exponent), leastExponent)
    let steps = Double(sign: .plus, exponent: fractionBitWidth - exponent, significand: x.magnitude)
    let count = Int(steps) + (exponent - leastExponent) << fractionBitWidth
    return x < 0 ? -count : count
  }
}
