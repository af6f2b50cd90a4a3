import RealModule

/// Rotary position embedding (RoPE): pair `i` of a head at position `p` turns by `p · fᵢ`, where
/// `fᵢ = base^(−2i/d)` before scaling.
public struct RotaryEmbedding: Sendable, Hashable {
  /// Which elements of a head are a pair.
  public enum Layout: Sendable, Hashable {
    /// `i` and `i + d/2`, as GPT-NeoX and Hugging Face's Llama have them.
    case halves
    /// `2i` and `2i + 1`, as DeepSeek has them.
    case pairs
  }

  /// What stretches the frequencies beyond the context length of training.
  public enum Scaling: Sendable, Hashable {
    case none
    /// `f / factor`.
    case linear(factor: Double)
    case llama3(
      factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
      originalContextLength: Double)
    /// - Parameter truncates: whether the bounds of the ramp are whole pairs.
    case yarn(
      factor: Double, originalContextLength: Double, betaFast: Double, betaSlow: Double,
      truncates: Bool)
  }

  /// One for each pair, before scaling.
  public let plainFrequencies: [Double]
  /// One for each pair.
  public var frequencies: [Double]
  /// What cosine and sine are multiplied with; YaRN's attention factor.
  public let amplitude: Double
  public let layout: Layout

  /// - Parameters:
  ///   - length: elements of a head that turn; those after it stay.
  ///   - divisors: one for each pair, as GGUF stores Llama 3's scaling.
  /// - Precondition: `length` is even; divisors are one for each pair.
  public init(
    length: Int, base: Double, scaling: Scaling = .none, divisors: [Double]? = nil,
    amplitude: Double = 1, layout: Layout = .halves
  ) {
    precondition(length % 2 == 0, "a head without pairs cannot turn")
    precondition(divisors == nil || divisors?.count == length / 2, "a divisor for each pair")
    self.amplitude = amplitude
    self.layout = layout
    let plain = (0..<length / 2).map { Double.pow(base, -2 * Double($0) / Double(length)) }
    plainFrequencies = plain
    switch scaling {
    case .none: frequencies = plain
    case .linear(let factor): frequencies = plain.map { $0 / factor }
    case .llama3(let factor, let low, let high, let original):
      frequencies = plain.map { llama3Frequency($0, factor, low, high, original) }
    case .yarn(let factor, let original, let fast, let slow, let truncates):
      let range = yarnRange(length, base, original, fast, slow, truncates)
      frequencies = plain.enumerated().map { pair, frequency in
        let ramp = (Double(pair) - range.low) / max(range.high - range.low, 0.001)
        let interpolated = min(max(ramp, 0), 1)
        return frequency / factor * interpolated + frequency * (1 - interpolated)
      }
    }
    if let divisors { frequencies = zip(frequencies, divisors).map { $0 / $1 } }
  }

  /// Turns some columns of every head; row `t` stands at position `t`.
  ///
  /// - Parameter offset: where the turning part of a head begins.
  /// - Shape: `[tokens, heads · headLength]` → the same.
  /// - Source: transformers `modeling_llama.py`, `apply_rotary_pos_emb`; `modeling_deepseek_v3.py`,
  ///   `apply_rotary_pos_emb_interleave`, whose scores are the same.
  public func rotating(_ x: Rows, headLength: Int, offset: Int = 0) -> Rows {
    let half = frequencies.count
    precondition(
      x.width % headLength == 0 && offset + 2 * half <= headLength, "the heads are too short")
    var y = x
    for token in 0..<x.count {
      for (pair, frequency) in frequencies.enumerated() {
        let angle = Double(token) * frequency
        let (cosine, sine) = (amplitude * .cos(angle), amplitude * .sin(angle))
        let (first, second) = layout == .halves ? (pair, pair + half) : (2 * pair, 2 * pair + 1)
        for start in stride(
          from: token * x.width + offset, to: (token + 1) * x.width, by: headLength)
        {
          let (a, b) = (x.values[start + first], x.values[start + second])
          y.values[start + first] = a * cosine - b * sine
          y.values[start + second] = b * cosine + a * sine
        }
      }
    }
    return y
  }
}

/// Llama 3's rule: wavelengths `λ = 2π/f` below `original/high` stay, those above `original/low` are
/// stretched by the factor, and those between by a mixture.
///
/// - Source: transformers `modeling_rope_utils.py`, `_compute_llama3_parameters`.
private func llama3Frequency(
  _ frequency: Double, _ factor: Double, _ low: Double, _ high: Double, _ original: Double
) -> Double {
  let wavelength = 2 * Double.pi / frequency
  if wavelength < original / high { return frequency }
  if wavelength > original / low { return frequency / factor }
  let share = (original / wavelength - low) / (high - low)
  return (1 - share) * frequency / factor + share * frequency
}

/// The pairs between which YaRN goes from the plain to the stretched frequencies: those that turn
/// `fast` and `slow` times over the original context.
///
/// - Source: transformers `modeling_rope_utils.py`, `_compute_yarn_parameters`.
private func yarnRange(
  _ length: Int, _ base: Double, _ original: Double, _ fast: Double, _ slow: Double,
  _ truncates: Bool
) -> (low: Double, high: Double) {
  func pair(_ turns: Double) -> Double {
    Double(length) * .log(original / (turns * 2 * .pi)) / (2 * .log(base))
  }
  let (low, high) = (pair(fast), pair(slow))
  return (
    max(truncates ? low.rounded(.down) : low, 0),
    min(truncates ? high.rounded(.up) : high, Double(length - 1))
  )
}

/// YaRN's factor for a stretched context: `0.1 · weight · ln(factor) + 1`, at least 1.
///
/// - Source: transformers `modeling_rope_utils.py`, `get_mscale`.
public func yarnScale(_ factor: Double, weight: Double = 1) -> Double {
  factor <= 1 ? 1 : 0.1 * weight * .log(factor) + 1
}
