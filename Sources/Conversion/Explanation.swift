import GraphRewriting
import TensorTypes
import WeightFormats

/// How one tensor of an output comes about: from the bytes of the source, through every rule that
/// fired for it, to its place in the output.
public struct Explanation: Sendable {
  public let plan: Plan
  public let tensor: Plan.Tensor
  /// The source tensors it is computed from.
  public let sources: [Checkpoint.Tensor]
  /// The computation of this tensor alone, as the tables of architecture and target state it.
  public let program: WeightGraph
  /// The same after all rules.
  public let rewritten: WeightGraph
  public let firings: [Firing]

  /// The tensors with this name, in the output or in the source: one of the source may end in
  /// several of the output.
  ///
  /// - Throws: `usage` when neither has such a tensor; what planning throws.
  public static func explaining(
    _ name: ByteString, converting source: Checkpoint, _ request: ConversionRequest
  ) throws(Failure) -> [Explanation] {
    let plan = try Plan(converting: source, request)
    if let dropped = plan.dropped.first(where: { $0.name == name }) {
      throw Failure(
        .usage, "the tensor is not written: \(dropped.reason)", file: source.path,
        subject: .tensor(name))
    }
    let number = source.tensors.firstIndex { $0.name == name }
    let named = plan.tensors.filter { $0.name == name }
    let derived = plan.tensors.filter { tensor in
      tensor.name != name && number.map { plan.graph.loads(of: tensor.node).contains($0) } ?? false
    }
    let chosen = named + derived
    guard !chosen.isEmpty else {
      throw Failure(
        .usage, "neither the source nor the output has this tensor", file: source.path,
        subject: .tensor(name), expected: "one of the \(plan.tensors.count) names of --plan",
        found: "another")
    }
    let program = try Program(source, request)
    var explanations: [Explanation] = []
    for tensor in chosen {
      let own = try program.graph.extracting(tensor.output)
      let (whole, firings) = try own.rewritten(by: Plan.phases)
      let rewritten = try whole.extracting(0)
      explanations.append(
        Explanation(
          plan: plan, tensor: tensor,
          sources: plan.graph.loads(of: tensor.node).map { source.tensors[$0] },
          program: own, rewritten: rewritten, firings: firings))
    }
    return explanations
  }

  /// A way that values take from the source to the output.
  public struct Conversion: Sendable, Hashable {
    /// The encodings that they pass through; the first is the source's, the last the output's.
    public var encodings: [Encoding]
    /// How far each step may move them; none when they keep every bit.
    public var bounds: [String]
  }

  /// Each way that elements take once.
  public var conversions: [Conversion] {
    var seen: [Conversion] = []
    for piece in tensor.pieces {
      let conversion = piece.conversion(thorough: plan.search == .thorough)
      if !seen.contains(conversion) { seen.append(conversion) }
    }
    return seen
  }
}

extension WeightGraph {
  /// The graph with one output and only the nodes it needs.
  ///
  /// - Precondition: there are so many outputs.
  fileprivate func extracting(_ number: Int) throws(Failure) -> WeightGraph {
    let output = outputs[number]
    var needed = Set<NodeID>()
    var pending = [output.node]
    while let id = pending.popLast() {
      if needed.insert(id).inserted { pending += self[id].inputs }
    }
    var copy = WeightGraph(sources: sources)
    var placed: [NodeID: NodeID] = [:]
    for id in needed.sorted() {
      placed[id] = try copy.add(self[id].op, self[id].inputs.map { placed[$0]! })  // inputs first
    }
    copy.outputs = [Output(name: output.name, node: placed[output.node]!)]  // it is needed
    return copy
  }
}
