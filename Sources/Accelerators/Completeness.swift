import Architectures
import TensorTypes

extension ModelGraph {
  /// Checks that every layer is complete and of the kind that the config says.
  ///
  /// - Parameter layerCount: layers beyond are extras of their own kind.
  /// - Throws: `badInput` naming the tensor or the key of the config that is missing or wrong.
  func check(
    _ layerCount: Int, _ architecture: Architecture, _ config: ModelConfig
  ) throws(Failure) {
    if roles.contains(where: { $0?.role.isExpert == true }) {
      let row = architecture.hyperparameter("expert_count")
      guard try row?.value(config) != nil else {
        throw Failure(
          .badInput, "the key is missing", file: config.file,
          subject: row?.configKey.map { .key(ByteString($0)) },
          expected: "the number of experts", found: "nothing")
      }
    }
    try checkLayersAreComplete(layerCount, architecture)
    try checkDenseLayers(layerCount, architecture, config)
  }

  /// Checks that every layer has the tensors that the other layers have: a layer's feed-forward part
  /// is either dense or a mixture of experts.
  ///
  /// - Parameter layerCount: layers beyond are extras of their own kind.
  /// - Throws: `badInput` naming the tensor that is missing.
  func checkLayersAreComplete(
    _ layerCount: Int, _ architecture: Architecture
  ) throws(Failure) {
    // Of more layers than there are tensors one has none.
    let count = min(layerCount, roles.count + 1)
    var layers = [Set<Key>](repeating: [], count: count)
    for case let role? in roles {
      guard let layer = role.bindings.layer, layer < count else { continue }
      layers[layer].insert(Key(role: role.role, part: role.bindings.part))
    }
    var shared = Set<Key>()
    var dense = Set<Key>()
    var mixture = Set<Key>()
    for key in layers.joined() {
      switch key.role.feedForwardPart {
      case nil: shared.insert(key)
      case .dense: dense.insert(key)
      case .mixture: mixture.insert(key)
      }
    }
    for (layer, own) in layers.enumerated() {
      let isMixture = own.contains { $0.role.feedForwardPart == .mixture }
      let missing = shared.union(isMixture ? mixture : dense).subtracting(own)
      guard let key = missing.min(by: { $0.order < $1.order }) else { continue }
      let bindings = NamePattern.Bindings(layer: layer, expert: 0, part: key.part)
      let name = architecture.huggingFace.writing(key.role).map {
        architecture.huggingFace.name($0, bindings)
      }
      throw Failure(
        .badInput, "layer \(layer) lacks a tensor that other layers have",
        subject: name.map { .tensor($0) },
        expected: RoleInstance(role: key.role, bindings: bindings).description, found: "none")
    }
  }

  private struct Key: Hashable {
    let role: Role
    let part: NamePattern.Part

    /// The same among equals from run to run.
    var order: String { role.rawValue + part.rawValue }
  }
}

extension [RoleInstance] {
  /// Checks that each layer with experts has all of them.
  ///
  /// - Parameter count: nil for as many as are found.
  /// - Throws: `badInput` naming the tensor that is missing or too much.
  func checkExperts(_ count: Int?, _ dialect: Dialect) throws(Failure) {
    var groups: [RoleInstance: [Int]] = [:]
    for role in self {
      if let expert = role.bindings.expert { groups[role.ofAllExperts, default: []].append(expert) }
    }
    for role in self {
      let kind = role.ofAllExperts
      guard let experts = groups.removeValue(forKey: kind) else { continue }
      func failure(_ message: String, at expert: Int, expected: String, found: String) -> Failure {
        var bindings = kind.bindings
        bindings.expert = expert
        let name = dialect.writing(kind.role).map { dialect.name($0, bindings) }
        return Failure(
          .badInput, message, subject: name.map { .tensor($0) }, expected: expected, found: found)
      }
      let count = count ?? experts.count
      let layer = kind.bindings.layer ?? 0
      let present = Set(experts)
      if let missing = (0..<count).first(where: { !present.contains($0) }) {
        throw failure(
          "an expert of layer \(layer) is missing", at: missing,
          expected: "\(kind.role.rawValue) of experts 0 to \(count - 1)",
          found: "none of \(missing)")
      }
      guard experts.count == count else {
        throw failure(
          "layer \(layer) has too many experts", at: present.max() ?? 0, expected: "\(count)",
          found: "\(experts.count)")
      }
    }
  }
}

extension RoleInstance {
  /// The role with no expert's number.
  fileprivate var ofAllExperts: RoleInstance {
    var bindings = bindings
    bindings.expert = nil
    return RoleInstance(role: role, bindings: bindings)
  }
}

extension ModelGraph {
  /// Checks that layers are dense or mixtures as the config says.
  ///
  /// - Throws: `badInput` when the first layers that are dense are not those that it counts.
  private func checkDenseLayers(
    _ layerCount: Int, _ architecture: Architecture, _ config: ModelConfig
  ) throws(Failure) {
    guard let row = architecture.hyperparameter("leading_dense_block_count"),
      let key = row.configKey, let count = try row.value(config)?.integer,
      [nil, .null, .integer(1)].contains(config.json["moe_layer_freq"])
    else { return }
    for case let role? in roles {
      guard let layer = role.bindings.layer, layer < layerCount,
        let part = role.role.feedForwardPart, part != (layer < count ? .dense : .mixture)
      else { continue }
      throw Failure(
        .badInput, "config and tensors disagree about which layers have experts",
        file: config.file, subject: .key(ByteString(key)),
        expected: layer < count
          ? "layers 0 to \(count - 1) dense" : "experts from layer \(count) on",
        found: layer < count ? "experts in layer \(layer)" : "none in layer \(layer)")
    }
  }
}

extension Role {
  enum FeedForwardPart {
    case dense, mixture
  }

  /// Which kind of feed-forward part the role belongs to; nil for other parts of a layer.
  var feedForwardPart: FeedForwardPart? {
    switch self {
    case .feedForwardGate, .feedForwardUp, .feedForwardDown: .dense
    case .router, .routerCorrection, .expertGate, .expertUp, .expertDown, .sharedExpertGate,
      .sharedExpertUp, .sharedExpertDown:
      .mixture
    default: nil
    }
  }
}
