/// What a tensor does in its model, whatever a checkpoint calls it.
///
/// The canonical form of each is the one of Hugging Face's linear layers: weights `[out, in]`,
/// query and key rows in the order of the rotate-half form of RoPE, one tensor for each expert.
public enum Role: String, Sendable, Hashable, CaseIterable {
  case tokenEmbedding = "token embedding"
  case positionEmbedding = "position embedding"
  case tokenTypeEmbedding = "token type embedding"
  case embeddingNorm = "embedding norm"
  case output = "output head"
  case outputNorm = "output norm"
  case attentionNorm = "attention norm"
  case attentionQuery = "attention query"
  case attentionKey = "attention key"
  case attentionValue = "attention value"
  /// Query, key and value rows one after another.
  case attentionFusedQKV = "attention fused QKV"
  case attentionOutput = "attention output"
  case attentionQueryNorm = "attention query norm"
  case attentionKeyNorm = "attention key norm"
  /// The norm after attention in post-norm models.
  case attentionOutputNorm = "attention output norm"
  case feedForwardNorm = "feed-forward norm"
  case feedForwardGate = "feed-forward gate"
  case feedForwardUp = "feed-forward up"
  case feedForwardDown = "feed-forward down"
  case router = "router"
  case expertGate = "expert gate"
  case expertUp = "expert up"
  case expertDown = "expert down"
  /// The norm after the feed-forward part in post-norm models.
  case layerOutputNorm = "layer output norm"
  /// Divisors of the RoPE frequencies.
  case ropeFactors = "RoPE factors"
}

/// One tensor of a model by its role.
public struct RoleInstance: Sendable, Hashable {
  public let role: Role
  public let bindings: NamePattern.Bindings

  public init(role: Role, bindings: NamePattern.Bindings = .init()) {
    self.role = role
    self.bindings = bindings
  }
}

extension RoleInstance: CustomStringConvertible {
  public var description: String {
    var text = role.rawValue
    if bindings.part == .bias { text += " bias" }
    if let layer = bindings.layer { text += ", layer \(layer)" }
    if let expert = bindings.expert { text += ", expert \(expert)" }
    return text
  }
}
