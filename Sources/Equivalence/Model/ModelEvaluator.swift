import Architectures
import ReferenceKernels
import TensorTypes

/// What a model computes for some tokens.
struct ModelOutput: Sendable {
  /// Logits for each token, or the last hidden states of a model without a head.
  var rows: Rows
  var isLogits: Bool
  /// The hidden states: the embeddings, then those after each layer.
  var states: [Rows] = []
  /// What the tokens are pooled to, in sentence encoders.
  var pooled: [Double]?
  /// The experts that the model itself would choose: for each layer with experts, for each token.
  var choices: [[Routing.Chosen]] = []
  /// The scores of the experts, in the same order.
  var scores: [Rows] = []
}

/// Runs a model in `Double` on its weights, one layer in memory at a time.
///
/// - Source: transformers 5.24.0, the modelling files of each architecture.
struct ModelEvaluator: Sendable {
  var weights: ModelWeights
  var settings: ModelSettings

  /// The experts that tokens go through, instead of those that the model itself would choose: for
  /// each layer with experts, for each token. Two models that are close then differ little, where
  /// one expert more or less would make a jump.
  var experts: [[Routing.Chosen]]?

  /// - Parameter layerIsDone: called after each layer.
  /// - Throws: `usage` for numbers of tokens that the model does not have; `badInput` for tensors
  ///   that do not fit; what reading throws.
  func run(
    _ tokens: [Int], _ layerIsDone: @Sendable () -> Void = {}
  ) throws(Failure) -> ModelOutput {
    if let limit = settings.contextLength, tokens.count > limit {
      throw Failure(
        .usage, "there are more tokens than the model has positions", expected: "at most \(limit)",
        found: "\(tokens.count)")
    }
    return switch settings {
    case .decoder(let settings): try decoder(tokens, settings, layerIsDone)
    case .gpt2(let settings): try gpt2(tokens, settings, layerIsDone)
    case .bert(let settings): try bert(tokens, settings, layerIsDone)
    }
  }

  // MARK: - Decoders

  private func decoder(
    _ tokens: [Int], _ settings: DecoderSettings, _ layerIsDone: @Sendable () -> Void
  ) throws(Failure) -> ModelOutput {
    var x = try weights.embedding(RoleInstance(.tokenEmbedding), tokens)
    var output = ModelOutput(rows: x, isLogits: true, states: [x])
    for layer in 0..<settings.layerCount {
      let forAttention = try rmsNorm(x, .attentionNorm, layer, settings.epsilon)
      x +=
        settings.latent == nil
        ? try attention(forAttention, layer, settings)
        : try latentAttention(forAttention, layer, settings)
      let forMixing = try rmsNorm(x, .feedForwardNorm, layer, settings.epsilon)
      x += try feedForward(forMixing, layer, settings, &output)
      output.states.append(x)
      layerIsDone()
    }
    x = try rmsNorm(x, .outputNorm, nil, settings.epsilon)
    output.rows = try head(x, isTied: settings.isTied)
    if let cap = settings.outputSoftCap {
      output.rows.values = output.rows.values.map { softCapped($0, cap) }
    }
    return output
  }

  private func attention(
    _ x: Rows, _ layer: Int, _ settings: DecoderSettings
  ) throws(Failure) -> Rows {
    var query = try weights.linear(x, RoleInstance(.attentionQuery, layer: layer))
    var key = try weights.linear(x, RoleInstance(.attentionKey, layer: layer))
    let value = try weights.linear(x, RoleInstance(.attentionValue, layer: layer))
    try check(query, settings.headCount, .attentionQuery, layer)
    try check(key, settings.keyValueHeadCount, .attentionKey, layer)
    try check(value, settings.keyValueHeadCount, .attentionValue, layer)
    let length = query.width / settings.headCount
    guard key.width == settings.keyValueHeadCount * length,
      2 * settings.rotary.frequencies.count <= length
    else { throw misfit(.attentionKey, layer, "heads of \(length)", key.width) }
    if weights.has(RoleInstance(.attentionQueryNorm, layer: layer)) {
      query = try rmsNorm(query, .attentionQueryNorm, layer, settings.epsilon, length: length)
      key = try rmsNorm(key, .attentionKeyNorm, layer, settings.epsilon, length: length)
    }
    let mixed = ReferenceKernels.attention(
      query: settings.rotary.rotating(query, headLength: length),
      key: settings.rotary.rotating(key, headLength: length), value: value,
      headCount: settings.headCount, keyValueHeadCount: settings.keyValueHeadCount,
      scale: settings.attentionScale, mask: settings.mask(layer),
      softCap: settings.attentionSoftCap)
    return try weights.linear(
      mixed, RoleInstance(.attentionOutput, layer: layer), width: x.width)
  }

  private func feedForward(
    _ x: Rows, _ layer: Int, _ settings: DecoderSettings, _ output: inout ModelOutput
  ) throws(Failure) -> Rows {
    if let routing = settings.routing, weights.has(RoleInstance(.router, layer: layer)) {
      return try mixture(x, layer, routing, settings.activation, &output)
    }
    return try gated(
      x, settings.activation, gate: RoleInstance(.feedForwardGate, layer: layer),
      up: RoleInstance(.feedForwardUp, layer: layer),
      down: RoleInstance(.feedForwardDown, layer: layer))
  }

  private func gated(
    _ x: Rows, _ activation: Activation, gate: RoleInstance, up: RoleInstance, down: RoleInstance
  ) throws(Failure) -> Rows {
    let wide = try weights.linear(x, up)
    let open = try weights.linear(x, gate, width: wide.width)
    return try weights.linear(
      ReferenceKernels.gated(gate: open, up: wide, activation), down, width: x.width)
  }

  private func mixture(
    _ x: Rows, _ layer: Int, _ routing: Routing, _ activation: Activation,
    _ output: inout ModelOutput
  ) throws(Failure) -> Rows {
    let logits = try weights.linear(x, RoleInstance(.router, layer: layer))
    let count = logits.width
    if let groups = routing.groups, count % groups.count != 0 || groups.usedCount > groups.count {
      throw misfit(.router, layer, "a multiple of \(groups.count) groups", count)
    }
    guard routing.usedCount <= count else {
      throw misfit(.router, layer, "at least \(routing.usedCount) experts", count)
    }
    let correction = try correction(layer, count)
    let scores = (0..<x.count).map { routing.scores(logits[$0]) }
    let own = scores.map { routing.chosen($0, correction: correction) }
    let number = output.choices.count
    output.choices.append(own)
    output.scores.append(Rows(width: count, scores.flatMap(\.self)))
    let taken = experts.map { $0.indices.contains(number) ? $0[number] : own } ?? own
    var y = Rows(zeros: x.count, width: x.width)
    var users: [Int: [(token: Int, weight: Double)]] = [:]
    for token in 0..<x.count {
      let chosen = taken[token].experts
      for (expert, weight) in zip(chosen, routing.weights(scores[token], of: chosen)) {
        users[expert, default: []].append((token, weight))
      }
    }
    for (expert, tokens) in users.sorted(by: { $0.key < $1.key }) {
      let part = try gated(
        x.picking(tokens.map(\.token)), activation,
        gate: RoleInstance(.expertGate, layer: layer, expert: expert),
        up: RoleInstance(.expertUp, layer: layer, expert: expert),
        down: RoleInstance(.expertDown, layer: layer, expert: expert))
      for (row, user) in tokens.enumerated() {
        for (index, value) in part[row].enumerated() {
          y.values[user.token * x.width + index] += user.weight * value
        }
      }
    }
    if let shared = try sharedExpert(x, layer, activation) { y += shared }
    return y
  }

  // MARK: - GPT-2

  private func gpt2(
    _ tokens: [Int], _ settings: GPT2Settings, _ layerIsDone: @Sendable () -> Void
  ) throws(Failure) -> ModelOutput {
    var x = try weights.embedding(RoleInstance(.tokenEmbedding), tokens)
    x += try weights.embedding(RoleInstance(.positionEmbedding), Array(tokens.indices))
    var output = ModelOutput(rows: x, isLogits: true, states: [x])
    for layer in 0..<settings.layerCount {
      let forAttention = try layerNorm(x, .attentionNorm, layer, settings.epsilon)
      let fused = try weights.linear(
        forAttention, RoleInstance(.attentionFusedQKV, layer: layer), width: 3 * x.width)
      let parts = (0..<3).map { fused.columns($0 * x.width..<($0 + 1) * x.width) }
      x += try attention(
        query: parts[0], key: parts[1], value: parts[2], settings.headCount,
        AttentionMask(), layer)
      let forMixing = try layerNorm(x, .feedForwardNorm, layer, settings.epsilon)
      x += try plain(forMixing, layer, settings.activation)
      output.states.append(x)
      layerIsDone()
    }
    x = try layerNorm(x, .outputNorm, nil, settings.epsilon)
    output.rows = try head(x, isTied: settings.isTied)
    return output
  }

  /// Attention without RoPE, with as many key heads as query heads, and the output projection.
  private func attention(
    query: Rows, key: Rows, value: Rows, _ headCount: Int, _ mask: AttentionMask, _ layer: Int
  ) throws(Failure) -> Rows {
    try check(query, headCount, .attentionQuery, layer)
    let length = query.width / headCount
    let mixed = ReferenceKernels.attention(
      query: query, key: key, value: value, headCount: headCount, keyValueHeadCount: headCount,
      scale: 1 / Double(length).squareRoot(), mask: mask)
    return try weights.linear(
      mixed, RoleInstance(.attentionOutput, layer: layer), width: query.width)
  }

  /// A feed-forward part without gate.
  private func plain(
    _ x: Rows, _ layer: Int, _ activation: Activation
  ) throws(Failure) -> Rows {
    let wide = try weights.linear(x, RoleInstance(.feedForwardUp, layer: layer))
    return try weights.linear(
      activation(wide), RoleInstance(.feedForwardDown, layer: layer), width: x.width)
  }

  // MARK: - BERT

  private func bert(
    _ tokens: [Int], _ settings: BERTSettings, _ layerIsDone: @Sendable () -> Void
  ) throws(Failure) -> ModelOutput {
    var x = try weights.embedding(RoleInstance(.tokenEmbedding), tokens)
    x += try weights.embedding(RoleInstance(.positionEmbedding), Array(tokens.indices))
    if weights.has(RoleInstance(.tokenTypeEmbedding)) {
      // One sentence: all tokens are of the first type.
      x += try weights.embedding(
        RoleInstance(.tokenTypeEmbedding), tokens.map { _ in 0 })
    }
    x = try layerNorm(x, .embeddingNorm, nil, settings.epsilon)
    var output = ModelOutput(rows: x, isLogits: false, states: [x])
    for layer in 0..<settings.layerCount {
      let query = try weights.linear(x, RoleInstance(.attentionQuery, layer: layer), width: x.width)
      let key = try weights.linear(x, RoleInstance(.attentionKey, layer: layer), width: x.width)
      let value = try weights.linear(x, RoleInstance(.attentionValue, layer: layer), width: x.width)
      x += try attention(
        query: query, key: key, value: value, settings.headCount,
        AttentionMask(isCausal: false), layer)
      x = try layerNorm(x, .attentionOutputNorm, layer, settings.epsilon)
      x += try plain(x, layer, settings.activation)
      x = try layerNorm(x, .layerOutputNorm, layer, settings.epsilon)
      output.states.append(x)
      layerIsDone()
    }
    output.rows = x
    output.pooled = settings.pooling.map { $0(x) }
    return output
  }

  // MARK: - Parts

  private func rmsNorm(
    _ x: Rows, _ role: Role, _ layer: Int?, _ epsilon: Double, length: Int? = nil
  ) throws(Failure) -> Rows {
    let weight = try weights.vector(RoleInstance(role, layer: layer), count: length ?? x.width)
    return ReferenceKernels.rmsNorm(x, weight: weight, epsilon: epsilon)
  }

  private func layerNorm(
    _ x: Rows, _ role: Role, _ layer: Int?, _ epsilon: Double
  ) throws(Failure) -> Rows {
    let weight = RoleInstance(role, layer: layer)
    return ReferenceKernels.layerNorm(
      x, weight: try weights.vector(weight, count: x.width),
      bias: try weights.vector(weight.bias, count: x.width), epsilon: epsilon)
  }

  private func head(_ x: Rows, isTied: Bool) throws(Failure) -> Rows {
    let own = RoleInstance(.output)
    return try weights.linear(
      x, weights.has(own) && !isTied ? own : RoleInstance(.tokenEmbedding))
  }

  private func check(
    _ x: Rows, _ headCount: Int, _ role: Role, _ layer: Int
  ) throws(Failure) {
    guard headCount > 0, x.width % headCount == 0 else {
      throw misfit(role, layer, "a multiple of \(headCount) heads", x.width)
    }
  }

  private func misfit(_ role: Role, _ layer: Int, _ expected: String, _ found: Int) -> Failure {
    Failure(
      .badInput, "the tensor does not fit the settings",
      subject: .tensor(ByteString(RoleInstance(role, layer: layer).description)),
      expected: expected, found: "\(found)")
  }
}

// MARK: - Parts that only models with latent attention have

extension ModelEvaluator {
  /// - Source: transformers `modeling_deepseek_v3.py`, `DeepseekV3Attention`.
  private func latentAttention(
    _ x: Rows, _ layer: Int, _ settings: DecoderSettings
  ) throws(Failure) -> Rows {
    func role(_ role: Role) -> RoleInstance { RoleInstance(role, layer: layer) }
    guard let latent = settings.latent else { throw Failure(.defect, "the model has no latent") }
    var query: Rows
    if weights.has(role(.attentionQueryDown)) {
      let down = try weights.linear(x, role(.attentionQueryDown))
      let normed = try rmsNorm(down, .attentionQueryDownNorm, layer, latent.epsilon)
      query = try weights.linear(normed, role(.attentionQueryUp))
    } else {
      query = try weights.linear(x, role(.attentionQuery))
    }
    let length = latent.plainLength + latent.rotatedLength
    guard query.width == settings.headCount * length else {
      throw misfit(
        .attentionQueryUp, layer, "\(settings.headCount) heads of \(length)", query.width)
    }
    query = settings.rotary.rotating(query, headLength: length, offset: latent.plainLength)
    let down = try weights.linear(
      x, role(.attentionKeyValueDown), width: latent.latentLength + latent.rotatedLength)
    let normed = try rmsNorm(
      down.columns(0..<latent.latentLength), .attentionKeyValueDownNorm, layer, latent.epsilon)
    let expanded = try weights.linear(normed, role(.attentionKeyValueUp))
    guard expanded.width % settings.headCount == 0,
      expanded.width / settings.headCount > latent.plainLength
    else {
      throw misfit(
        .attentionKeyValueUp, layer,
        "\(settings.headCount) heads with more than \(latent.plainLength)", expanded.width)
    }
    let (key, value) = latentKeysAndValues(
      expanded: expanded,
      rotated: settings.rotary.rotating(
        down.columns(latent.latentLength..<down.width), headLength: latent.rotatedLength),
      headCount: settings.headCount, plainLength: latent.plainLength)
    let mixed = ReferenceKernels.attention(
      query: query, key: key, value: value, headCount: settings.headCount,
      keyValueHeadCount: settings.headCount, scale: settings.attentionScale,
      mask: settings.mask(layer))
    return try weights.linear(mixed, role(.attentionOutput), width: x.width)
  }

  private func correction(_ layer: Int, _ count: Int) throws(Failure) -> [Double]? {
    try weights.optionalVector(RoleInstance(.routerCorrection, layer: layer), count: count)
  }

  private func sharedExpert(
    _ x: Rows, _ layer: Int, _ activation: Activation
  ) throws(Failure) -> Rows? {
    guard weights.has(RoleInstance(.sharedExpertGate, layer: layer)) else { return nil }
    return try gated(
      x, activation, gate: RoleInstance(.sharedExpertGate, layer: layer),
      up: RoleInstance(.sharedExpertUp, layer: layer),
      down: RoleInstance(.sharedExpertDown, layer: layer))
  }
}
