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
  /// MLA: from the hidden state down to the queries' latent, its norm, and up to the queries.
  case attentionQueryDown = "attention query down"
  case attentionQueryDownNorm = "attention query down norm"
  case attentionQueryUp = "attention query up"
  /// MLA: from the hidden state down to the latent of keys and values and the rotated key that all
  /// heads share; its norm; and up to each head's keys, then its values.
  case attentionKeyValueDown = "attention key and value down"
  case attentionKeyValueDownNorm = "attention key and value down norm"
  case attentionKeyValueUp = "attention key and value up"
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
  /// Added to the router's scores when experts are chosen, not when they are weighted.
  case routerCorrection = "router correction"
  case expertGate = "expert gate"
  case expertUp = "expert up"
  case expertDown = "expert down"
  /// The expert that every token passes through.
  case sharedExpertGate = "shared expert gate"
  case sharedExpertUp = "shared expert up"
  case sharedExpertDown = "shared expert down"
  /// The norm after the feed-forward part in post-norm models.
  case layerOutputNorm = "layer output norm"
  /// Multi-token prediction: a layer after the last takes the next token's embedding and the hidden
  /// state, each with its norm, through a projection; its own norm and head follow.
  case nextTokenEmbedding = "next-token embedding"
  case nextTokenEmbeddingNorm = "next-token embedding norm"
  case nextTokenHiddenNorm = "next-token hidden norm"
  case nextTokenProjection = "next-token projection"
  case nextTokenOutputNorm = "next-token output norm"
  case nextTokenOutput = "next-token output head"
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
