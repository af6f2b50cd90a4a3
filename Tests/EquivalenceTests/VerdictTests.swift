import ByteIO
import Foundation
import Synchronization
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// What is a pass, what is none, and what a report owns up to.
@Suite struct VerdictTests {
  @Test func nothingIsNoPass() {
    #expect(Verdict.all([]) == .inconclusive)
    #expect(Verdict.all([.pass, .pass]) == .pass)
    #expect(Verdict.all([.pass, .inconclusive]) == .inconclusive)
    #expect(Verdict.all([.inconclusive, .fail]) == .fail)
  }

  private func bytes(_ values: [Float]) -> [UInt8] {
    values.flatMap { withUnsafeBytes(of: $0) { Array($0) } }
  }

  private func compare(
    _ source: (DType, [UInt8]), _ converted: (DType, [UInt8])
  ) throws -> VerificationReport {
    let scratch = try Scratch()
    let paths = ["a", "b"].map { "\(scratch.path)/\($0).safetensors" }
    try saveTensors([("w", source.0, source.1)], to: paths[0])
    try saveTensors([("w", converted.0, converted.1)], to: paths[1])
    return try verify(paths[0], paths[1], .init(level: .values, jobs: 1))
  }

  @Test func anEmptyTensorIsInconclusive() throws {
    let report = try compare((.f32, []), (.f32, []))
    #expect(report.verdict == .inconclusive)
    #expect(report.tensors[0].metrics == nil)
  }

  @Test func notANumberEqualsOnlyItself() throws {
    let source: [Float] = [.nan, 1, .infinity, -.infinity]
    let half: [UInt8] = [0x00, 0x7E, 0x00, 0x3C, 0x00, 0x7C, 0x00, 0xFC]
    let same = try compare((.f32, bytes(source)), (.f16, half))
    #expect(same.verdict == .pass, same.summary)
    let metrics = try #require(same.tensors[0].metrics)
    #expect(metrics.source == .init(nan: 1, infinite: 2, zero: 0))
    #expect(metrics.converted == metrics.source)
    #expect(metrics.equalCount == 4)
    for (position, code) in [(0, UInt8(0x3C)), (2, 0x7E), (4, 0x7E), (4, 0xFC)] {
      var other = half
      other[position + 1] = code
      let report = try compare((.f32, bytes(source)), (.f16, other))
      let failed = Set(report.failures.map(\.check))
      #expect(failed == [.correctlyRounded, .finite], "\(position): \(report.summary)")
    }
  }

  @Test func zerosKeepTheirSigns() throws {
    let report = try compare((.f32, bytes([0, -0.0])), (.bf16, [0, 0, 0, 0]))
    #expect(report.failures.map(\.check) == [.correctlyRounded])
    #expect(report.tensors[0].metrics?.ulpHistogram == [1, 1, 0, 0, 0, 0])
  }

  @Test func distancesAreCountedInUnitsOfTheLastPlace() throws {
    // 1 and its neighbours in BF16 have the codes from 0x3F80 on.
    let codes: [UInt16] = [0x3F80, 0x3F81, 0x3F7E, 0x3F84, 0x3F90, 0x4000]
    let report = try compare(
      (.f32, bytes([Float](repeating: 1, count: 6))),
      (.bf16, codes.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }))
    #expect(report.tensors[0].metrics?.ulpHistogram == [1, 1, 1, 1, 1, 1])
    #expect(report.failures.map(\.measured) == ["128"])
  }

  @Test func samplesAreReportedAsSuch() throws {
    let scratch = try Scratch()
    let path = try scratch.convert(seeded("qwen2"), "q8_0")
    let request = { VerificationRequest(level: .values, sample: .rows(3), seed: $0, jobs: 2) }
    let first = try verify(seeded("qwen2"), path, request(1))
    #expect(first.verdict == .pass)
    let embedding = try #require(first.tensors.first { $0.name == "token_embd.weight" }?.metrics)
    #expect(embedding.comparedCount == 3 * 32)
    #expect(embedding.elementCount == 384 * 32)
    #expect(first.notChecked.contains { $0.contains("sampled with seed 1") })
    #expect(
      try verify(seeded("qwen2"), path, request(1)).tensors.map(\.metrics)
        == first.tensors.map(\.metrics))
    #expect(
      try verify(seeded("qwen2"), path, request(2)).tensors.map(\.metrics)
        != first.tensors.map(\.metrics))
  }

  @Test func sampledRowsAreDifferentAndFair() {
    var counts = [Int](repeating: 0, count: 10)
    for seed in UInt64(0)..<1000 {
      var random = RandomNumbers(seed: seed, name: "w")
      let rows = random.distinct(3, below: 10)
      #expect(Set(rows).count == 3 && rows == rows.sorted())
      for row in rows { counts[row] += 1 }
    }
    // 300 expected, with a standard deviation of 14.5.
    #expect(counts.allSatisfy { (240...360).contains($0) }, "\(counts)")
  }

  @Test(arguments: [
    (0.0, "0.0"), (12_345, "12300"), (-0.012345, "-0.0123"), (9.999e-7, "1e-06"),
    (.leastNonzeroMagnitude, "5e-324"), (1e-307, "1e-307"), (1.5e308, "1.5e+308"),
    (-.infinity, "-inf"), (-.nan, "nan"),
  ])
  func numbersHaveThreeDigits(_ value: Double, _ text: String) {
    #expect(rounded(value) == text)
  }

  @Test func stopsWhenAsked() throws {
    let scratch = try Scratch()
    let path = try scratch.convert(seeded("qwen2"), "bf16")
    let failure = #expect(throws: Failure.self) {
      try Verification.run(
        source: Checkpoint.open(seeded("qwen2")), converted: Checkpoint.open(path),
        .init(jobs: 2), isCancelled: { true })
    }
    #expect(failure?.kind == .interrupted)
  }

  @Test func progressAddsUp() throws {
    let scratch = try Scratch()
    let path = try scratch.convert(seeded("qwen2"), "q8_0")
    let all = Mutex<[VerificationProgress]>([])
    let checkpoint = try Checkpoint.open(path)
    _ = try Verification.run(
      source: Checkpoint.open(seeded("qwen2")), converted: checkpoint, .init(jobs: 2),
      progress: { progress in all.withLock { $0.append(progress) } })
    var (bytes, tensors, layers) = (0, 0, 0)
    for progress in all.withLock({ $0 }) {
      switch progress {
      case .compared(let count, let total):
        bytes += count
        #expect(total == checkpoint.payloadByteCount)
      case .multiplied(let count, let total):
        tensors += count
        #expect(total == checkpoint.tensors.count)
      case .ran(let count, let total):
        layers += count
        #expect(total == 6)
      }
    }
    #expect(bytes == checkpoint.payloadByteCount)
    #expect(tensors == checkpoint.tensors.count)
    // Two layers of the source, of the source with noise, and of the converted model.
    #expect(layers == 6)
  }

  /// A sentence encoder keeps the folder that says how tokens are put together.
  @Test func aWayOfPoolingThatIsLostIsFound() throws {
    let scratch = try Scratch()
    let folder = try scratch.convert(seeded("bert"), to: "safetensors", "f16")
    #expect(try verify(seeded("bert"), folder, .init(jobs: 2)).verdict == .pass)
    try FileManager.default.removeItem(atPath: folder + "/1_Pooling")
    let report = try verify(seeded("bert"), folder, .init(jobs: 2))
    #expect(report.failures.map(\.subject) == [.file("1_Pooling/config.json")])
  }

  @Test func theResultDoesNotDependOnThreadsOrMemory() throws {
    let scratch = try Scratch()
    let path = try scratch.convert(seeded("qwen2"), "q8_0")
    let one = try verify(seeded("qwen2"), path, .init(level: .values, jobs: 1))
    let four = try verify(
      seeded("qwen2"), path, .init(level: .values, memoryByteLimit: 64 << 20, jobs: 4))
    #expect(one.findings == four.findings)
    #expect(one.tensors.map(\.metrics) == four.tensors.map(\.metrics))
    let failure = #expect(throws: Failure.self) {
      try verify(seeded("qwen2"), path, .init(memoryByteLimit: 1 << 20, jobs: 1))
    }
    #expect(failure?.kind == .usage)
  }
}
