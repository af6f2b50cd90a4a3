import Architectures
import TensorTypes

/// The shapes that a config gives the tensors of a model, in canonical form.
public struct RoleShapes: Sendable {
  /// One axis, with the keys of the config that give its length.
  fileprivate struct Axis: Sendable {
    let keys: String
    /// nil where the config does not tell.
    let length: Int?
  }

  private let axesOfRole: [Role: [Axis]]

  /// The shape that a tensor should have, as the config's keys and as numbers; nil when it has it.
  ///
  /// Axes whose length the config does not tell may have any.
  public func mismatch(of role: RoleInstance, _ shape: Shape) -> String? {
    guard var axes = axesOfRole[role.role] else { return nil }
    if role.bindings.part == .bias { axes = [axes[0]] }  // every role has an axis
    let isRight =
      shape.rank == axes.count
      && zip(axes, shape.axes).allSatisfy { $0.length == nil || $0.length == $1 }
    guard !isRight else { return nil }
    let lengths = axes.map { $0.length.map(String.init) ?? "any" }.joined(separator: ", ")
    return "[\(axes.map(\.keys).joined(separator: ", "))] = [\(lengths)]"
  }

  /// - Throws: `badInput` for values of the config that are no counts.
  public init(_ config: ModelConfig, _ architecture: Architecture) throws(Failure) {
    /// By a row of the architecture's table, with its default.
    func row(_ key: String) throws(Failure) -> Axis? {
      guard let row = architecture.hyperparameter(key) else { return nil }
      return Axis(keys: row.configKey ?? key, length: try row.value(config)?.integer)
    }
    let unknown = Axis(keys: "any", length: nil)
    let hidden = try row("embedding_length") ?? unknown
    let vocabulary = Axis(keys: "vocab_size", length: try config.count("vocab_size"))
    let types = Axis(keys: "type_vocab_size", length: try config.count("type_vocab_size"))
    let heads = try row("attention.head_count") ?? unknown
    let keyValueHeads = try row("attention.head_count_kv") ?? heads
    let stated = try row("attention.key_length")?.length
    let headLength = if let stated { stated } else { try config.headLength }
    let head = Axis(keys: "head_dim", length: headLength)
    let queries = heads * head
    let keys = keyValueHeads * head
    let dense = try row("feed_forward_length") ?? unknown
    let experts = try row("expert_count") ?? unknown
    let expert = try row("expert_feed_forward_length") ?? dense
    var axes: [Role: [Axis]] = [
      .tokenEmbedding: [vocabulary, hidden], .output: [vocabulary, hidden],
      .positionEmbedding: [try row("context_length") ?? unknown, hidden],
      .tokenTypeEmbedding: [types, hidden],
      .attentionQuery: [queries, hidden], .attentionKey: [keys, hidden],
      .attentionValue: [keys, hidden], .attentionOutput: [hidden, queries],
      .attentionFusedQKV: [hidden.times(3), hidden],
      .attentionQueryNorm: [head], .attentionKeyNorm: [head],
      .feedForwardGate: [dense, hidden], .feedForwardUp: [dense, hidden],
      .feedForwardDown: [hidden, dense],
      .router: [experts, hidden], .routerCorrection: [experts],
      .expertGate: [expert, hidden], .expertUp: [expert, hidden], .expertDown: [hidden, expert],
      .nextTokenEmbedding: [vocabulary, hidden], .nextTokenOutput: [vocabulary, hidden],
      .nextTokenProjection: [hidden, hidden.times(2)],
    ]
    for role: Role in [
      .embeddingNorm, .outputNorm, .attentionNorm, .attentionOutputNorm, .feedForwardNorm,
      .layerOutputNorm, .nextTokenEmbeddingNorm, .nextTokenHiddenNorm, .nextTokenOutputNorm,
    ] { axes[role] = [hidden] }
    if architecture.hasLatentAttention {
      let parts = try config.latentHeads
      let latent = Axis(keys: "kv_lora_rank", length: parts.latentLength)
      let plain = Axis(keys: "qk_nope_head_dim", length: parts.plainKeyLength)
      let rotated = Axis(keys: "qk_rope_head_dim", length: parts.rotatedKeyLength)
      let value = Axis(keys: "v_head_dim", length: parts.valueLength)
      let queryLatent = try row("attention.q_lora_rank") ?? unknown
      axes[.attentionQuery] = [heads * (plain + rotated), hidden]
      axes[.attentionQueryDown] = [queryLatent, hidden]
      axes[.attentionQueryDownNorm] = [queryLatent]
      axes[.attentionQueryUp] = [heads * (plain + rotated), queryLatent]
      axes[.attentionKeyValueDown] = [latent + rotated, hidden]
      axes[.attentionKeyValueDownNorm] = [latent]
      axes[.attentionKeyValueUp] = [heads * (plain + value), latent]
      axes[.attentionOutput] = [hidden, heads * value]
    }
    if let count = try row("expert_shared_count") {
      let shared = count * expert
      axes[.sharedExpertGate] = [shared, hidden]
      axes[.sharedExpertUp] = [shared, hidden]
      axes[.sharedExpertDown] = [hidden, shared]
    }
    axesOfRole = axes
  }
}

extension RoleShapes.Axis {
  fileprivate static func * (a: Self, b: Self) -> Self {
    a.combined("\(a.keys) × \(b.keys)", b) { $0.multipliedReportingOverflow(by: $1) }
  }

  fileprivate static func + (a: Self, b: Self) -> Self {
    a.combined("(\(a.keys) + \(b.keys))", b) { $0.addingReportingOverflow($1) }
  }

  fileprivate func times(_ factor: Int) -> Self { Self(keys: "\(factor)", length: factor) * self }

  /// No tensor has an axis of a length that `Int` cannot hold.
  private func combined(
    _ keys: String, _ other: Self, _ operation: (Int, Int) -> (partialValue: Int, overflow: Bool)
  ) -> Self {
    guard let length, let second = other.length else { return Self(keys: keys, length: nil) }
    let (value, overflow) = operation(length, second)
    return Self(keys: keys, length: overflow ? .max : value)
  }
}
