import TensorTypes

/// The position of a node in its graph.
public struct NodeID: Sendable, Hashable, Comparable {
  public let index: Int

  public static func < (a: NodeID, b: NodeID) -> Bool { a.index < b.index }
}

/// A program over tensors: nodes that load, rearrange and convert them, and the named outputs.
///
/// Nodes are interned: the same op on the same inputs is the same node. Inputs always stand before
/// the nodes that use them.
public struct WeightGraph: Sendable {
  public struct Node: Sendable, Hashable {
    public let op: Op
    public let inputs: [NodeID]
    public let type: TensorType
  }

  /// A tensor that the graph computes.
  public struct Output: Sendable, Hashable {
    public let name: ByteString
    public let node: NodeID

    public init(name: ByteString, node: NodeID) {
      self.name = name
      self.node = node
    }
  }

  /// The types of the source tensors that `load` names by number.
  public let sources: [TensorType]
  public private(set) var nodes: [Node] = []
  public var outputs: [Output] = []
  private var ids: [Key: NodeID] = [:]

  public init(sources: [TensorType]) {
    self.sources = sources
  }

  public subscript(id: NodeID) -> Node { nodes[id.index] }

  /// The node for `op` on `inputs`, new or already there.
  ///
  /// - Throws: `badInput` when the inputs do not fit the op.
  public mutating func add(_ op: Op, _ inputs: [NodeID] = []) throws(Failure) -> NodeID {
    let key = Key(op: op, inputs: inputs)
    if let id = ids[key] { return id }
    let type = try op.resultType(of: inputs.map { self[$0].type }, sources: sources)
    let id = NodeID(index: nodes.count)
    nodes.append(Node(op: op, inputs: inputs, type: type))
    ids[key] = id
    return id
  }

  /// The source tensors that a node is computed from, ascending, each once.
  public func loads(of id: NodeID) -> [Int] {
    var found = Set<Int>()
    var pending = [id]
    var seen = Set<NodeID>()
    while let next = pending.popLast() {
      guard seen.insert(next).inserted else { continue }
      if case .load(let number) = self[next].op { found.insert(number) }
      pending += self[next].inputs
    }
    return found.sorted()
  }

  private struct Key: Hashable {
    let op: Op
    let inputs: [NodeID]
  }
}
