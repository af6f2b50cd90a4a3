import GraphRewriting
import TensorTypes
import Testing

@Suite struct WeightGraphTests {
  private let type = TensorType(shape: [4, 6], encoding: .f32)

  @Test func equalNodesAreOneNode() throws {
    var graph = WeightGraph(sources: [type, type])
    let a = try graph.add(.load(0))
    let b = try graph.add(.load(1))
    #expect(try graph.add(.load(0)) == a && a != b)
    let pair = try graph.add(.stack, [a, b])
    #expect(try graph.add(.stack, [a, b]) == pair)
    #expect(try graph.add(.stack, [b, a]) != pair)
    #expect(graph.nodes.count == 4)
  }

  @Test func loadsAreFoundOnceAndInOrder() throws {
    var graph = WeightGraph(sources: [type, type, type])
    let nodes = try [2, 0, 1].map { try graph.add(.load($0)) }
    let pair = try graph.add(.stack, [nodes[0], nodes[1]])
    let again = try graph.add(.stack, [pair, pair])
    #expect(graph.loads(of: again) == [0, 2])
    let literal = try graph.add(.literal(Literal(name: "x", values: [1])))
    #expect(graph.loads(of: literal) == [])
  }

  /// Shared nodes are not walked once for each path.
  @Test func deepSharingTakesNoTime() throws {
    var graph = WeightGraph(sources: [TensorType(shape: [1], encoding: .f32)])
    var node = try graph.add(.load(0))
    for _ in 0..<40 {
      let one = try graph.add(
        .reshape([1]), [graph.add(.slice(axis: 0, start: 0, count: 1), [node])])
      node = try graph.add(
        .slice(axis: 0, start: 0, count: 1), [graph.add(.concat(axis: 0), [one, one])])
    }
    #expect(graph.loads(of: node) == [0])
    graph.outputs = [.init(name: "y", node: node)]
    let (result, firings) = try graph.rewritten(by: [.canonicalise])
    #expect(result.loads(of: result.outputs[0].node) == [0])
    #expect(firings.count < 1000)
  }

  @Test func matchesBindTheirNodes() throws {
    var graph = WeightGraph(sources: [type])
    let load = try graph.add(.load(0))
    let cast = try graph.add(.cast(.f16), [load])
    let stack = try graph.add(.stack, [cast, cast])
    let match = try #require(
      Match(.op(.stack, [.op(.cast, [.bind("x")], as: "c"), .bind("y")]), at: stack, in: graph))
    #expect(match.root == stack && match["x"] == load && match["c"] == cast && match["y"] == cast)
    #expect(match.op("c") == .cast(.f16) && match.type("x") == type)
    #expect(Match(.op(.stack, [.bind("x")]), at: stack, in: graph) == nil)
    #expect(Match(.op(.cast, [.op(.cast, [.bind("x")])]), at: cast, in: graph) == nil)
    #expect(Match(.each(.stack, .op(.cast, [.bind("x")])), at: stack, in: graph) != nil)
    #expect(Match(.each(.stack, .op(.load, [])), at: stack, in: graph) == nil)
    #expect(Match(.each(.load, .bind("x")), at: load, in: graph) == nil)
  }

  /// Experts that are taken apart and stacked again are the tensor they came from.
  @Test func stackedExpertsComeBack() throws {
    let experts = TensorType(shape: [3, 4, 6], encoding: .bf16)
    var graph = WeightGraph(sources: [experts])
    let load = try graph.add(.load(0))
    let parts = try (0..<3).map { expert in
      try graph.add(
        .cast(.f16),
        [
          graph.add(
            .reshape([4, 6]), [graph.add(.slice(axis: 0, start: expert, count: 1), [load])])
        ])
    }
    let swapped = [parts[1], parts[0], parts[2]]
    graph.outputs = [
      .init(name: "same", node: try graph.add(.stack, parts)),
      .init(name: "swapped", node: try graph.add(.stack, swapped)),
      .init(name: "some", node: try graph.add(.stack, Array(parts.dropLast()))),
    ]
    let (result, _) = try graph.rewritten(by: .canonicalise)
    let ops = result.outputs.map { result[result[$0.node].inputs[0]].op }
    #expect(result.outputs.allSatisfy { result[$0.node].op == .cast(.f16) })
    #expect(ops == [.load(0), .stack, .stack])
  }

  @Test func outputsKeepNamesOrderAndTypes() throws {
    var graph = WeightGraph(sources: [type])
    let load = try graph.add(.load(0))
    graph.outputs = [
      .init(name: "b", node: try graph.add(.reshape([4, 6]), [load])), .init(name: "a", node: load),
      .init(name: "c", node: try graph.add(.cast(.f32), [load])),
    ]
    let (result, firings) = try graph.rewritten(by: [.canonicalise])
    #expect(result.outputs.map(\.name) == ["b", "a", "c"])
    #expect(Set(result.outputs.map(\.node)).count == 1)
    #expect(Set(firings.map(\.rule)) == ["reshape-to-same", "cast-to-same"])
    #expect(firings.allSatisfy { $0.phase == "canonicalise" })
    // What is canonical stays.
    #expect(try result.rewritten(by: .canonicalise).firings == [])
  }
}
