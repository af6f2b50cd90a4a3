import ReferenceKernels

/// The numbers that a model computes with beside its weights.
///
/// They come from `config.json` or from GGUF metadata, each read as its own runtime reads it.
/// Numbers are rounded to F32, as every runtime holds them.
enum ModelSettings: Sendable, Hashable {
  case decoder(DecoderSettings)
  case gpt2(GPT2Settings)
  case bert(BERTSettings)

  var layerCount: Int {
    switch self {
    case .decoder(let settings): settings.layerCount
    case .gpt2(let settings): settings.layerCount
    case .bert(let settings): settings.layerCount
    }
  }

  /// Whether it is known how the tokens of a sentence are pooled.
  var pools: Bool { if case .bert(let settings) = self { settings.pooling != nil } else { false } }

  /// The tokens that the model can take at once; nil when nothing says so.
  var contextLength: Int? {
    switch self {
    case .decoder: nil
    case .gpt2(let settings): settings.contextLength
    case .bert(let settings): settings.contextLength
    }
  }
}

/// Llama and what shares its form: RMS norms before each part, RoPE, gated feed-forward parts.
struct DecoderSettings: Sendable, Hashable {
  var layerCount: Int
  var headCount: Int
  var keyValueHeadCount: Int
  var epsilon: Double
  var rotary: RotaryEmbedding
  /// What scores are multiplied with before the softmax.
  var attentionScale: Double
  /// Whether tokens see those before them only.
  var isCausal = true
  /// Layers not in this list see all tokens before.
  var windows: [Int: Int] = [:]
  var attentionSoftCap: Double?
  var outputSoftCap: Double?
  var activation = Activation.silu
  /// nil for models without experts; layers without a router have none.
  var routing: Routing?
  var latent: LatentSettings?
  /// Whether the head is the embedding even where the checkpoint holds a head.
  var isTied = false
}

extension DecoderSettings {
  /// The tokens that one sees.
  func mask(_ layer: Int) -> AttentionMask {
    AttentionMask(isCausal: isCausal, window: windows[layer])
  }
}

/// Multi-head latent attention.
struct LatentSettings: Sendable, Hashable {
  var latentLength: Int
  var plainLength: Int
  var rotatedLength: Int
  /// Of the norms of both latents.
  var epsilon: Double
}

/// GPT-2: layer norms before each part, learned positions, one matrix for query, key and value.
struct GPT2Settings: Sendable, Hashable {
  var layerCount: Int
  var contextLength: Int
  var headCount: Int
  var epsilon: Double
  var activation = Activation.geluTanh
  var isTied = false
}

/// BERT: layer norms after each part, learned positions and token types, no causal mask.
struct BERTSettings: Sendable, Hashable {
  var layerCount: Int
  var contextLength: Int
  var headCount: Int
  var epsilon: Double
  var activation = Activation.gelu
  /// nil where tokens are not pooled.
  var pooling: Pooling?
}
