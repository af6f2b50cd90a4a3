import TensorTypes

/// What a conversion is for: a runtime with its file format, encodings and names.
public struct Target: Sendable {
  public enum Name: String, Sendable, Hashable, CaseIterable {
    case gguf, safetensors
    case ascend910c = "ascend-910c"
    case ascend910b = "ascend-910b"

    /// Whether outputs are folders in the AscendV1 format.
    public var isAscend: Bool { self == .ascend910c || self == .ascend910b }
  }

  /// A runtime that reads other files than those of the target itself.
  public enum Variant: String, Sendable, Hashable, CaseIterable {
    /// MindIE before 2.1.RC1.
    case mindie
  }

  public let name: Name
  public let variant: Variant?
  /// Who reads the output.
  public let runtime: String
  public let schemes: [Scheme]
  /// The scheme without `--quantize`; it loses nothing, but where the runtime is for quantized
  /// models.
  public let defaultScheme: Scheme
  /// What fixes names and types.
  public let source: String

  private init(
    name: Name, variant: Variant? = nil, runtime: String, schemes: [Scheme],
    defaultScheme: Scheme, source: String
  ) {
    self.name = name
    self.variant = variant
    self.runtime = runtime
    self.schemes = schemes
    self.defaultScheme = defaultScheme
    self.source = source
  }

  /// As `--to` takes it: `ascend-910c`, `ascend-910c:mindie`.
  public var spelling: String {
    name.rawValue + (variant.map { ":\($0.rawValue)" } ?? "")
  }

  public static let all: [Target] = [
    Target(
      name: .gguf, runtime: "llama.cpp",
      schemes: [.auto, .f32, .f16, .bf16, .q8_0] + GGUFMix.all.map(Scheme.mix),
      defaultScheme: .lossless,
      source: "llama.cpp of llama-cpp-python 0.3.36, convert_hf_to_gguf.py"),
    Target(
      name: .safetensors, runtime: "Hugging Face transformers",
      schemes: [.f32, .f16, .bf16, .fp8Block128], defaultScheme: .lossless,
      source: "safetensors 0.8.0; huggingface_hub 2.4.0; DeepSeek-V3 inference/kernel.py"),
    Target(
      name: .ascend910c, runtime: "vLLM-Ascend on Ascend 910C",
      schemes: AscendScheme.all.map(Scheme.ascend), defaultScheme: .ascend(AscendScheme.all[1]),
      source: "vllm-ascend 0.23.0; msmodelslim 26.1.0"),
    Target(
      name: .ascend910b, runtime: "vLLM-Ascend on Ascend 910B",
      schemes: AscendScheme.all.map(Scheme.ascend), defaultScheme: .ascend(AscendScheme.all[1]),
      source: "vllm-ascend 0.23.0; msmodelslim 26.1.0"),
    mindie(.ascend910c, runtime: "MindIE before 2.1.RC1 on Ascend 910C"),
    mindie(.ascend910b, runtime: "MindIE before 2.1.RC1 on Ascend 910B"),
  ]

  private static func mindie(_ name: Name, runtime: String) -> Target {
    let schemes = AscendScheme.all.filter(\.isForMindIE)
    return Target(
      name: name, variant: .mindie, runtime: runtime, schemes: schemes.map(Scheme.ascend),
      defaultScheme: .ascend(schemes[0]),
      source: "msmodelslim 26.1.0, save/mindie_format.py; atb_llm, modeling_deepseekv2.py")
  }

  /// The target of this name, in any case, `_` and `-` alike.
  ///
  /// - Throws: `usage` naming the known ones.
  public static func named(_ name: String) throws(Failure) -> Target {
    let spelling = canonicalSpelling(name)
    guard let target = all.first(where: { $0.spelling == spelling }) else {
      throw Failure(
        .usage, "the target is unknown",
        expected: "one of " + all.map(\.spelling).joined(separator: ", "), found: "'\(name)'")
    }
    return target
  }

  /// The scheme of this name, or the default for nil.
  ///
  /// - Throws: `usage` naming those that the target has.
  public func scheme(named name: String?) throws(Failure) -> Scheme {
    guard let name else { return defaultScheme }
    let aliases = self.name.isAscend ? AscendScheme.aliases : GGUFMix.aliases
    let spelling = canonicalSpelling(name)
    let alias = aliases.first { canonicalSpelling($0.key) == spelling }?.value
    guard
      let scheme = schemes.first(where: {
        canonicalSpelling($0.name) == alias.map(canonicalSpelling) ?? spelling
      })
    else {
      throw Failure(
        .usage, "the target '\(self.spelling)' has no such scheme",
        expected: "one of " + schemes.map(\.name).joined(separator: ", "), found: "'\(name)'")
    }
    return scheme
  }

  /// The encoding of this name, for a tensor that the user singles out; nil for the lossless one.
  ///
  /// - Throws: `usage` naming the known ones.
  public func encoding(named name: String) throws(Failure) -> Encoding? {
    let spelling = canonicalSpelling(name)
    if spelling == canonicalSpelling(Scheme.lossless.name) { return nil }
    var known: [Encoding] = [.f32, .f16, .bf16]
    if self.name == .gguf { known += BlockType.all.map(Encoding.block) }
    guard let encoding = known.first(where: { canonicalSpelling($0.name) == spelling }) else {
      throw Failure(
        .usage, "the target '\(self.spelling)' has no such type",
        expected: "one of lossless, " + known.map { $0.name.lowercased() }.joined(separator: ", "),
        found: "'\(name)'")
    }
    return encoding
  }
}

extension Target {
  /// The type of this name, for a layer that the user singles out.
  ///
  /// - Throws: `usage` naming the known ones.
  public func ascendType(named name: String) throws(Failure) -> AscendType {
    let spelling = canonicalSpelling(name)
    guard let type = AscendType.ofLayers.first(where: { $0.spelling == spelling }) else {
      throw Failure(
        .usage, "the target '\(self.spelling)' has no such type",
        expected: "one of " + AscendType.ofLayers.map(\.spelling).joined(separator: ", "),
        found: "'\(name)'")
    }
    return type
  }
}

/// Which encoding the tensors of an output get.
public enum Scheme: Sendable, Hashable {
  /// What each tensor has already, as far as the target can hold it, else something wider.
  case lossless
  /// The reference converter's choice: the first matrix decides between F16 and BF16.
  case auto
  /// One encoding for all matrices.
  case uniform(Encoding)
  /// Block types that llama.cpp's quantizer would choose.
  case mix(GGUFMix)
  /// FP8 in blocks of 128×128 with scales beside them for projections, everything else as it is.
  case fp8Block128
  /// Types of vLLM-Ascend for linear layers.
  case ascend(AscendScheme)

  public static let f32 = Scheme.uniform(.f32)
  public static let f16 = Scheme.uniform(.f16)
  public static let bf16 = Scheme.uniform(.bf16)
  public static let q8_0 = Scheme.uniform(.q8_0)

  /// As `--quantize` takes it.
  public var name: String {
    switch self {
    case .lossless: "lossless"
    case .auto: "auto"
    case .uniform(let encoding): encoding.name.lowercased()
    case .mix(let mix): mix.name.rawValue
    case .fp8Block128: QuantScheme.fp8Block128.name
    case .ascend(let scheme): scheme.name
    }
  }
}

/// Lower case, and `-` for `_`: the form in which names from the command line are compared.
func canonicalSpelling(_ text: String) -> String {
  String(text.lowercased().map { $0 == "_" ? "-" : $0 })
}
