import Architectures
import TensorTypes
import WeightFormats

/// What becomes of layers that predict further tokens than the next.
public enum NextTokenChoice: String, Sendable, CaseIterable {
  case keep, drop
  /// They are kept without their copies of the token embedding and the output head.
  case merge
}

/// The tensors of a checkpoint's layers that predict further tokens.
public struct NextTokenLayers: Sendable {
  public struct Tensor: Sendable {
    public let name: ByteString
    /// The tensor of the model that it may be a copy of; nil for others.
    public let original: ByteString?
  }

  public let tensors: [Tensor]
  /// The layers from this number on.
  public let firstLayer: Int

  /// Why a tensor that is dropped is not written.
  public static let dropReason = "the layer predicts further tokens"

  /// Why a copy is not written.
  public static func mergeReason(_ original: ByteString) -> String {
    "it is a copy of '\(original)', which the runtime shares"
  }

  /// Empty where the checkpoint is in another format than that of Hugging Face, or of an unknown
  /// architecture.
  public init(of checkpoint: Checkpoint) {
    guard checkpoint.format == .safetensors, let json = checkpoint.config,
      case let config = ModelConfig(json, file: checkpoint.path),
      let architecture = try? Architecture.of(config), architecture.predictsFurtherTokens,
      let layerCount = try? config.requiredCount(["num_hidden_layers", "n_layer"])
    else {
      tensors = []
      firstLayer = .max
      return
    }
    let dialect = architecture.huggingFace
    func original(_ role: Role) -> ByteString? {
      dialect.writing(role).map { dialect.name($0, .init()) }
        .flatMap { checkpoint[$0] == nil ? nil : $0 }
    }
    var found: [Tensor] = []
    for tensor in checkpoint.tensors {
      // Scales belong to the codes before them.
      let ending = ["_scale_inv", "_scale"].first { tensor.name.hasSuffix($0) } ?? ""
      let name = ByteString(String(tensor.name.text.dropLast(ending.count)))
      guard case .tensor(let mappings, let bindings) = dialect.read(name),
        let layer = bindings.layer, layer >= layerCount
      else { continue }
      let copied: ByteString? =
        switch mappings[0].role {
        case .nextTokenEmbedding: original(.tokenEmbedding)
        case .nextTokenOutput: original(.output) ?? original(.tokenEmbedding)
        default: nil
        }
      found.append(Tensor(name: tensor.name, original: copied))
    }
    tensors = found
    firstLayer = layerCount
  }
}
