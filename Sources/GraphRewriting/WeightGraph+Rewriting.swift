import TensorTypes

/// One use of a rule.
public struct Firing: Sendable, Hashable {
  public let phase: String
  public let rule: String
  /// The node before, in the graph that the rewriting made.
  public let before: NodeID
  public let after: NodeID
}

extension WeightGraph {
  /// The graph with every rule applied until none fits, inputs before users. Nodes that no output
  /// is computed from are left alone.
  ///
  /// - Parameter fuel: the most firings; rules that undo each other would go on for ever.
  /// - Throws: `defect` when the fuel runs out, naming the rules that keep firing.
  public func rewritten(
    by rules: RuleSet, fuel: Int? = nil
  ) throws(Failure) -> (graph: WeightGraph, firings: [Firing]) {
    var rewriting = Rewriting(
      sources: sources, rules: rules, fuel: fuel ?? 64 * nodes.count + 1024)
    var placed = [NodeID?](repeating: nil, count: nodes.count)
    for index in liveNodes {
      let node = nodes[index]
      // Inputs stand before their users, and those of live nodes are live.
      placed[index] = try rewriting.place(node.op, node.inputs.map { placed[$0.index]! })
    }
    rewriting.graph.outputs = outputs.map {
      Output(name: $0.name, node: placed[$0.node.index]!)  // outputs are live
    }
    return (rewriting.graph, rewriting.firings)
  }

  /// The positions of the nodes that outputs are computed from, ascending.
  private var liveNodes: [Int] {
    var isLive = [Bool](repeating: false, count: nodes.count)
    for output in outputs { isLive[output.node.index] = true }
    for index in nodes.indices.reversed() where isLive[index] {
      for input in nodes[index].inputs { isLive[input.index] = true }
    }
    return nodes.indices.filter { isLive[$0] }
  }

  /// The graph after all phases, one after another.
  public func rewritten(
    by phases: [RuleSet]
  ) throws(Failure) -> (graph: WeightGraph, firings: [Firing]) {
    var graph = self
    var firings: [Firing] = []
    for phase in phases {
      let result = try graph.rewritten(by: phase)
      graph = result.graph
      firings += result.firings
    }
    return (graph, firings)
  }
}

private struct Rewriting {
  var graph: WeightGraph
  var firings: [Firing] = []
  private let phase: String
  private let rulesByRoot: [Op.Kind: [Rule]]
  private var fuel: Int
  /// The rules that used the last of the fuel; `firings` lacks those that have not come to an end.
  private var last: [String] = []
  /// The node that each node ended as; nil while it is not known.
  private var results: [NodeID?] = []

  init(sources: [TensorType], rules: RuleSet, fuel: Int) {
    graph = WeightGraph(sources: sources)
    phase = rules.phase
    self.fuel = fuel
    var table: [Op.Kind: [Rule]] = [:]
    for kind in Op.Kind.allCases {
      table[kind] = rules.rules.filter { $0.pattern.rootKind ?? kind == kind }
    }
    rulesByRoot = table
  }

  /// Adds a node whose inputs no rule fits, and applies rules to it.
  mutating func place(_ op: Op, _ inputs: [NodeID]) throws(Failure) -> NodeID {
    let id = try graph.add(op, inputs)
    if let result = result(of: id) { return result }
    let result = try apply(at: id)
    results += repeatElement(nil, count: max(0, graph.nodes.count - results.count))
    results[id.index] = result
    return result
  }

  private func result(of id: NodeID) -> NodeID? {
    id.index < results.count ? results[id.index] : nil
  }

  private mutating func apply(at id: NodeID) throws(Failure) -> NodeID {
    for rule in rulesByRoot[graph[id].op.kind] ?? [] {
      guard let match = Match(rule.pattern, at: id, in: graph), let term = rule.rewrite(match)
      else { continue }
      guard fuel > 0 else { throw outOfFuel() }
      fuel -= 1
      if fuel < 16 { last.append(rule.name) }
      let after = try build(term)
      firings.append(Firing(phase: phase, rule: rule.name, before: id, after: after))
      return after
    }
    return id
  }

  private mutating func build(_ term: Term) throws(Failure) -> NodeID {
    switch term {
    case .node(let id): return result(of: id) ?? id
    case .op(let op, let inputs):
      var ids: [NodeID] = []
      for input in inputs { ids.append(try build(input)) }
      return try place(op, ids)
    }
  }

  private func outOfFuel() -> Failure {
    var recent: [String] = []
    for rule in last where !recent.contains(rule) { recent.append(rule) }
    return Failure(
      .defect, "the rules of phase '\(phase)' do not come to an end",
      expected: "a graph that no rule fits", found: "firings of \(recent.joined(separator: ", "))")
  }
}
