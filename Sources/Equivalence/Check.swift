/// One question that a verification asks of each subject.
public struct Check: Sendable {
  /// As reports spell it.
  public enum Name: String, Sendable, Hashable, CaseIterable {
    case tensorPresent = "tensor-present"
    case tensorExpected = "tensor-expected"
    case sourceCovered = "source-covered"
    case shape
    case encoding
    case architecture
    case hyperparameter
    case tokenizer
    case config
    case smallFile = "small-file"
    case bitExact = "bit-exact"
    case correctlyRounded = "correctly-rounded"
    case exactValue = "exact-value"
    case nearestCode = "nearest-code"
    case quantizationNoise = "quantization-noise"
    case finite
  }

  public let name: Name
  public let level: Level
  /// What is measured.
  public let metric: String
  /// What the measure must not exceed.
  public let bound: String
  /// Why that is the bound.
  public let because: String

  public static let all: [Check] = [
    Check(
      .tensorPresent, .structure, metric: "tensors of this name", bound: "exactly 1",
      because: "the runtime looks for every tensor that the source's graph gives it"),
    Check(
      .tensorExpected, .structure, metric: "tensors that nothing in the source gives",
      bound: "0", because: "a runtime may use a tensor that the source does not have"),
    Check(
      .sourceCovered, .structure, metric: "source tensors neither used nor dropped by a named rule",
      bound: "0", because: "a weight that goes nowhere is a weight that is lost"),
    Check(
      .shape, .structure, metric: "lengths of the axes", bound: "those that the graph gives",
      because: "the shape follows from the source's shape and the graph alone"),
    Check(
      .encoding, .structure, metric: "the type of the elements",
      bound: "one that the runtime reads for this tensor",
      because: "llama.cpp takes vectors in F32 only; whole numbers stay whole numbers"),
    Check(
      .architecture, .structure, metric: "general.architecture", bound: "the source's",
      because: "it chooses the program that the runtime runs"),
    Check(
      .hyperparameter, .structure, metric: "the value of the key", bound: "the source's",
      because: "the runtime computes with it; 32-bit floats hold the source's number rounded once"),
    Check(
      .tokenizer, .structure, metric: "the value of the key", bound: "the source's",
      because: "another token number is another row of the embedding"),
    Check(
      .config, .structure, metric: "the value of the key of config.json", bound: "the source's",
      because: "only the dtype may follow the conversion"),
    Check(
      .smallFile, .structure, metric: "the content of the file", bound: "the source's",
      because: "tokenizer and settings files hold nothing that a conversion changes"),
    Check(
      .bitExact, .values, metric: "elements or blocks whose bytes differ", bound: "0",
      because: "moving elements of one encoding changes no bit"),
    Check(
      .correctlyRounded, .values, metric: "units in the last place from the nearest value",
      bound: "0",
      because:
        "rounding to nearest, ties to even, leaves half a unit in the last place and has one "
        + "result; F64 may be rounded to F32 first, as runtimes do"),
    Check(
      .exactValue, .values, metric: "elements whose value differs", bound: "0",
      because: "whole numbers have no neighbours to round to"),
    Check(
      .nearestCode, .values,
      metric: "distance to the source over the distance that the block's own scales allow",
      bound: "1",
      because: "an encoder takes the nearest code: half the gap to the next level, and what the "
        + "rounding of the stored scale adds; encoders that search for a scale may be half a gap "
        + "farther; beyond the last level nothing is nearer"),
    Check(
      .quantizationNoise, .values, metric: "RMS of the error over RMS of the source",
      bound: "8 · 2^-b for b bits a weight, at most 0.99; for q8_0, the reference's on each block",
      because:
        "b bits can bring the error to 2^-b; peaks and shared scales may cost three of them, "
        + "and 1 is what a tensor of zeros has"),
    Check(
      .finite, .values, metric: "NaN or infinite on one side only", bound: "0",
      because:
        "a value that overflows, or a NaN that disappears, is another model; NaN equals only "
        + "NaN"),
  ]

  /// The row of a check; every name has one.
  public static subscript(name: Name) -> Check { all.first { $0.name == name }! }

  private init(
    _ name: Name, _ level: Level, metric: String, bound: String, because: String
  ) {
    self.name = name
    self.level = level
    self.metric = metric
    self.bound = bound
    self.because = because
  }
}
