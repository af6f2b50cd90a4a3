import Support
import TensorTypes
import Testing

@testable import WeightFormats

@Suite struct ImportanceMatrixTests {
  /// The older form with one entry of these values.
  private func binary(
    _ values: [Float], calls: Int32 = 2, count: Int32? = nil, entries: Int32 = 1,
    tail: [UInt8] = []
  ) -> [UInt8] {
    GGUFBytes().integer(entries).integer(Int32(1)).raw("w").integer(calls)
      .integer(count ?? Int32(values.count)).floats(values).raw(tail).bytes
  }

  /// The GGUF form with one entry of two matrices.
  private func gguf(
    sums: [Float] = [2, 4, 9, 9], counts: [Float] = [2, 0], sumAxes: [UInt64] = [2, 2],
    countName: String = "w.counts"
  ) -> [UInt8] {
    let start = GGUFBytes().header(tensors: 2, items: 3)
      .key("imatrix.datasets", type: 9).integer(UInt32(8)).count(1).string("text.txt")
      .key("imatrix.chunk_count", type: 4).integer(UInt32(7))
      .key("imatrix.chunk_size", type: 4).integer(UInt32(512))
      .tensor("w.in_sum2", sumAxes)
      .tensor(countName, [1, UInt64(counts.count)], offset: 32)
    return start.padded().floats(sums).padded().floats(counts).bytes
  }

  private func read(_ bytes: [UInt8]) throws -> ImportanceMatrix {
    let folder = TemporaryFolder()
    // Opened files stay readable when the folder is gone.
    return try ImportanceMatrix(path: try folder.write("m.imatrix", bytes))
  }

  @Test func bothFormsGiveSumsOverCounts() throws {
    let old = try read(binary([2, 4, 6], tail: [7, 0, 0, 0, 1, 0, 0, 0, 0x74]))
    #expect(old.chunkCount == 7)
    #expect(old.datasets == ["t"])
    #expect(try old.entries["w"]?.weights(0, of: 1) == [1, 2, 3])
    let new = try read(gguf())
    #expect(new.chunkCount == 7)
    #expect(new.datasets == ["text.txt"])
    #expect(try new.entries["w"]?.weights(0, of: 2) == [1, 2])
    // The second matrix saw no input.
    #expect(try new.entries["w"]?.weights(1, of: 2) == [1, 1])
  }

  @Test(arguments: [
    [Float.nan, 1], [1, -1], [Float.infinity, 1], [-Float.infinity, 0],
  ])
  func unusableValuesAreRefused(_ values: [Float]) {
    let failure = #expect(throws: Failure.self) { try read(binary(values)) }
    #expect(failure?.kind == .badInput)
    #expect(failure?.subject == .tensor("w"))
    #expect(failure?.message == "the importance is not usable")
    let index = values.firstIndex { !($0 >= 0 && $0.isFinite) }!
    #expect(failure?.offset == 17 + 4 * index)
  }

  @Test func truncatedAtEveryLengthIsAnError() {
    let old = binary([1, 2, 3])
    for length in 0..<old.count {
      #expect(throws: Failure.self, "\(length)") { try read(Array(old.prefix(length))) }
    }
    let new = gguf()
    for length in 0..<new.count {
      #expect(throws: Failure.self, "\(length)") { try read(Array(new.prefix(length))) }
    }
  }

  @Test func hostileCountsAreRefused() {
    for bytes in [
      binary([1], count: .max), binary([1], count: -1), binary([1], count: 0),
      binary([1], entries: .max), binary([1], entries: 0), binary([1], entries: -5),
    ] {
      #expect(throws: Failure.self) { try read(bytes) }
    }
  }

  @Test func sumsAndCountsMustFit() {
    let missing = #expect(throws: Failure.self) { try read(gguf(countName: "v.counts")) }
    #expect(missing?.message == "sums and counts do not fit each other")
    let uneven = #expect(throws: Failure.self) {
      try read(gguf(sums: [1, 2, 3], sumAxes: [3]))
    }
    #expect(uneven?.subject == .tensor("w"))
  }
}

extension GGUFBytes {
  fileprivate func floats(_ values: [Float]) -> GGUFBytes {
    values.reduce(self) { $0.integer($1.bitPattern) }
  }
}
