import GraphRewriting
import TensorTypes
import Testing

@testable import ReferenceKernels

/// Source tensors in memory.
struct MemoryTensors: TensorSource {
  let tensors: [[UInt8]]

  func read(
    tensor number: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    buffer.copyBytes(from: tensors[number][offset..<offset + buffer.count])
  }
}

@Suite struct EvaluationTests {
  /// A source of shape [4, 6] in F32 with the values 0 to 23, and another from 100 on.
  private func graph() -> (WeightGraph, [NodeID], MemoryTensors) {
    let type = TensorType(shape: [4, 6], encoding: .f32)
    var graph = WeightGraph(sources: [type, type])
    let loads = [try! graph.add(.load(0)), try! graph.add(.load(1))]  // the shapes fit
    let tensors = [0, 100].map { first in
      (first..<first + 24).flatMap { value in
        withUnsafeBytes(of: Float(value).bitPattern.littleEndian) { Array($0) }
      }
    }
    return (graph, loads, MemoryTensors(tensors: tensors))
  }

  /// The values of every range of elements, each evaluated on its own, must be part of the whole.
  private func check(
    _ expected: [Double], _ build: (inout WeightGraph, [NodeID]) throws -> NodeID
  ) throws {
    var (graph, loads, source) = graph()
    let node = try build(&graph, loads)
    let evaluation = Evaluation(graph, source: source)
    let unit = Cell(graph[node].type.encoding).elementCount
    for start in stride(from: 0, through: expected.count, by: unit) {
      for end in stride(from: start, through: expected.count, by: unit) {
        #expect(
          try evaluation.values(node, elements: start..<end) == Array(expected[start..<end]))
      }
    }
  }

  @Test func loadsAndReshapes() throws {
    let all = (0..<24).map(Double.init)
    try check(all) { _, x in x[0] }
    try check(all) { g, x in try g.add(.reshape([2, 3, 4]), [x[0]]) }
  }

  @Test func permutes() throws {
    try check((0..<24).map { Double($0 % 4 * 6 + $0 / 4) }) { g, x in
      try g.add(.permute([1, 0]), [x[0]])
    }
    // Of [2, 2, 6], the first two axes change places.
    try check([0, 2, 1, 3].flatMap { row in (0..<6).map { Double(row * 6 + $0) } }) { g, x in
      let split = try g.add(.reshape([2, 2, 6]), [x[0]])
      return try g.add(.reshape([4, 6]), [g.add(.permute([1, 0, 2]), [split])])
    }
  }

  @Test func slices() throws {
    try check((6..<18).map(Double.init)) { g, x in
      try g.add(.slice(axis: 0, start: 1, count: 2), [x[0]])
    }
    try check([2, 3, 8, 9, 14, 15, 20, 21]) { g, x in
      try g.add(.slice(axis: 1, start: 2, count: 2), [x[0]])
    }
  }

  @Test func joins() throws {
    let a = (0..<24).map { Double($0) }
    let b = (100..<124).map { Double($0) }
    try check(a + b) { g, x in try g.add(.stack, x) }
    try check(a + b) { g, x in try g.add(.concat(axis: 0), x) }
    var rows: [Double] = []
    for start in stride(from: 0, to: 24, by: 6) {
      rows += a[start..<start + 6]
      rows += b[start..<start + 6]
    }
    try check(rows) { g, x in try g.add(.concat(axis: 1), x) }
  }

  @Test func casts() throws {
    try check((0..<24).map { $0 < 2 ? Double($0) : Double($0 * 1001).nearestBF16 }) { g, x in
      _ = x
      let literal = Literal(name: "l", values: (0..<24).map { Float($0 < 2 ? $0 : $0 * 1001) })
      return try g.add(.cast(.bf16), [g.add(.literal(literal))])
    }
  }

  @Test func blocksMoveWholeAndDecodeForOtherMoves() throws {
    let type = TensorType(shape: [2, 64], encoding: .q8_0)
    var graph = WeightGraph(sources: [type])
    let load = try graph.add(.load(0))
    // Block k has the scale 2^-k and codes 0 to 31.
    var bytes: [UInt8] = []
    var values: [Double] = []
    for block in UInt8(0)..<4 {
      bytes += [0, 0x3C - 4 * block] + Array(UInt8(0)..<32)
      values += (0..<32).map { Double($0) / Double(1 << block) }
    }
    let evaluation = { Evaluation($0, source: MemoryTensors(tensors: [bytes])) }
    let slice = try graph.add(.slice(axis: 1, start: 32, count: 32), [load])
    #expect(
      try evaluation(graph).values(slice, elements: 0..<64)
        == Array(values[32..<64] + values[96..<128]))
    let transposed = try graph.add(.permute([1, 0]), [graph.add(.cast(.f32), [load])])
    let all = (0..<128).map { values[$0 % 2 * 64 + $0 / 2] }
    for start in 0..<128 {
      #expect(
        try evaluation(graph).values(transposed, elements: start..<128) == Array(all[start...]))
    }
  }

  @Test func packedElementsAreTakenApart() throws {
    let type = TensorType(shape: [2, 6], encoding: .plain(.f4))
    var graph = WeightGraph(sources: [type])
    let node = try graph.add(.slice(axis: 0, start: 1, count: 1), [graph.add(.load(0))])
    let evaluation = Evaluation(
      graph, source: MemoryTensors(tensors: [[0, 0, 0, 0x21, 0x43, 0x65]]))
    #expect(try evaluation.values(node, elements: 0..<6) == [0.5, 1, 1.5, 2, 3, 4])
    #expect(try evaluation.values(node, elements: 1..<4) == [1, 1.5, 2])
  }
}

extension Double {
  fileprivate var nearestBF16: Double {
    let bits = Float(self).bitPattern
    return Double(Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000))
  }
}
