import Accelerators
import Architectures
import TensorTypes
import WeightFormats

/// Which encoding each output gets, by the target's rule and the user's exceptions.
struct EncodingChoice {
  let rule: GGUFTypeRule
  /// Whether quantized tensors stay codes and scales.
  let keepsCodes: Bool
  private let target: Target
  private let isLossless: Bool
  /// Whether projections become FP8 blocks.
  let isForBlocks: Bool
  /// Whether the tensors are in types that GGUF holds as they are.
  private let isFromGGUF: Bool
  private let lossless: GGUFTypeRule
  /// nil stands for the lossless encoding.
  private let overrides: [(names: Glob, encoding: Encoding?)]
  private let excluded: [Glob]
  /// What a mix gives to the tensors that it quantizes.
  private var mixed: [ByteString: Encoding] = [:]

  /// - Throws: `usage` for schemes that the target does not have, and for a mix that does not fit
  ///   the model.
  init(
    _ request: ConversionRequest, _ scheme: Scheme, _ source: Checkpoint, _ model: TargetModel
  ) throws(Failure) {
    let sources = source.conversionOrder.map { source.tensors[$0].type }
    target = request.target
    isLossless = scheme == .lossless
    isForBlocks = scheme == .fp8Block128
    keepsCodes = request.keepsCodes(scheme)
    isFromGGUF = source.format == .gguf
    rule = GGUFTypeRule(scheme, sources: sources)
    lossless = GGUFTypeRule(.lossless, sources: sources)
    var overrides: [(Glob, Encoding?)] = []
    // Types of layers are chosen elsewhere.
    for (names, name) in target.name.isAscend ? [] : request.overrides {
      overrides.append((names, try target.encoding(named: name)))
    }
    self.overrides = overrides
    excluded = request.excluded
    if case .mix(let mix) = scheme {
      let graph = model.model.graph
      var options = request.mixOptions
      options.hasImportance = request.importance != nil
      mixed = try mix.encodings(
        of: graph.outputs.map { ($0.name, graph[$0.node].type) },
        try GGUFModelCounts(of: source, model), options, settled: isSettled)
    }
  }

  func encoding(of name: ByteString, _ type: TensorType) throws(Failure) -> Encoding {
    if let (_, encoding) = overrides.last(where: { $0.names.matches(name) }) {
      return try encoding.map { (encoding) throws(Failure) in try fitting(encoding, type) }
        ?? unchanged(name, type)
    }
    if isLossless || excluded.contains(where: { $0.matches(name) }) {
      return unchanged(name, type)
    }
    switch target.name {
    case .gguf:
      if let encoding = mixed[name] { return try fitting(encoding, type) }
      if case .plain(let dtype) = type.encoding, dtype.kind == .signed, isFromGGUF {
        return type.encoding
      }
      return rule.encoding(of: name, type)
    case .safetensors:
      // Its bits decide which experts are taken, so that checkpoints hold it wider than the rest.
      if name.hasSuffix(".e_score_correction_bias") { return unchanged(name, type) }
      return safetensorsEncoding(type.encoding, asked: rule.matrices)
    case .ascend910c, .ascend910b: return type.encoding
    }
  }

  /// Whether a tensor becomes FP8 blocks: the projections of a model that were not settled
  /// otherwise.
  ///
  /// - Source: DeepSeek-V3, the tensors of the release.
  func makesBlocks(of name: ByteString, _ type: TensorType) -> Bool {
    guard isForBlocks, name.hasSuffix(".weight"), type.shape.rank == 2, !isSettled(name),
      case .plain(let dtype) = type.encoding, dtype.kind == .float
    else { return false }
    let parts = name.text.utf8.split(separator: UInt8(ascii: "."))
    let last = parts.count > 1 ? String(Substring(parts[parts.count - 2])) : ""
    return last.contains("_proj") && last != "eh_proj"
  }

  /// - Throws: `usage` when the rows are no multiple of the blocks.
  private func fitting(_ encoding: Encoding, _ type: TensorType) throws(Failure) -> Encoding {
    guard type.shape.rowLength % encoding.unitElementCount == 0 else {
      throw Failure(
        .usage, "the type that is asked for does not fit the tensor's rows",
        expected: "rows of a multiple of \(encoding.unitElementCount) elements",
        found: "\(type.shape.rowLength)")
    }
    return encoding
  }

  /// Whether the user has chosen the tensor's encoding.
  private func isSettled(_ name: ByteString) -> Bool {
    overrides.contains { $0.names.matches(name) } || excluded.contains { $0.matches(name) }
  }

  private func unchanged(_ name: ByteString, _ type: TensorType) -> Encoding {
    switch target.name {
    case .gguf: isFromGGUF ? type.encoding : lossless.encoding(of: name, type)
    case .safetensors: safetensorsEncoding(type.encoding, asked: nil)
    case .ascend910c, .ascend910b: type.encoding
    }
  }

  /// Floating-point tensors get what is asked; everything else stays. Blocks become F32, which
  /// holds their values.
  private func safetensorsEncoding(_ source: Encoding, asked: Encoding?) -> Encoding {
    switch source {
    case .block: asked ?? .f32
    case .plain(let dtype) where dtype.kind == .float: asked ?? source
    case .plain: source
    }
  }
}
