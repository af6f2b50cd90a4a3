import Architectures
import GraphRewriting
import TensorTypes

/// A tensor of the source, by name and type.
public struct SourceTensor: Sendable {
  public let name: ByteString
  public let type: TensorType

  public init(name: ByteString, type: TensorType) {
    self.name = name
    self.type = type
  }
}

/// The numbers of heads that rearranging queries, keys and values needs.
public struct HeadCounts: Sendable, Hashable {
  public let query: Int
  public let keyValue: Int
  /// Lengths of the parts of a head; nil for a model without MLA.
  public let latent: LatentHeads?

  public init(query: Int, keyValue: Int, latent: LatentHeads? = nil) {
    self.query = query
    self.keyValue = keyValue
    self.latent = latent
  }
}

/// Which of a model's tensors are left out, and why; the role is nil where names stay as they are.
public typealias DropRule = @Sendable (ByteString, RoleInstance?) -> String?

/// The program from a source checkpoint to a target's tensors, before any rewriting and casting:
/// each output of `graph` computes the values of one tensor to be written.
public struct ModelGraph: Sendable {
  public var graph: WeightGraph
  /// The roles of the outputs, in the same order; nil where names stay as they are.
  public private(set) var roles: [RoleInstance?] = []
  /// The source tensors that no output needs, each with the reason.
  public private(set) var dropped: [(source: Int, reason: String)] = []

  /// Every tensor under its own name; those that are codes with scales by their values.
  ///
  /// - Parameter order: the numbers of the sources in the order in which they are written; nil for
  ///   their own.
  public static func identity(
    _ sources: [SourceTensor], order: [Int]? = nil,
    dequantizing quantization: SourceQuantization? = nil,
    dropping rule: DropRule = { _, _ in nil }
  ) throws(Failure) -> ModelGraph {
    var model = ModelGraph(graph: WeightGraph(sources: sources.map(\.type)))
    for number in order ?? Array(sources.indices) {
      if model.passesOver(number, quantization) { continue }
      if let reason = rule(sources[number].name, nil) {
        model.drop(number, because: reason, quantization)
        continue
      }
      model.append(sources[number].name, try model.load(number, quantization), nil)
    }
    return model
  }

  /// Whether a source tensor is no weight of its own: scales of another, or of activations.
  private mutating func passesOver(
    _ number: Int, _ quantization: SourceQuantization?
  ) -> Bool {
    guard let quantization else { return false }
    if quantization.unused.contains(number) {
      dropped.append((number, SourceQuantization.unusedReason))
      return true
    }
    return quantization.scaleTensors.contains(number)
  }

  /// Leaves a source tensor out, with its scales.
  private mutating func drop(
    _ number: Int, because reason: String, _ quantization: SourceQuantization?
  ) {
    dropped.append((number, reason))
    if let scales = quantization?.scalesOfCodes[number] { dropped.append((scales.tensor, reason)) }
  }

  /// The values of a source tensor.
  private mutating func load(
    _ number: Int, _ quantization: SourceQuantization?
  ) throws(Failure) -> NodeID {
    let load = try graph.add(.load(number))
    guard let scales = quantization?.scalesOfCodes[number] else { return load }
    return try graph.add(.dequantize(scales.grid), [load, graph.add(.load(scales.tensor))])
  }

  /// The tensors of one dialect as another names and stores them.
  ///
  /// Outputs stand in the order of their sources; the experts of a layer stand together where the
  /// last of them comes; literals stand first.
  ///
  /// - Parameters:
  ///   - order: the numbers of the sources in the order in which they are written.
  ///   - expertOrder: roles in the order in which stacked experts are written.
  ///   - heads: nil when no step needs them.
  ///   - shapes: what the shapes must be; nil when nothing tells.
  /// - Throws: `badInput` for a tensor that the architecture does not have, that comes twice, or
  ///   whose shape does not fit; and for missing experts.
  public static func translating(
    _ sources: [SourceTensor], order: [Int], from: Dialect, to: Dialect, expertCount: Int?,
    expertOrder: [Role], heads: HeadCounts?, shapes: RoleShapes? = nil,
    literals: [(role: RoleInstance, literal: Literal)] = [],
    dequantizing quantization: SourceQuantization? = nil, dropping rule: DropRule = { _, _ in nil }
  ) throws(Failure) -> ModelGraph {
    var model = ModelGraph(graph: WeightGraph(sources: sources.map(\.type)))
    for (role, literal) in literals {
      guard let mapping = to.writing(role.role) else { continue }
      let node = try model.graph.add(.literal(literal))
      model.append(to.name(mapping, role.bindings), node, role)
    }
    var canonical = CanonicalTensors(shapes: shapes)
    for number in order {
      let tensor = sources[number]
      if model.passesOver(number, quantization) { continue }
      do throws(Failure) {
        try model.read(
          tensor, number, from, heads, expertCount, quantization, rule, into: &canonical)
      } catch {
        throw error.located(subject: .tensor(tensor.name))
      }
    }
    if let (role, found) = canonical.latents.min(by: { $0.value.source < $1.value.source }) {
      throw Failure(
        .badInput, "one part of the tensor's role is missing",
        subject: .tensor(sources[found.source].name), expected: "keys and values of \(role)",
        found: found.part == .keys ? "keys" : "values")
    }
    try canonical.order.checkExperts(expertCount, from)
    var ranks = [Int](repeating: 0, count: sources.count)
    for (rank, number) in order.enumerated() { ranks[number] = rank }
    try model.write(canonical, to, heads, expertOrder, sources, ranks)
    return model
  }

  private init(graph: WeightGraph) {
    self.graph = graph
  }

  private mutating func append(_ name: ByteString, _ node: NodeID, _ role: RoleInstance?) {
    graph.outputs.append(WeightGraph.Output(name: name, node: node))
    roles.append(role)
  }

  /// Adds source tensors that no architecture knows, under their names and without roles.
  mutating func keep(_ numbers: [Int], of sources: [SourceTensor]) throws(Failure) {
    for number in numbers { append(sources[number].name, try graph.add(.load(number)), nil) }
  }

  // MARK: - From stored to canonical

  /// The tensors of a model in canonical form, with the number of the source each came from.
  private struct CanonicalTensors {
    let shapes: RoleShapes?
    var nodes: [RoleInstance: (node: NodeID, source: Int)] = [:]
    var order: [RoleInstance] = []
    /// Parts whose counterpart has not come yet.
    var latents: [RoleInstance: (part: Mapping.Latent, node: NodeID, source: Int)] = [:]
  }

  private mutating func read(
    _ tensor: SourceTensor, _ number: Int, _ dialect: Dialect, _ heads: HeadCounts?,
    _ expertCount: Int?, _ quantization: SourceQuantization?, _ isDropped: DropRule,
    into canonical: inout CanonicalTensors
  ) throws(Failure) {
    switch dialect.read(tensor.name) {
    case nil:
      throw Failure(
        .badInput, "the architecture has no such tensor", expected: "a name of its table",
        found: "another")
    case .dropped(let drop):
      self.drop(number, because: drop.reason, quantization)
    case .tensor(let mappings, let bindings):
      let role = RoleInstance(role: mappings[0].role, bindings: bindings)
      if let reason = isDropped(tensor.name, role) {
        return drop(number, because: reason, quantization)
      }
      let load = try load(number, quantization)
      for mapping in mappings {
        if mapping.role.isExpert, bindings.expert == nil {
          try readStacked(load, mapping, bindings, number, heads, expertCount, into: &canonical)
          continue
        }
        let role = RoleInstance(role: mapping.role, bindings: bindings)
        if let part = mapping.latent {
          try place(load, part, role, number, heads, into: &canonical)
          continue
        }
        let node = try applying(mapping.steps, to: load, heads)
        try place(node, role, number, into: &canonical)
      }
    }
  }

  /// Takes a tensor of all experts apart.
  private mutating func readStacked(
    _ load: NodeID, _ mapping: Mapping, _ bindings: NamePattern.Bindings, _ number: Int,
    _ heads: HeadCounts?, _ expertCount: Int?, into canonical: inout CanonicalTensors
  ) throws(Failure) {
    let axes = graph[load].type.shape.axes
    guard axes.count == 3, axes[0] > 0, expertCount == nil || expertCount == axes[0],
      axes[0] <= 65_536
    else {
      throw Failure(
        .badInput, "the tensor does not hold all experts",
        expected: "3 axes, the first of "
          + (expertCount.map { "\($0)" } ?? "1 to 65536"), found: "\(graph[load].type.shape)")
    }
    for expert in 0..<axes[0] {
      let slice = try graph.add(.slice(axis: 0, start: expert, count: 1), [load])
      let matrix = try graph.add(.reshape(Shape(Array(axes.dropFirst()))), [slice])
      var own = bindings
      own.expert = expert
      let node = try applying(mapping.steps, to: matrix, heads)
      try place(node, RoleInstance(role: mapping.role, bindings: own), number, into: &canonical)
    }
  }

  private func place(
    _ node: NodeID, _ role: RoleInstance, _ number: Int, into canonical: inout CanonicalTensors
  ) throws(Failure) {
    let shape = graph[node].type.shape
    if let expected = canonical.shapes?.mismatch(of: role, shape) {
      throw Failure(
        .badInput, "the shape is not what the config says of \(role)", expected: expected,
        found: "\(shape)")
    }
    guard canonical.nodes.updateValue((node, number), forKey: role) == nil else {
      throw Failure(
        .badInput, "two tensors have the same role", expected: "one", found: "a second \(role)")
    }
    canonical.order.append(role)
  }

  /// Takes one part of MLA's up-projection, and joins it with the other.
  private mutating func place(
    _ node: NodeID, _ part: Mapping.Latent, _ role: RoleInstance, _ number: Int,
    _ heads: HeadCounts?, into canonical: inout CanonicalTensors
  ) throws(Failure) {
    guard let other = canonical.latents.removeValue(forKey: role) else {
      canonical.latents[role] = (part, node, number)
      return
    }
    guard other.part != part else {
      throw Failure(
        .badInput, "two tensors have the same role", expected: "one", found: "a second \(role)")
    }
    let (keys, values) = part == .keys ? (node, other.node) : (other.node, node)
    let joined = try joiningLatent(keys: keys, values: values, heads)
    try place(joined, role, number, into: &canonical)
  }

  // MARK: - From canonical to stored

  private mutating func write(
    _ canonical: CanonicalTensors, _ dialect: Dialect, _ heads: HeadCounts?,
    _ expertOrder: [Role], _ sources: [SourceTensor], _ ranks: [Int]
  ) throws(Failure) {
    var stacked: [Int?: [Role: [Int: (node: NodeID, source: Int)]]] = [:]
    var pending: [(position: Int, minor: Int, name: ByteString, node: NodeID, role: RoleInstance)] =
      []
    for role in canonical.order {
      let (node, source) = canonical.nodes[role]!  // every role of `order` has a node
      let mappings = dialect.writings(role.role)
      guard let first = mappings.first else {
        throw Failure(
          .badInput, "the target has no name for the tensor's role",
          subject: .tensor(sources[source].name), expected: "a role of its table", found: "\(role)")
      }
      if role.role.isExpert, !first.name.hasExpert {
        // An expert's role always binds the expert's number.
        stacked[role.bindings.layer, default: [:]][role.role, default: [:]][
          role.bindings.expert!] = (node, source)
        continue
      }
      do throws(Failure) {
        for (part, mapping) in mappings.enumerated() {
          let stored = try undoing(mapping.steps, of: node, heads)
          let name = dialect.name(mapping, role.bindings)
          pending.append((ranks[source], role.bindings.expert ?? part, name, stored, role))
        }
      } catch {
        throw error.located(subject: .tensor(sources[source].name))
      }
    }
    for (layer, roles) in stacked {
      let last = roles.values.flatMap { $0.values.map { ranks[$0.source] } }.max() ?? 0
      for (role, experts) in roles {
        // All are there, as was checked.
        let parts = experts.keys.sorted().map { experts[$0]!.node }
        let mapping = dialect.writing(role)!  // found above for each of its tensors
        let bindings = NamePattern.Bindings(layer: layer)
        let node = try undoing(mapping.steps, of: try graph.add(.stack, parts), heads)
        let minor = expertOrder.firstIndex(of: role) ?? expertOrder.count
        pending.append(
          (
            last, minor, dialect.name(mapping, bindings), node,
            RoleInstance(role: role, bindings: bindings)
          ))
      }
    }
    pending.sort { ($0.position, $0.minor) < ($1.position, $1.minor) }
    for output in pending { append(output.name, output.node, output.role) }
  }

  // MARK: - Steps

  private mutating func applying(
    _ steps: [Mapping.Step], to node: NodeID, _ heads: HeadCounts?
  ) throws(Failure) -> NodeID {
    var node = node
    for step in steps {
      switch step {
      case .transpose: node = try transposed(node)
      case .half(let half): node = try self.half(half, of: node)
      case .interleavedHeads(let which):
        node = try regrouped(node, which, heads, from: .pairs)
      case .latent:
        throw Failure(.defect, "a part cannot be read on its own")
      }
    }
    return node
  }

  private mutating func undoing(
    _ steps: [Mapping.Step], of node: NodeID, _ heads: HeadCounts?
  ) throws(Failure) -> NodeID {
    var node = node
    for step in steps.reversed() {
      switch step {
      case .transpose: node = try transposed(node)
      case .half:
        throw Failure(.defect, "a half cannot be written on its own")
      case .interleavedHeads(let which):
        node = try regrouped(node, which, heads, from: .halves)
      case .latent(let part):
        node = try latent(part, of: node, heads)
      }
    }
    return node
  }

  private mutating func transposed(_ node: NodeID) throws(Failure) -> NodeID {
    guard graph[node].type.shape.rank == 2 else { return node }
    var node = node
    if case .block = graph[node].type.encoding {
      // The elements of a block cannot move one by one.
      node = try graph.add(.cast(.f32), [node])
    }
    return try graph.add(.permute([1, 0]), [node])
  }

  private mutating func half(_ half: Int, of node: NodeID) throws(Failure) -> NodeID {
    let rows = graph[node].type.shape.axes.first ?? 1
    guard rows % 2 == 0 else {
      throw Failure(
        .badInput, "the rows have no two halves", expected: "an even number", found: "\(rows)")
    }
    return try graph.add(.slice(axis: 0, start: half * rows / 2, count: rows / 2), [node])
  }

  /// How the rows of a head stand.
  private enum Grouping {
    case halves, pairs
  }

  /// Brings the rows of each head from one grouping to the other: `[heads, 2, half, …]` and
  /// `[heads, half, 2, …]` change places.
  private mutating func regrouped(
    _ node: NodeID, _ which: Mapping.Heads, _ heads: HeadCounts?, from grouping: Grouping
  ) throws(Failure) -> NodeID {
    let shape = graph[node].type.shape
    guard let heads, let rows = shape.axes.first else {
      throw Failure(
        .badInput, "the rows of heads cannot be rearranged",
        expected: "the number of heads and rows", found: "\(shape)")
    }
    let count = which == .query ? heads.query : heads.keyValue
    guard count > 0, rows % count == 0, rows / count % 2 == 0 else {
      throw Failure(
        .badInput, "the rows do not fit the number of heads",
        expected: "a multiple of 2 × \(count)", found: "\(rows) rows")
    }
    let half = rows / count / 2
    let middle = grouping == .halves ? [count, 2, half] : [count, half, 2]
    let rest = Array(shape.axes.dropFirst())
    let split = try graph.add(.reshape(Shape(middle + rest)), [node])
    let swapped = try graph.add(.permute([0, 2, 1] + rest.indices.map { $0 + 3 }), [split])
    return try graph.add(.reshape(shape), [swapped])
  }
}
