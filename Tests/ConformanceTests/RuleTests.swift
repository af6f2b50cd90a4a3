import GraphRewriting
import ReferenceKernels
import TensorTypes
import Testing

/// Every rule of every phase, and every law that a rule must keep.
@Suite struct RuleTests {
  static let sets: [RuleSet] = [.canonicalise, .define]
  static let rules: [Named] = sets.flatMap { set in
    set.rules.indices.map { Named(phase: set, position: $0) }
  }

  /// A rule that prints as its name.
  struct Named: Sendable, CustomTestStringConvertible {
    let phase: RuleSet
    let position: Int

    var rule: Rule { phase.rules[position] }
    var testDescription: String { "\(phase.phase)/\(rule.name)" }
  }

  @Test func namesAreUnique() {
    #expect(Set(RuleTests.rules.map(\.testDescription)).count == RuleTests.rules.count)
  }

  /// The rule alone changes its example, and both sides compute the same as closely as it states.
  @Test(arguments: rules)
  func holdsOnItsExample(_ named: Named) throws {
    let rule = named.rule
    let before = try rule.example()
    let (after, firings) = try before.rewritten(
      by: RuleSet(phase: named.phase.phase, rules: [rule]))
    #expect(firings.contains { $0.rule == rule.name }, "the rule does not fire on its example")
    #expect(after.shape(of: after.outputs[0].node) != before.shape(of: before.outputs[0].node))
    for seed in UInt64(1)...3 {
      let source = RandomTensors(types: before.sources, seed: seed)
      let (left, right) = (Evaluation(before, source: source), Evaluation(after, source: source))
      let (a, b) = (before.outputs[0].node, after.outputs[0].node)
      #expect(before[a].type == after[b].type)
      let count = try #require(before[a].type.shape.elementCount)
      let x = try left.values(a, elements: 0..<count)
      let y = try right.values(b, elements: 0..<count)
      #expect(x.contains { $0 != 0 })
      let message: Comment = "\(rule.law), seed \(seed)"
      switch rule.fidelity {
      case .bitExact: #expect(x.map(\.bitPattern) == y.map(\.bitPattern), message)
      case .exactInReals:
        for (p, q) in zip(x, y) { #expect(abs(p - q) <= 1e-12 * abs(p), message) }
      case .lossy(let relative):
        let most = x.map(\.magnitude).max() ?? 0
        for (p, q) in zip(x, y) { #expect(abs(p - q) <= relative * most, message) }
      }
    }
  }

  /// A graph that holds the examples of all rules of a set ends the same whatever their order.
  @Test(arguments: sets.indices)
  func orderDoesNotMatter(_ index: Int) throws {
    let set = RuleTests.sets[index]
    for example in set.rules {
      let graph = try example.example()
      let expected = try graph.rewritten(by: set).graph
      for seed in UInt64(1)...8 {
        var random = SplitMix(seed: seed)
        var rules = set.rules
        for position in rules.indices.dropFirst().reversed() {
          rules.swapAt(position, Int(random.next() % UInt64(position + 1)))
        }
        let other = try graph.rewritten(by: RuleSet(phase: set.phase, rules: rules)).graph
        #expect(
          other.shape(of: other.outputs[0].node) == expected.shape(of: expected.outputs[0].node),
          "the example of \(example.name), seed \(seed)")
      }
    }
  }

  @Test func rulesThatUndoEachOtherRunOutOfFuel() throws {
    let turn = Rule(
      name: "turn", law: "permute([1, 0], x) = reshape([4, 4], x)", fidelity: .bitExact,
      pattern: .op(.permute, [.bind("x")]),
      rewrite: { m in .op(.reshape([4, 4]), [.node(m["x"])]) },
      example: { () throws(Failure) in WeightGraph(sources: []) })
    let back = Rule(
      name: "back", law: "reshape([4, 4], x) = permute([1, 0], x)", fidelity: .bitExact,
      pattern: .op(.reshape, [.bind("x")]),
      rewrite: { m in .op(.permute([1, 0]), [.node(m["x"])]) },
      example: { () throws(Failure) in WeightGraph(sources: []) })
    var graph = WeightGraph(sources: [TensorType(shape: [4, 4], encoding: .f32)])
    graph.outputs = [
      .init(name: "y", node: try graph.add(.reshape([4, 4]), [graph.add(.load(0))]))
    ]
    let failure = #expect(throws: Failure.self) {
      try graph.rewritten(by: RuleSet(phase: "circle", rules: [back, turn]), fuel: 50)
    }
    #expect(failure?.kind == .defect)
    #expect(failure?.message.contains("'circle'") == true)
    let found = failure?.found ?? ""
    #expect(found.contains("back") && found.contains("turn"), "\(found)")
  }
}

extension WeightGraph {
  /// A node with all that it is computed from, as text; the same for the same computation.
  fileprivate func shape(of id: NodeID) -> String {
    let node = self[id]
    let inputs = node.inputs.map { shape(of: $0) }.joined(separator: ", ")
    return "\(node.op)(\(inputs))"
  }
}

/// Tensors of random finite values, whose bytes depend on nothing but seed, number and place.
private struct RandomTensors: TensorSource {
  let types: [TensorType]
  let seed: UInt64

  func read(
    tensor number: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let width = Cell(types[number].encoding).byteCount
    for index in buffer.indices {
      let place = offset + index
      var random = SplitMix(seed: seed &* 1000 &+ UInt64(number) &* 100 &+ UInt64(place / width))
      var bits = random.next()
      // Exponents around that of 1, which every float format has.
      switch types[number].encoding {
      case .f32: bits = bits & 0x807F_FFFF | (bits >> 40 & 7 + 124) << 23
      case .bf16: bits = bits & 0x807F | (bits >> 40 & 7 + 124) << 7
      case .f16: bits = bits & 0x83FF | (bits >> 40 & 7 + 12) << 10
      default: break
      }
      buffer[index] = UInt8(truncatingIfNeeded: bits >> UInt64(8 * (place % width)))
    }
  }
}

/// Random numbers that depend on nothing but the seed.
private struct SplitMix {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
