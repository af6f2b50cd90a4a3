import TensorTypes
import Testing

@testable import GraphRewriting

/// What each op makes of the types of its inputs, and what it refuses.
@Suite struct OpTypeTests {
  static let sources = [
    TensorType(shape: [4, 6], encoding: .f32), TensorType(shape: [6, 4], encoding: .f32),
    TensorType(shape: [4, 6], encoding: .f16), TensorType(shape: [2, 3, 64], encoding: .q8_0),
    TensorType(shape: [], encoding: .f32), TensorType(shape: [0, 6], encoding: .f32),
  ]

  private func type(_ op: Op, _ inputs: Int...) throws -> TensorType {
    try op.resultType(of: inputs.map { OpTypeTests.sources[$0] }, sources: OpTypeTests.sources)
  }

  @Test func resultsFollowFromInputs() throws {
    #expect(try type(.load(2)) == OpTypeTests.sources[2])
    #expect(
      try type(.literal(Literal(name: "x", values: [1, 2])))
        == TensorType(shape: [2], encoding: .f32))
    #expect(try type(.cast(.bf16), 0) == TensorType(shape: [4, 6], encoding: .bf16))
    #expect(try type(.cast(.f32), 3) == TensorType(shape: [2, 3, 64], encoding: .f32))
    #expect(try type(.permute([1, 0]), 0) == TensorType(shape: [6, 4], encoding: .f32))
    #expect(try type(.permute([1, 0, 2]), 3) == TensorType(shape: [3, 2, 64], encoding: .q8_0))
    #expect(try type(.permute([]), 4) == OpTypeTests.sources[4])
    #expect(try type(.reshape([24]), 0) == TensorType(shape: [24], encoding: .f32))
    #expect(try type(.reshape([6, 64]), 3) == TensorType(shape: [6, 64], encoding: .q8_0))
    #expect(try type(.reshape([1]), 4) == TensorType(shape: [1], encoding: .f32))
    #expect(
      try type(.slice(axis: 1, start: 2, count: 3), 0) == TensorType(shape: [4, 3], encoding: .f32))
    #expect(
      try type(.slice(axis: 0, start: 4, count: 0), 0) == TensorType(shape: [0, 6], encoding: .f32))
    #expect(
      try type(.slice(axis: 2, start: 32, count: 32), 3)
        == TensorType(shape: [2, 3, 32], encoding: .q8_0))
    #expect(try type(.concat(axis: 0), 0, 5, 0) == TensorType(shape: [8, 6], encoding: .f32))
    #expect(try type(.concat(axis: 1), 0, 0) == TensorType(shape: [4, 12], encoding: .f32))
    #expect(try type(.stack, 0, 0, 0) == TensorType(shape: [3, 4, 6], encoding: .f32))
    #expect(try type(.stack, 4) == TensorType(shape: [1], encoding: .f32))
  }

  static let refused: [(Op, [Int])] = [
    (.load(6), []), (.load(-1), []), (.load(0), [0]), (.cast(.f16), []), (.cast(.f16), [0, 0]),
    (.cast(.q8_0), [0]), (.permute([0]), [0]), (.permute([0, 0]), [0]), (.permute([0, 2]), [0]),
    (.permute([2, 1, 0]), [3]), (.reshape([25]), [0]), (.reshape([12, 32]), [3]),
    (.reshape([Int.max, Int.max]), [0]), (.slice(axis: 2, start: 0, count: 1), [0]),
    (.slice(axis: 0, start: -1, count: 1), [0]), (.slice(axis: 0, start: 1, count: -1), [0]),
    (.slice(axis: 0, start: 1, count: 4), [0]), (.slice(axis: 0, start: Int.max, count: 2), [0]),
    (.slice(axis: 2, start: 16, count: 32), [3]), (.slice(axis: 2, start: 0, count: 16), [3]),
    (.concat(axis: 0), []), (.concat(axis: 2), [0, 0]), (.concat(axis: 0), [0, 1]),
    (.concat(axis: 0), [0, 2]), (.concat(axis: 0), [4, 4]), (.stack, []), (.stack, [0, 1]),
    (.stack, [0, 2]),
  ]

  @Test(arguments: refused.indices)
  func whatDoesNotFitIsRefused(_ index: Int) {
    let (op, inputs) = OpTypeTests.refused[index]
    let failure = #expect(throws: Failure.self, "\(op) of \(inputs)") {
      try op.resultType(
        of: inputs.map { OpTypeTests.sources[$0] }, sources: OpTypeTests.sources)
    }
    #expect(failure?.kind == .badInput)
    #expect(failure?.message.contains("'\(op.kind.rawValue)'") == true)
    #expect(failure?.expected != nil && failure?.found != nil)
  }
}
