import Accelerators
import Testing

@testable import Equivalence

/// Correct conversions, none of which may fail.
@Suite struct NoFalseAlarmTests {
  @Test(arguments: seededModels, ["f32", "f16", "bf16", "q8_0", "auto"])
  func toGGUF(_ model: String, _ scheme: String) throws {
    let scratch = try Scratch()
    let report = try verify(
      seeded(model), try scratch.convert(seeded(model), scheme), .init(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
    #expect(report.comparedCount > 1000)
    #expect(report.comparedCount == report.elementCount)
  }

  @Test(arguments: seededModels)
  func backToSafetensors(_ model: String) throws {
    let scratch = try Scratch()
    for scheme in ["f32", "q8_0"] {
      let gguf = try scratch.convert(seeded(model), scheme)
      let folder = try scratch.convert(gguf, to: "safetensors")
      let report = try verify(gguf, folder, .init(level: .values, jobs: 2))
      #expect(report.verdict == .pass, report.summary)
      #expect(report.comparedCount > 1000)
    }
  }

  @Test(arguments: seededModels)
  func betweenSafetensors(_ model: String) throws {
    let scratch = try Scratch()
    for scheme in [nil, "f32", "f16", "bf16"] {
      let folder = try scratch.convert(seeded(model), to: "safetensors", scheme) {
        $0.shardByteLimit = 40_000
      }
      let report = try verify(seeded(model), folder, .init(level: .values, jobs: 2))
      #expect(report.verdict == .pass, report.summary)
      #expect(report.comparedCount > 1000)
    }
  }

  @Test(arguments: GGUFMix.all.map(\.name.rawValue).filter { $0 != "q1_0" })
  func everyMix(_ mix: String) throws {
    let scratch = try Scratch()
    let model = fixtures + "/models/tiny-qwen2"
    let f16 = try scratch.convert(model, "f16")
    let converted = try scratch.convert(model, mix)
    for (source, level) in [(model, Level.logits), (f16, .values)] {
      let report = try verify(
        source, converted, .init(level: level, tokens: Array(0..<8), jobs: 2))
      #expect(report.verdict == .pass, report.summary)
    }
  }
}
