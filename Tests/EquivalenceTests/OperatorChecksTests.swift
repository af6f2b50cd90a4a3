import Support
import TensorTypes
import Testing

@testable import Equivalence

@Suite struct OperatorChecksTests {
  /// A correct conversion passes, and what is measured is neither nothing nor far below the bound.
  @Test(arguments: ["f16", "bf16", "q8_0", "q5_1"])
  func passesWhatIsRounded(_ scheme: String) throws {
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded("llama-bias"), scheme)
    let report = try verify(seeded("llama-bias"), converted, .init(level: .operators, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
    #expect(report.levels.map(\.level) == [.structure, .values, .operators])
    #expect(report.tensors.count > 20)
    for tensor in report.tensors {
      let metrics = try #require(tensor.operators)
      #expect(metrics.probeCount == 16)
      #expect(
        metrics.rowCount
          == min(
            256,
            tensor.found.shape.rank > 1
              ? tensor.found.shape.axes[0] : tensor.found.shape.axes.last ?? 1))
      let isRounded = tensor.found.encoding != tensor.expected.encoding
      #expect((metrics.error > 0) == isRounded, "\(tensor.name)")
      #expect((metrics.weightError > 0) == isRounded, "\(tensor.name)")
      if isRounded { #expect(metrics.weightBound < 10 * metrics.weightError, "\(tensor.name)") }
    }
  }

  /// What is not finite is compared by value, and does not hide the rows beside it.
  @Test(arguments: [Double.nan, .infinity, -.infinity, 1e200])
  func rowsThatCannotBeMultipliedAreLeftOut(_ value: Double) throws {
    let scratch = try Scratch()
    func save(_ values: [Double], _ name: String) throws -> String {
      let path = "\(scratch.path)/\(name).safetensors"
      let header = "{" + entry("w", "F64", [4, 8], 0..<256) + "}"
      let bytes = values.flatMap { withUnsafeBytes(of: $0) { Array($0) } }
      try EquivalenceTests.save(safetensors(header) + bytes, to: path)
      return path
    }
    var values = (0..<32).map { Double($0) / 16 - 1 }
    values[9] = value
    let source = try save(values, "source")
    let request = VerificationRequest(level: .operators, jobs: 1)
    let same = try verify(source, try save(values, "same"), request)
    #expect(same.verdict == .pass, same.summary)
    let metrics = try #require(same.tensors.first?.operators)
    #expect(metrics.rowCount == 3 && metrics.skippedRowCount == 1)
    #expect(same.notChecked.contains { $0.hasPrefix("products with 1 rows") })
    values[30] += 1
    let other = try verify(source, try save(values, "other"), request)
    #expect(other.failures.contains { $0.check == .operatorError }, other.summary)
  }

  @Test func withoutNumbersToMultiplyTheLevelDoesNotRun() throws {
    let scratch = try Scratch()
    let path = scratch.path + "/m.safetensors"
    try EquivalenceTests.save(
      safetensors("{" + entry("w", "I64", [2], 0..<16) + "}", data: 16), to: path)
    let report = try verify(path, path)
    #expect(report.verdict == .pass, report.summary)
    #expect(report.levels.map(\.level) == [.structure, .values])
    let asked = try verify(path, path, .init(level: .operators, jobs: 1))
    #expect(asked.verdict == .inconclusive)
  }

  /// Errors that a look at each element alone may find small.
  private struct Fault: Sendable {
    let name: String
    let scheme: String
    let inject: @Sendable (inout EditedCheckpoint) -> Void
  }

  private static let tensor = "blk.0.ffn_up.weight"

  private static let faults = [
    Fault(name: "all values are a little too large", scheme: "f32") { file in
      file[floats: tensor] = file[floats: tensor].map { $0 * 1.0001 }
    },
    Fault(name: "a row is that of another layer", scheme: "f32") { file in
      let other = file["blk.1.ffn_up.weight"]
      file[tensor].replaceSubrange(128..<256, with: other[128..<256])
    },
    Fault(name: "every code is one too large", scheme: "q8_0") { file in
      for place in file[tensor].indices where place % 34 >= 2 && file[tensor][place] != 127 {
        file[tensor][place] &+= 1
      }
    },
    Fault(name: "every scale is a twentieth or more too large", scheme: "q8_0") { file in
      for place in stride(from: 0, to: file[tensor].count, by: 34) {
        let scale = UInt16(file[tensor][place]) | UInt16(file[tensor][place + 1]) << 8
        file[tensor][place] = UInt8(truncatingIfNeeded: scale + 100)
        file[tensor][place + 1] = UInt8((scale + 100) >> 8)
      }
    },
    Fault(name: "values are rounded down", scheme: "bf16") { file in
      // Rounding down leaves half of the values as they are and moves the others by a unit.
      for place in stride(from: 0, to: file[tensor].count, by: 4) {
        let bits = UInt16(file[tensor][place]) | UInt16(file[tensor][place + 1]) << 8
        let lower = bits & 0x8000 == 0 ? bits &- 1 : bits &+ 1
        file[tensor][place] = UInt8(truncatingIfNeeded: lower)
        file[tensor][place + 1] = UInt8(lower >> 8)
      }
    },
  ]

  @Test(arguments: faults.indices)
  func findsErrorsThatAddUp(_ number: Int) throws {
    let fault = OperatorChecksTests.faults[number]
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded("llama-bias"), fault.scheme)
    var file = try EditedCheckpoint(converted)
    fault.inject(&file)
    try file.write(converted)
    let report = try verify(seeded("llama-bias"), converted, .init(level: .operators, jobs: 2))
    let found = report.failures.filter { $0.check == .operatorError }
    #expect(found.count == 1, "\(fault.name)")
    #expect(found.first?.subject == .tensor(ByteString(OperatorChecksTests.tensor)))
    #expect(found.first?.place?.hasPrefix("row ") == true)
    #expect(found.first?.derivation != nil)
    #expect(report.verdict == .fail)
  }

  @Test func samplesRowsOfLargeTensors() throws {
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded("llama3"), "q8_0")
    let report = try verify(seeded("llama3"), converted, .init(level: .operators, jobs: 2))
    let embedding = try #require(report.tensors.first { $0.name == "token_embd.weight" })
    #expect(embedding.operators?.rowCount == 256)
    #expect(report.notChecked.contains { $0.contains("more than 256 rows") })
  }

  @Test func doesNotDependOnThreads() throws {
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded("qwen3moe"), "q8_0")
    let reports = try [1, 5].map {
      try verify(seeded("qwen3moe"), converted, .init(level: .operators, jobs: $0))
    }
    #expect(reports[0].tensors.map(\.operators) == reports[1].tensors.map(\.operators))
  }
}
