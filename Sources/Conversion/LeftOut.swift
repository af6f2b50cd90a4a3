import Accelerators
import TensorTypes
import WeightFormats

/// What a request leaves out of layers that predict further tokens.
struct LeftOut {
  /// By the names of source tensors.
  private(set) var reasons: [ByteString: String] = [:]
  /// Those that are left out because others hold the same.
  private(set) var copies: [Plan.Copy] = []
  private(set) var configRules: [ConfigRule] = []
  /// Whether the choice makes no difference.
  private(set) var isEmpty = true
}

extension ConversionRequest {
  /// - Throws: `usage` for a target that cannot hold such layers, `badInput` for a tensor that cannot
  ///   be a copy.
  func nextTokensLeftOut(of source: Checkpoint) throws(Failure) -> LeftOut {
    guard let nextTokens else { return LeftOut() }
    let layers = NextTokenLayers(of: source).tensors
    if target.name == .gguf, nextTokens != .drop, !layers.isEmpty {
      throw Failure(
        .usage, "llama.cpp does not predict further tokens, so their layers are not written",
        file: source.path, expected: "--mtp drop, or none", found: "--mtp \(nextTokens.rawValue)")
    }
    return try LeftOut(nextTokens, layers, of: source)
  }
}

extension LeftOut {
  fileprivate init(
    _ choice: NextTokenChoice, _ layers: [NextTokenLayers.Tensor], of source: Checkpoint
  ) throws(Failure) {
    switch choice {
    case .keep: isEmpty = layers.isEmpty
    case .drop:
      isEmpty = layers.isEmpty
      for tensor in layers { reasons[tensor.name] = NextTokenLayers.dropReason }
      if !isEmpty { configRules = [.dropNextTokens] }
    case .merge:
      for tensor in layers {
        // Both are tensors of the source.
        guard let original = tensor.original, let first = source.position(of: tensor.name),
          let second = source.position(of: original)
        else { continue }
        let (own, other) = (source.tensors[first], source.tensors[second])
        guard own.type == other.type else {
          throw Failure(
            .badInput, "the tensor is no copy of another; --mtp keep leaves it in",
            file: source.files[own.file].source.name, subject: .tensor(own.name),
            expected: "\(other.type), as '\(original)' is", found: "\(own.type)")
        }
        reasons[own.name] = NextTokenLayers.mergeReason(original)
        copies.append(Plan.Copy(copy: first, original: second))
      }
      isEmpty = copies.isEmpty
    }
  }
}
