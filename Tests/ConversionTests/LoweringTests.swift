import GraphRewriting
import TensorTypes
import Testing

@testable import Conversion
@testable import WeightFormats

/// Lowering, units and the executor against a naive model of the same graph.
@Suite struct LoweringTests {
  static let limits = [1, 2, 7, 31, 32, 100, 1000, 1 << 18]

  /// The bytes of one output, unit by unit.
  private func produced(
    _ pieces: [Piece], _ checkpoint: Checkpoint, limit: Int
  ) throws -> [UInt8] {
    let sizes = WorkBuffers.Sizes([pieces], of: checkpoint, unitElementLimit: limit)
    let buffers = WorkBuffers(sizes)
    var bytes: [UInt8] = []
    for piece in pieces where piece.elementCount > 0 {
      var next = 0
      for number in 0..<piece.unitCount(limit: limit) {
        let unit = piece.unit(number, limit: limit)
        #expect(unit.start == next && unit.elementCount > 0)
        next += unit.elementCount
        let rows = RowQuantizer(
          type: TensorType(shape: [piece.elementCount], encoding: piece.encodings.last!),
          importance: nil, search: .reference, refuses: false, start: unit.start)
        bytes += try piece.produce(unit, from: checkpoint, rows, buffers)
      }
      #expect(next == piece.elementCount)
    }
    return bytes
  }

  @Test(arguments: 0..<80)
  func everyUnitSizeGivesTheBytesOfTheNaiveModel(_ seed: Int) throws {
    let random = try RandomGraph(seed: UInt64(seed))
    let graph = random.graph
    let naive = graph.evaluated(random.sources)
    let checkpoint = try random.checkpoint.opened()
    for output in graph.outputs {
      guard let pieces = try planned(graph, output.node) else { continue }
      for limit in LoweringTests.limits {
        let bytes = try produced(pieces, checkpoint, limit: limit)
        #expect(
          bytes == naive[output.node.index].bytes,
          "seed \(seed), units of \(limit): \(graph.chain(of: output.node))")
      }
    }
  }

  @Test func mostRandomGraphsCanBePlanned() throws {
    var all = 0
    var some = 0
    for seed in 0..<80 {
      let graph = try RandomGraph(seed: UInt64(seed)).graph
      for output in graph.outputs {
        all += 1
        if try planned(graph, output.node) != nil { some += 1 }
      }
    }
    #expect(some * 3 > all, "\(some) of \(all)")
  }

  @Test(arguments: 0..<80)
  func canonicalRulesKeepEveryBit(_ seed: Int) throws {
    let random = try RandomGraph(seed: UInt64(seed), hasTiles: seed % 2 == 1)
    let (rewritten, _) = try random.graph.rewritten(by: Plan.phases)
    let before = random.graph.evaluated(random.sources)
    let after = rewritten.evaluated(random.sources)
    for (a, b) in zip(random.graph.outputs, rewritten.outputs) {
      #expect(a.name == b.name)
      #expect(random.graph[a.node].type == rewritten[b.node].type)
      #expect(
        before[a.node.index].bytes == after[b.node.index].bytes,
        "seed \(seed): \(random.graph.chain(of: a.node)) → \(rewritten.chain(of: b.node))")
    }
  }

  @Test(arguments: 0..<80)
  func theOrderOfRulesDoesNotMatter(_ seed: Int) throws {
    let graph = try RandomGraph(seed: UInt64(seed), hasTiles: seed % 2 == 1).graph
    var random = SplitMix64(seed: UInt64(seed))
    func normalForms(_ rules: [Rule]) throws -> [String] {
      let (result, _) = try graph.rewritten(by: RuleSet(phase: "shuffled", rules: rules))
      return result.outputs.map { result.chain(of: $0.node) }
    }
    let rules = RuleSet.canonicalise.rules
    let expected = try normalForms(rules)
    for _ in 0..<4 {
      let shuffled = rules.shuffled(using: &random)
      #expect(
        try normalForms(shuffled) == expected, "seed \(seed): \(shuffled.map(\.name))")
    }
  }

  @Test(arguments: [3, 14, 15, 92])
  func theFileDoesNotDependOnJobs(_ seed: Int) throws {
    let random = try RandomGraph(seed: UInt64(seed))
    var graph = random.graph
    graph.outputs = try graph.outputs.filter { try planned(graph, $0.node) != nil }
    try #require(!graph.outputs.isEmpty)
    let naive = graph.evaluated(random.sources)
    var expected = [UInt8](repeating: 7, count: 16)
    for output in graph.outputs {
      expected += naive[output.node.index].bytes + [UInt8](repeating: 0, count: 5)
    }
    let checkpoint = try random.checkpoint.opened()
    let scratch = try Scratch()
    for jobs in 1...4 {
      for limit in [1, 33, 1 << 18] {
        let plan = try plan(
          graph, checkpoint, to: scratch.path("out"), jobs: jobs, unitElementLimit: limit)
        try plan.execute(replaces: true, cancellation: Cancellation())
        #expect(
          try scratch.bytes("out") == expected, "seed \(seed), \(jobs) jobs, units of \(limit)")
        #expect(try scratch.names() == ["out"])
      }
    }
  }

  @Test func transposedBlocksAreDecodedWhole() throws {
    // 96 rows of 64: units of few elements would tear blocks apart.
    var random = SplitMix64(seed: 5)
    let type = TensorType(shape: [96, 64], encoding: .q8_0)
    let bytes = (0..<96 * 2).flatMap { _ in
      [0x00, 0x3C] + (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
    var graph = WeightGraph(sources: [type])
    let load = try graph.add(.load(0))
    let flipped = try graph.add(.permute([1, 0]), [graph.add(.cast(.f32), [load])])
    graph.outputs = [
      WeightGraph.Output(name: "f32", node: flipped),
      WeightGraph.Output(name: "f16", node: try graph.add(.cast(.f16), [flipped])),
      WeightGraph.Output(name: "q8_0", node: try graph.add(.cast(.q8_0), [flipped])),
    ]
    let naive = graph.evaluated([bytes])
    var source = MemoryCheckpoint()
    source.tensors = [("x", type, bytes)]
    let checkpoint = try source.opened()
    for output in graph.outputs {
      for limit in LoweringTests.limits {
        let bytes = try produced(graph.pieces(of: output.node), checkpoint, limit: limit)
        #expect(bytes == naive[output.node.index].bytes, "\(output.name), units of \(limit)")
      }
    }
  }

  @Test(arguments: [DType.f4, .f6e2m3])
  func elementsOfLessThanAByteStayInTheirRows(_ dtype: DType) throws {
    var graph = WeightGraph(sources: [
      TensorType(shape: [4, 8], encoding: .plain(dtype)),
      TensorType(shape: [8, 3], encoding: .plain(dtype)),
    ])
    let whole = try graph.add(.load(0))
    let odd = try graph.add(.load(1))
    #expect(throws: Never.self) { try graph.add(.slice(axis: 0, start: 1, count: 2), [whole]) }
    #expect(throws: Failure.self) { try graph.add(.permute([1, 0]), [whole]) }
    #expect(throws: Failure.self) { try graph.add(.slice(axis: 1, start: 1, count: 4), [whole]) }
    #expect(throws: Failure.self) { try graph.add(.slice(axis: 0, start: 1, count: 2), [odd]) }
    #expect(throws: Failure.self) { try graph.add(.concat(axis: 1), [odd, odd]) }
  }

  @Test func blocksNeverSpanPieces() throws {
    var graph = WeightGraph(sources: [TensorType(shape: [3, 16], encoding: .f32)])
    let x = try graph.add(.load(0))
    let y = try graph.add(.cast(.f32), [graph.add(.permute([0, 1]), [x])])
    let joined = try graph.add(.reshape([3, 32]), [graph.add(.concat(axis: 0), [x, y])])
    let quantized = try graph.add(.cast(.q8_0), [joined])
    let failure = #expect(throws: Failure.self) { try graph.pieces(of: quantized) }
    #expect(failure?.kind == .defect)
  }

  /// The pieces of a node; nil when the planner says that it has no way.
  private func planned(_ graph: WeightGraph, _ node: NodeID) throws -> [Piece]? {
    do {
      return try graph.pieces(of: node)
    } catch {
      #expect(error.kind == .defect)
      return nil
    }
  }
}

extension RandomGraph {
  var checkpoint: MemoryCheckpoint {
    var checkpoint = MemoryCheckpoint()
    checkpoint.tensors = zip(graph.sources, sources).enumerated().map {
      ("s\($0.offset)", $0.element.0, $0.element.1)
    }
    return checkpoint
  }
}

extension WeightGraph {
  /// The ops that lead to a node, for messages.
  func chain(of id: NodeID) -> String {
    let node = self[id]
    let inputs = node.inputs.map { chain(of: $0) }.joined(separator: ", ")
    return inputs.isEmpty ? "\(node.op) \(node.type)" : "\(node.op)(\(inputs))"
  }
}
