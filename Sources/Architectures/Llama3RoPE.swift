import RealModule

/// Llama 3.1's rule for RoPE frequencies beyond the context length of training.
public struct Llama3RoPE: Sendable {
  public let headLength: Int
  public let base: Double
  public let factor: Double
  public let lowFrequencyFactor: Double
  public let highFrequencyFactor: Double
  /// - Units: tokens.
  public let originalContextLength: Double

  public init(
    headLength: Int, base: Double, factor: Double, lowFrequencyFactor: Double,
    highFrequencyFactor: Double, originalContextLength: Double
  ) {
    self.headLength = headLength
    self.base = base
    self.factor = factor
    self.lowFrequencyFactor = lowFrequencyFactor
    self.highFrequencyFactor = highFrequencyFactor
    self.originalContextLength = originalContextLength
  }

  /// The divisors of the frequencies, one for each pair of a head.
  ///
  /// With wavelength λ = 2π/f: 1 below `original / high`, `factor` above `original / low`, and
  /// between them `1 / ((1 − s)/factor + s)` with `s = (original/λ − low) / (high − low)`. Float
  /// arithmetic; a number over a tensor is the tensor's reciprocal times the number, as in torch.
  ///
  /// - Source: transformers `modeling_rope_utils.py`, `_compute_llama3_parameters`; llama.cpp
  ///   `conversion/llama.py`, `generate_extra_tensors`.
  public var factors: [Float] {
    stride(from: 0, to: headLength, by: 2).map { position in
      let exponent = Float(position) / Float(headLength)
      let frequency = 1 / Float(Double.pow(base, Double(exponent)))
      let wavelength = (1 / frequency) * Float(2 * Double.pi)
      if wavelength < Float(originalContextLength / highFrequencyFactor) { return 1 }
      if wavelength > Float(originalContextLength / lowFrequencyFactor) { return Float(factor) }
      let smooth =
        ((1 / wavelength) * Float(originalContextLength) - Float(lowFrequencyFactor))
        / Float(highFrequencyFactor - lowFrequencyFactor)
      return 1 / ((1 - smooth) / Float(factor) + smooth)
    }
  }
}
