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
  /// A hash table of positions in `nodes`, where the keys are; -1 where it is empty. At most half of
  /// it is in use, and its length is a power of two.
  private var slots: [Int]

  public init(sources: [TensorType]) {
    self.sources = sources
    // Room for a load and another node for each source.
    var slotCount = 64
    while slotCount < 4 * sources.count { slotCount *= 2 }
    slots = [Int](repeating: -1, count: slotCount)
  }

  public subscript(id: NodeID) -> Node { nodes[id.index] }

  /// The node for `op` on `inputs`, new or already there.
  ///
  /// - Throws: `badInput` when the inputs do not fit the op.
  public mutating func add(_ op: Op, _ inputs: [NodeID] = []) throws(Failure) -> NodeID {
    let slot = slot(of: op, inputs)
    if slots[slot] >= 0 { return NodeID(index: slots[slot]) }
    let type = try op.resultType(of: inputs.map { self[$0].type }, sources: sources)
    let id = NodeID(index: nodes.count)
    nodes.append(Node(op: op, inputs: inputs, type: type))
    slots[slot] = id.index
    if 2 * nodes.count > slots.count { widen() }
    return id
  }

  /// Where a node stands in the hash table, or would.
  private func slot(of op: Op, _ inputs: [NodeID]) -> Int {
    var hasher = Hasher()
    hasher.combine(op)
    hasher.combine(inputs)
    let mask = slots.count - 1
    var slot = hasher.finalize() & mask
    while slots[slot] >= 0, nodes[slots[slot]].op != op || nodes[slots[slot]].inputs != inputs {
      slot = (slot + 1) & mask
    }
    return slot
  }

  private mutating func widen() {
    slots = [Int](repeating: -1, count: 2 * slots.count)
    for (index, node) in nodes.enumerated() { slots[slot(of: node.op, node.inputs)] = index }
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
}
