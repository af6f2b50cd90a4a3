import TensorTypes

/// How a runtime multiplies activations with a weight as stored: what it makes of the activations
/// first, and to what it rounds the result.
///
/// Products are summed in `Double` here. Runtimes sum in F32 or in integers, in an order that
/// depends on the processor; against the rounding of weights and activations that counts for
/// little.
public enum RuntimeProduct: Sendable, Hashable {
  /// Activations as they are.
  case exact
  /// Activations are rounded to a float format; the result too, where it is stored in it.
  case rounded(DType, roundsResult: Bool)
  /// Each block of 32 activations becomes whole numbers up to 127 and an F16 scale. Weights with
  /// an offset multiply it with the block's sum, rounded to F16 too, which is left out here.
  case q8_0
  /// Each block of 256 activations becomes whole numbers up to 127 and an F32 scale.
  case q8_k

  /// How llama.cpp multiplies with a weight of an encoding.
  ///
  /// - Source: llama.cpp `ggml-cpu.c`, `type_traits_cpu`, `vec_dot_type`.
  public static func llamaCpp(_ encoding: Encoding) -> RuntimeProduct {
    switch encoding {
    case .plain(.f16): .rounded(.f16, roundsResult: false)
    case .plain(.bf16): .rounded(.bf16, roundsResult: false)
    case .plain: .exact
    case .block(let type):
      type.elementCount == 256 ? .q8_k : .q8_0
    }
  }

  /// How transformers multiplies with a weight of an encoding, when the model is loaded in it.
  public static func transformers(_ encoding: Encoding) -> RuntimeProduct {
    switch encoding {
    case .plain(.f16): .rounded(.f16, roundsResult: true)
    case .plain(.bf16): .rounded(.bf16, roundsResult: true)
    default: .exact
    }
  }

  /// Activations after the runtime's rounding, and how far each may have moved.
  public struct Activations: Sendable {
    /// What products are made of.
    public var values: [Double]
    /// Half a step for each element.
    public var halfSteps: [Double]
    /// What the rounding of a block's scale may change, as a share of the values.
    public var scaleShare = 0.0
  }

  /// What the runtime multiplies for one row of activations; elements beyond the last whole block
  /// stay as they are.
  ///
  /// - Source: llama.cpp `ggml-quants.c`, `quantize_row_q8_0_ref`, `quantize_row_q8_K_ref`.
  public func activations(_ x: [Double]) -> Activations {
    var result = Activations(values: x, halfSteps: [Double](repeating: 0, count: x.count))
    switch self {
    case .exact: break
    case .rounded(let dtype, _):
      guard let format = FloatFormat(dtype) else { break }
      for index in x.indices {
        result.values[index] = format.rounding(x[index])
        result.halfSteps[index] = format.halfStep(at: x[index])
      }
    case .q8_0:
      result.scaleShare = 0x1p-11
      for start in stride(from: 0, to: x.count - x.count % 32, by: 32) {
        let block = start..<start + 32
        let greatest = x[block].reduce(0) { max($0, Float($1).magnitude) }
        let scale = greatest / 127
        let inverse = scale == 0 ? 0 : 1 / scale
        let stored = FloatFormat.f16.rounding(Double(scale))
        for index in block {
          let code = (Float(x[index]) * inverse).rounded(.toNearestOrAwayFromZero)
          result.values[index] = Double(code) * stored
          result.halfSteps[index] = Double(scale) / 2
        }
      }
    case .q8_k:
      for start in stride(from: 0, to: x.count - x.count % 256, by: 256) {
        let block = start..<start + 256
        var peak: Float = 0
        for index in block where Float(x[index]).magnitude > peak.magnitude {
          peak = Float(x[index])
        }
        let inverse = peak == 0 ? 0 : -127 / peak
        let scale = peak == 0 ? 0 : 1 / inverse
        for index in block {
          let code = min(127, (inverse * Float(x[index])).rounded(.toNearestOrEven))
          result.values[index] = Double(code * scale)
          result.halfSteps[index] = Double(scale.magnitude) / 2
        }
      }
    }
    return result
  }

  /// The result as the runtime stores it.
  public func result(_ y: Double) -> Double {
    guard case .rounded(let dtype, true) = self, let format = FloatFormat(dtype) else { return y }
    return format.rounding(y)
  }

  /// Half a step of the result.
  public func halfStep(atResult y: Double) -> Double {
    guard case .rounded(let dtype, true) = self, let format = FloatFormat(dtype) else { return 0 }
    return format.halfStep(at: y)
  }
}

extension FloatFormat {
  /// Half the distance between the values of the format around `x`; 0 for one of them.
  public func halfStep(at x: Double) -> Double {
    guard x.isFinite, rounding(x) != x else { return 0 }
    let exponent = max(Int(x.exponent), leastExponent)
    return Double(sign: .plus, exponent: exponent - fractionBitWidth - 1, significand: 1)
  }
}
