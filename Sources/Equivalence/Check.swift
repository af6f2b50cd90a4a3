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
    case descriptionEntry = "description-entry"
    case joinedInput = "joined-input"
    case bitExact = "bit-exact"
    case correctlyRounded = "correctly-rounded"
    case exactValue = "exact-value"
    case calibratedSetting = "calibrated-setting"
    case searchedScale = "searched-scale"
    case storedSum = "stored-sum"
    case nearestCode = "nearest-code"
    case quantizationNoise = "quantization-noise"
    case finite
    case operatorError = "operator-error"
    case outputError = "output-error"
    case klDivergence = "kl-divergence"
    case firstToken = "first-token"
    case expertChoice = "expert-choice"
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
      .config, .structure,
      metric: "the value of the key of config.json or of a folder's description",
      bound: "the source's, or what the tensors need",
      because: "only the dtype may follow the conversion"),
    Check(
      .smallFile, .structure, metric: "the content of the file", bound: "the source's",
      because: "tokenizer and settings files hold nothing that a conversion changes"),
    Check(
      .descriptionEntry, .structure,
      metric: "the tensor's type in the description of an AscendV1 folder",
      bound: "one for each tensor, and the same for what the runtime joins",
      because:
        "the runtime makes every layer by the type of its weight, and joins gate and up, query, key "
        + "and value, and experts into one layer"),
    Check(
      .joinedInput, .structure,
      metric: "scale or offset of the inputs of a layer that the runtime joins with others",
      bound: "those of the others",
      because: "the joined layer has one of each"),
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
      .calibratedSetting, .values,
      metric: "scales that are not above 0 and finite, offsets that are no whole number of int8",
      bound: "0",
      because:
        "the source does not say what its layers' inputs are; the runtime divides by scales and "
        + "holds offsets as int8"),
    Check(
      .searchedScale, .values,
      metric:
        "rows whose scale is not above 0 and finite, or whose square error is larger than that "
        + "of their greatest magnitude over 7",
      bound: "0",
      because:
        "a search begins with that scale and keeps what is better; 2^-16 of the error and the "
        + "rounding of the values to F32 are allowed for searches in F32"),
    Check(
      .storedSum, .values,
      metric: "sums that are not 8 · scale · Σ code of the stored scales and codes", bound: "0",
      because:
        "the runtime adds them to every product; each term may be rounded to F32, in any order"),
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
    Check(
      .operatorError, .operators,
      metric: "RMS of the difference of products with probe vectors over RMS of the source's: that "
        + "which the weights make, and all with the runtime's rounding of activations",
      bound: "what half a step for each weight, and each activation, adds up to",
      because:
        "rounding errors do not know of each other, so their squares add up; that independent "
        + "errors exceed the bound has a chance below e^-20 for each tensor, and errors of one "
        + "sign or of a wrong scale do exceed it"),
    Check(
      .outputError, .logits,
      metric: "RMS of the difference of logits, less their mean, or hidden states over RMS of the "
        + "source's",
      bound:
        "twice what moving every weight of the source by the usual error of its rounding makes",
      because:
        "rounding moves a weight by up to half a step, usually by 1/√3 of that; the source itself "
        + "shows what its layers make of such errors, up or down at random; draws differ by less "
        + "than two; where nothing is rounded, only the rounding of settings to F32 remains"),
    Check(
      .klDivergence, .logits, metric: "mean divergence of the next token's distribution, in nats",
      bound: "sixteen times what moving every weight of the source makes",
      because:
        "divergence grows with the square of the error, and only the few directions count in which "
        + "the most probable tokens lie; in so few, one draw may be four times another"),
    Check(
      .firstToken, .logits,
      metric: "positions whose most probable token differs although it led by more than noise",
      bound: "0",
      because: "errors of two logits can overcome a lead of twice the largest; no more"),
    Check(
      .expertChoice, .logits,
      metric: "choices of experts that differ although they were won by more than noise",
      bound: "0",
      because:
        "noise can turn a choice that was close, and then all that follows; therefore both models "
        + "take the source's experts, and choices are compared on their own"),
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
