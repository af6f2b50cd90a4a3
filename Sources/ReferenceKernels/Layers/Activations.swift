import RealModule

/// What stands between the two linear layers of a feed-forward part.
public enum Activation: String, Sendable, Hashable, CaseIterable {
  /// `x · sigmoid(x)`.
  case silu
  /// `x · Φ(x)` with the normal distribution: `x/2 · (1 + erf(x/√2))`.
  case gelu
  /// GELU by `tanh`: `x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³)))`.
  case geluTanh
  case relu

  /// As `hidden_act` and `activation_function` of a config spell it; nil for others.
  ///
  /// - Source: transformers `activations.py`, `ACT2FN`.
  public init?(configName name: String) {
    switch name {
    case "silu", "swish": self = .silu
    case "gelu": self = .gelu
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": self = .geluTanh
    case "relu": self = .relu
    default: return nil
    }
  }

  public func callAsFunction(_ x: Double) -> Double {
    switch self {
    case .silu: x * sigmoid(x)
    case .gelu: x / 2 * (1 + .erf(x / 2.0.squareRoot()))
    case .geluTanh:
      x / 2 * (1 + .tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .relu: max(x, 0)
    }
  }

  public func callAsFunction(_ x: Rows) -> Rows { Rows(width: x.width, x.values.map { self($0) }) }
}

/// `1 / (1 + e⁻ˣ)`.
public func sigmoid(_ x: Double) -> Double {
  // Of e^x only what cannot overflow.
  x >= 0 ? 1 / (1 + .exp(-x)) : Double.exp(x) / (1 + .exp(x))
}

/// A gated feed-forward part before its last layer: `activation(gate) · up`; SwiGLU with SiLU,
/// GeGLU with GELU.
///
/// - Shape: both `[tokens, width]` → the same.
/// - Source: transformers `modeling_llama.py`, `LlamaMLP`.
public func gated(gate: Rows, up: Rows, _ activation: Activation) -> Rows {
  precondition(gate.count == up.count && gate.width == up.width, "gate and up differ in shape")
  return Rows(width: up.width, zip(gate.values, up.values).map { activation($0) * $1 })
}

/// `eˣ / Σ eˣ`; minus infinity becomes zero.
public func softmax(_ x: some Collection<Double>) -> [Double] {
  let greatest = x.max() ?? 0
  let powers = x.map { Double.exp($0 - greatest) }
  let sum = powers.reduce(0, +)
  return powers.map { $0 / sum }
}

/// `cap · tanh(x / cap)`, which keeps scores within ±cap.
///
/// - Source: transformers `modeling_gemma2.py`, `attn_logit_softcapping`.
public func softCapped(_ x: Double, _ cap: Double?) -> Double {
  guard let cap else { return x }
  return cap * .tanh(x / cap)
}
