import Accelerators
import Conversion
import Foundation
import Testing
import WeightFormats

@testable import Reports

/// The plans of some conversions, as text in `Fixtures/plans`: a change that should change none
/// shows as a difference. After a change on purpose, write them anew with
/// `UPDATE_PLANS=1 swift test --filter PlanGoldenTests`.
@Suite struct PlanGoldenTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let model: String
    let target: String
    let scheme: String?
    var shardByteLimit: Int?
    var layout = AscendLayout.nd

    var testDescription: String {
      [
        model, target, scheme ?? "lossless", shardByteLimit.map { "shards-of-\($0)" },
        layout == .nd ? nil : layout.rawValue,
      ]
      .compactMap(\.self).joined(separator: ".").replacing(":", with: "-")
    }
  }

  static let cases: [Case] = [
    Case(model: "seeded/llama", target: "gguf", scheme: nil),
    Case(model: "seeded/llama", target: "gguf", scheme: "q8_0"),
    Case(model: "seeded/llama3", target: "gguf", scheme: "auto"),
    Case(model: "seeded/mistral", target: "gguf", scheme: "f32"),
    Case(model: "seeded/mixtral", target: "gguf", scheme: "q4_k_m"),
    Case(model: "seeded/qwen2", target: "gguf", scheme: "f16", shardByteLimit: 40_000),
    Case(model: "seeded/qwen3", target: "gguf", scheme: "bf16"),
    Case(model: "seeded/qwen3moe", target: "gguf", scheme: "q8_0"),
    Case(model: "seeded/bert", target: "gguf", scheme: "f16"),
    Case(model: "seeded/gpt2", target: "gguf", scheme: "q8_0"),
    Case(model: "seeded/mixtral", target: "safetensors", scheme: "f16", shardByteLimit: 40_000),
    Case(model: "seeded/gpt2", target: "safetensors", scheme: nil),
    Case(model: "tiny-deepseek-v3", target: "gguf", scheme: "q8_0"),
    Case(model: "tiny-deepseek-v3", target: "safetensors", scheme: "bf16"),
    Case(model: "tiny-deepseek-v3", target: "ascend-910c", scheme: "w8a8-dynamic"),
    Case(model: "tiny-deepseek-v3", target: "ascend-910b", scheme: "w4a8"),
    Case(model: "tiny-deepseek-v3", target: "ascend-910c", scheme: "w8a16-g32"),
    Case(model: "tiny-deepseek-v3", target: "ascend-910c:mindie", scheme: nil),
    Case(
      model: "tiny-deepseek-v3", target: "ascend-910b", scheme: "w8a8-dynamic",
      shardByteLimit: 500_000, layout: .nz),
  ]

  private static let fixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

  @Test(arguments: cases)
  func planIsAsRecorded(_ c: Case) throws {
    let source = PlanGoldenTests.fixtures.appendingPathComponent("models/\(c.model)").path
    var request = ConversionRequest(
      target: try Target.named(c.target),
      destination: c.target == "gguf" ? "model.gguf" : "model", jobs: 2)
    request.scheme = c.scheme
    request.shardByteLimit = c.shardByteLimit
    request.layout = c.layout
    let plan = try Plan(converting: try Checkpoint.open(source), request)
    let text = PlanReport(plan).lines.joined(separator: "\n") + "\n"
    let name = c.testDescription.replacingOccurrences(of: "seeded/", with: "")
    let file = PlanGoldenTests.fixtures.appendingPathComponent("plans/\(name).txt")
    if ProcessInfo.processInfo.environment["UPDATE_PLANS"] != nil {
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(text == (try String(contentsOf: file, encoding: .utf8)))
  }
}
