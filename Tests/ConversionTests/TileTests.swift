import Accelerators
import Foundation
import GraphRewriting
import ReferenceKernels
import TensorTypes
import Testing

@testable import Conversion

/// FRACTAL_NZ by the definition of its ops, and as the executor writes it.
@Suite struct TileTests {
  /// Rows and columns of the transposed matrix, an element, and its number among the tiles.
  static let worked: [(dtype: DType, row: Int, column: Int, number: Int)] = [
    (.i8, 34, 69, 4165), (.bf16, 17, 33, 1809), (.i8, 0, 0, 0), (.bf16, 34, 69, 3621),
  ]

  @Test(arguments: worked.indices)
  func elementsLieWhereThePageSays(_ number: Int) throws {
    let (dtype, row, column, expected) = TileTests.worked[number]
    let type = TensorType(shape: [70, 35], encoding: .plain(dtype))
    let size = type.encoding.unitByteCount
    var bytes = [UInt8](repeating: 0, count: 70 * 35 * size)
    bytes[(column * 35 + row) * size] = 7
    var graph = WeightGraph(sources: [type])
    let node = try FractalNZ.add(try graph.add(.load(0)), to: &graph)
    graph.outputs = [WeightGraph.Output(name: "x", node: node)]
    #expect(
      graph[node].type.shape == (dtype == .i8 ? [3, 3, 16, 32] : [5, 3, 16, 16]))
    let naive = graph.evaluated([bytes])[node.index].bytes
    #expect(naive.enumerated().filter { $0.element != 0 }.map(\.offset) == [expected * size])
    let isSame = try written(graph, [bytes]) == [naive]
    #expect(isSame)
    let evaluation = Evaluation(graph, source: Bytes(tensors: [bytes]))
    let count = try #require(graph[node].type.shape.elementCount)
    let values = try evaluation.values(node, elements: 0..<count)
    #expect(values.indices.filter { values[$0] != 0 } == [expected])
    let page = try String(
      contentsOfFile: fixture("../docs/targets/fractal-nz.md"), encoding: .utf8)
    if number < 2 { #expect(page.contains("| (\(row), \(column)) | \(expected) |")) }
  }

  /// The matrices of tests: shapes at and beside the edges of tiles.
  static let shapes: [Shape] = [
    [64, 32], [70, 35], [1, 1], [31, 17], [33, 16], [96, 100], [2, 300], [256, 5],
  ]

  @Test(arguments: shapes)
  func tilesAreThoseOfTheDefinition(_ shape: Shape) throws {
    for encoding: Encoding in [.plain(.i8), .bf16, .f16] {
      let type = TensorType(shape: shape, encoding: encoding)
      var graph = WeightGraph(sources: [type])
      let load = try graph.add(.load(0))
      let tiles = try FractalNZ.add(load, to: &graph)
      graph.outputs = [
        WeightGraph.Output(name: "x", node: load), WeightGraph.Output(name: "x", node: tiles),
      ]
      try check(graph, [bytes(type, seed: 3)], "\(encoding)\(shape)")
    }
  }

  /// From FP8 with scales to BF16; to int8 and int4 codes, whose tiles come with codes and scales
  /// from one pass.
  @Test(arguments: shapes)
  func tilesOfWhatIsComputedAreThoseOfTheDefinition(_ shape: Shape) throws {
    let codes = TensorType(shape: shape, encoding: .plain(.f8e4m3))
    let grid = ScaleGrid.blocks(16, 16)
    let counts = try #require(grid.counts(of: shape))
    let scales = TensorType(shape: [counts.down, counts.across], encoding: .f32)
    for scheme in [nil, QuantScheme.int8Channel, .int4Channel] {
      if scheme == .int4Channel, shape.axes[0] % 2 != 0 { continue }
      var graph = WeightGraph(sources: [codes, scales])
      let matrix = try graph.add(
        .dequantize(grid), [graph.add(.load(0)), graph.add(.load(1))])
      var nodes = [try graph.add(.cast(.bf16), [matrix])]
      if let scheme {
        nodes = [
          try graph.add(.quantize(scheme, .codes), [matrix]),
          try graph.add(.quantize(scheme, .scales), [matrix]),
        ]
      }
      nodes.append(try FractalNZ.add(nodes[0], to: &graph))
      graph.outputs = nodes.map { WeightGraph.Output(name: "x", node: $0) }
      // Finite codes, and scales around 1.
      let own = bytes(codes, seed: 5).map { $0 & 0x7F == 0x7F ? 1 : $0 }
      let floats = (0..<counts.down * counts.across).map { 1 + Float($0 % 7) / 8 }
      try check(
        graph, [own, floats.withUnsafeBytes { Array($0) }], "\(scheme?.name ?? "BF16")\(shape)")
    }
  }

  @Test func whatCannotBePlannedIsADefect() throws {
    var graph = WeightGraph(sources: [TensorType(shape: [32, 16], encoding: .plain(.i8))])
    let load = try graph.add(.load(0))
    let tiles = try graph.add(.tile(rows: 16, columns: 16), [load])
    let padded = try graph.add(.pad([33, 16]), [load])
    for node in [tiles, padded] {
      let failure = #expect(throws: Failure.self) { try graph.pieces(of: node) }
      #expect(failure?.kind == .defect)
    }
    #expect(throws: Failure.self) { try graph.add(.tile(rows: 16, columns: 3), [load]) }
    #expect(throws: Failure.self) { try graph.add(.pad([31, 16]), [load]) }
  }

  /// The outputs as the executor writes them are the same however the work is cut, and the last is
  /// the first in tiles, moved one by one.
  private func check(_ graph: WeightGraph, _ sources: [[UInt8]], _ name: String) throws {
    let type = graph[graph.outputs[0].node].type
    let columns = try #require(FractalNZ.columns(type.encoding))
    let height = (type.shape.axes[1] + 15) / 16 * 16
    let width = (type.shape.axes[0] + columns - 1) / columns * columns
    let expected = try written(graph, sources)
    let tiles = NaiveTensor(expected[0], type).permuted([1, 0]).padded([height, width])
      .tiled(16, columns)
    #expect(tiles.shape == graph[graph.outputs.last!.node].type.shape)
    let isTiled = expected.last == tiles.bytes
    #expect(isTiled, "\(name)")
    for limit in [1, 33, 1000, 1 << 18] {
      for jobs in [1, 3] {
        let isSame = try written(graph, sources, limit: limit, jobs: jobs) == expected
        #expect(isSame, "\(name), units of \(limit), \(jobs) jobs")
      }
    }
  }

  /// What the executor writes for each output after all rules.
  private func written(
    _ graph: WeightGraph, _ sources: [[UInt8]], limit: Int = 1 << 18, jobs: Int = 1
  ) throws -> [[UInt8]] {
    var checkpoint = MemoryCheckpoint()
    checkpoint.tensors = zip(graph.sources, sources).enumerated().map {
      ("s\($0.offset)", $0.element.0, $0.element.1)
    }
    let (rewritten, _) = try graph.rewritten(by: Plan.phases)
    let scratch = try Scratch()
    let plan = try plan(
      rewritten, checkpoint.opened(), to: scratch.path("out"), jobs: jobs, unitElementLimit: limit)
    try plan.execute(replaces: false, cancellation: Cancellation())
    let bytes = try scratch.bytes("out")
    return plan.tensors.map { Array(bytes[$0.offset..<$0.offset + $0.byteCount]) }
  }

  private func bytes(_ type: TensorType, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    return (0..<type.byteCount!).map { _ in UInt8.random(in: 0...255, using: &random) }
  }
}

/// Source tensors in memory.
private struct Bytes: TensorSource {
  let tensors: [[UInt8]]

  func read(
    tensor number: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    buffer.copyBytes(from: tensors[number][offset..<offset + buffer.count])
  }
}
