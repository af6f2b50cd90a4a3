import TensorTypes

/// What a rule looks for, from a node down to its inputs.
public indirect enum Pattern: Sendable {
  /// Any node; the match remembers it by name.
  case bind(String)
  /// A node of this kind whose inputs match one by one; remembered when named.
  case op(Op.Kind, [Pattern], as: String? = nil)
  /// A node of this kind, with at least one input, whose every input matches. What the inputs bind
  /// is remembered of the first one only.
  case each(Op.Kind, Pattern, as: String? = nil)

  /// The kind that the root must have; nil when any will do.
  var rootKind: Op.Kind? {
    switch self {
    case .bind: nil
    case .op(let kind, _, _), .each(let kind, _, _): kind
    }
  }
}

/// Where a pattern fits: the nodes it has names for.
public struct Match: Sendable {
  public let graph: WeightGraph
  public let root: NodeID
  private var bindings: [(name: String, node: NodeID)] = []

  /// Tries the pattern on a node; nil when it does not fit.
  public init?(_ pattern: Pattern, at node: NodeID, in graph: WeightGraph) {
    self.graph = graph
    root = node
    guard fit(pattern, node) else { return nil }
  }

  /// The node bound to a name.
  ///
  /// - Precondition: the pattern has the name.
  public subscript(name: String) -> NodeID {
    bindings.first { $0.name == name }!.node  // the precondition
  }

  public func op(_ name: String) -> Op { graph[self[name]].op }
  public func type(_ name: String) -> TensorType { graph[self[name]].type }

  private mutating func fit(_ pattern: Pattern, _ id: NodeID) -> Bool {
    let node = graph[id]
    switch pattern {
    case .bind(let name):
      bindings.append((name, id))
      return true
    case .op(let kind, let inputs, let name):
      guard node.op.kind == kind, node.inputs.count == inputs.count else { return false }
      if let name { bindings.append((name, id)) }
      for (input, pattern) in zip(node.inputs, inputs) where !fit(pattern, input) { return false }
      return true
    case .each(let kind, let pattern, let name):
      guard node.op.kind == kind, !node.inputs.isEmpty else { return false }
      if let name { bindings.append((name, id)) }
      for input in node.inputs where !fit(pattern, input) { return false }
      return true
    }
  }
}

/// What a rule puts in place of a match.
public indirect enum Term: Sendable {
  case node(NodeID)
  case op(Op, [Term])
}
