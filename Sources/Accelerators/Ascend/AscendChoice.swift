import Architectures
import TensorTypes

/// Which type each tensor of a model gets, by the scheme and the user's exceptions.
public struct AscendChoice: Sendable {
  private let scheme: AscendScheme
  private let overrides: [(names: Glob, type: AscendType)]
  private let excluded: [Glob]
  private let architecture: Architecture
  private let layerCount: Int

  /// - Parameter layerCount: layers beyond predict further tokens.
  public init(
    _ scheme: AscendScheme, overrides: [(names: Glob, type: AscendType)], excluded: [Glob],
    _ architecture: Architecture, layerCount: Int
  ) {
    self.scheme = scheme
    self.overrides = overrides
    self.excluded = excluded
    self.architecture = architecture
    self.layerCount = layerCount
  }

  /// One type for each output of a model.
  ///
  /// - Throws: `usage` for a type that the runtime cannot give a layer, and for layers that the
  ///   runtime joins but that have different types.
  public func types(of model: ModelGraph) throws(Failure) -> [AscendType] {
    var types: [AscendType] = []
    for (output, role) in zip(model.graph.outputs, model.roles) {
      do throws(Failure) {
        types.append(try type(of: output.name, model.graph[output.node].type.shape, role))
      } catch {
        throw error.located(subject: .tensor(output.name))
      }
    }
    try checkGroups(model, types)
    try checkGroupSizes(model, types)
    return types
  }

  private func type(
    of name: ByteString, _ shape: Shape, _ role: RoleInstance?
  ) throws(Failure) -> AscendType {
    let chosen = overrides.last { $0.names.matches(name) }
    guard let role, role.role.isAscendLinear, role.bindings.part == .weight, shape.rank == 2 else {
      // A pattern may take in more than it is meant for; a whole name may not.
      if let chosen, chosen.type != .float, chosen.names.pattern == name.text {
        throw Failure(
          .usage, "the runtime holds the tensor in floats only", expected: "float",
          found: chosen.type.spelling)
      }
      return .float
    }
    let type: AscendType
    if let chosen {
      type = chosen.type
    } else if excluded.contains(where: { $0.matches(name) }) {
      type = .float
    } else {
      type = scheme.type(
        role.role, isAhead: role.bindings.layer ?? 0 >= layerCount,
        hasExperts: architecture.hasExperts)
    }
    if let (expected, found) = type.obstacle(role.role, shape, groupSize: scheme.groupSize) {
      throw Failure(
        .usage, "\(type.rawValue) does not fit the tensor; --override gives it another type",
        expected: expected, found: found)
    }
    return type
  }

  /// A description states one group size, which all types that know groups go by.
  private func checkGroupSizes(_ model: ModelGraph, _ types: [AscendType]) throws(Failure) {
    func groups(_ type: AscendType) -> String? {
      switch type {
      case .w8a16: scheme.groupSize > 0 ? "scales for \(scheme.groupSize) columns" : nil
      case .w4a8Dynamic: "scales for whole rows"
      default: type.isMX ? "exponents for 32 columns" : nil
      }
    }
    var first: (number: Int, groups: String)?
    for (number, type) in types.enumerated() {
      guard let found = groups(type) else { continue }
      guard let expected = first, expected.groups != found else {
        first = first ?? (number, found)
        continue
      }
      throw Failure(
        .usage, "the description states one group size for all layers",
        subject: .tensor(model.graph.outputs[number].name),
        expected: "\(expected.groups), as '\(model.graph.outputs[expected.number].name)' has",
        found: found)
    }
  }

  /// Layers that the runtime joins into one must share a type.
  private func checkGroups(_ model: ModelGraph, _ types: [AscendType]) throws(Failure) {
    var first: [AscendGroup: Int] = [:]
    for (number, role) in model.roles.enumerated() {
      guard let role, role.bindings.part == .weight, let group = AscendGroup(role) else {
        continue
      }
      guard let other = first[group] else {
        first[group] = number
        continue
      }
      guard types[other] == types[number] else {
        throw Failure(
          .usage, "the runtime joins the \(group.name) of a layer, so they must have one type",
          subject: .tensor(model.graph.outputs[number].name),
          expected: "\(types[other].spelling), as '\(model.graph.outputs[other].name)' has",
          found: types[number].spelling)
      }
    }
  }
}

/// The layers that the runtime joins into one.
public struct AscendGroup: Hashable, Sendable {
  public let layer: Int?
  public let name: String

  /// nil for a role that is joined with no other.
  public init?(_ role: RoleInstance) {
    guard let name = role.role.ascendGroup else { return nil }
    layer = role.bindings.layer
    self.name = name
  }
}

extension Role {
  /// What the runtime joins with this layer; nil for none.
  fileprivate var ascendGroup: String? {
    switch self {
    case .attentionQuery, .attentionKey, .attentionValue: "queries, keys and values"
    case .attentionQueryDown, .attentionKeyValueDown: "down-projections of attention"
    case .feedForwardGate, .feedForwardUp: "gate and up"
    case .sharedExpertGate, .sharedExpertUp: "shared experts' gate and up"
    default: isExpert ? "experts" : nil
    }
  }
}
