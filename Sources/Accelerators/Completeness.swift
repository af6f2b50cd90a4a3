import Architectures
import TensorTypes

extension ModelGraph {
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
