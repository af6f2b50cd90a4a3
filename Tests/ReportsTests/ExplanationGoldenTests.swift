import Accelerators
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Reports

/// The explanations of some tensors, as text in `Fixtures/explanations`. After a change on purpose,
/// write them anew with `UPDATE_PLANS=1 swift test --filter ExplanationGoldenTests`.
@Suite struct ExplanationGoldenTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let target: String
    let scheme: String?
    let tensor: String
    var layout = AscendLayout.nd

    var testDescription: String {
      [
        "tiny-deepseek-v3", target, scheme ?? "lossless", tensor,
        layout == .nd ? nil : layout.rawValue,
      ].compactMap(\.self).joined(separator: ".")
    }
  }

  static let expert = "model.layers.3.mlp.experts.0.down_proj.weight"

  static let cases: [Case] = [
    Case(target: "ascend-910c", scheme: nil, tensor: expert),
    Case(
      target: "ascend-910c", scheme: "w4a8",
      tensor: "model.layers.2.mlp.experts.1.up_proj.weight", layout: .nz),
    Case(target: "ascend-910c", scheme: "w8a8-mxfp8", tensor: expert),
    Case(target: "gguf", scheme: "q8_0", tensor: "model.layers.0.self_attn.kv_b_proj.weight"),
    Case(target: "gguf", scheme: "q8_0", tensor: "blk.1.ffn_gate_exps.weight"),
  ]

  private static let fixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

  private func lines(_ c: Case) throws -> [String] {
    let source = ExplanationGoldenTests.fixtures.appendingPathComponent("models/tiny-deepseek-v3")
    var request = ConversionRequest(
      target: try Target.named(c.target), destination: "output", jobs: 1)
    request.scheme = c.scheme
    request.layout = c.layout
    return try Explanation.explaining(
      ByteString(c.tensor), converting: Checkpoint.open(source.path), request
    ).map { ExplanationReport($0).lines }.joined(separator: [""])
      .map { $0.replacing(source.path + "/", with: "") }
  }

  @Test(arguments: cases)
  func explanationIsAsRecorded(_ c: Case) throws {
    let text = try lines(c).joined(separator: "\n") + "\n"
    let file = ExplanationGoldenTests.fixtures
      .appendingPathComponent("explanations/\(c.testDescription).txt")
    if ProcessInfo.processInfo.environment["UPDATE_PLANS"] != nil {
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(text == (try String(contentsOf: file, encoding: .utf8)))
  }

  /// An expert's weight: what is loaded, how it is computed, which rules fired, and the bound.
  @Test func anExpertIsExplainedFromItsCodesToItsCodes() throws {
    let lines = try lines(ExplanationGoldenTests.cases[0])
    let ops = [
      "load model.layers.3.mlp.experts.0.down_proj.weight ",
      "load model.layers.3.mlp.experts.0.down_proj.weight_scale_inv",
      "dequantize by 128×128 blocks",
      "cast F32", "quantize int8-channel, codes", "quantize-dequantized: quantize(s, dequantize(",
      "requantize from 128×128 blocks to int8-channel, codes", "F8_E4M3 → F32 → I8: ",
      "1/254 of max|w|, 0.394 %",
    ]
    var position = 0
    for op in ops {
      let found = lines[position...].firstIndex { $0.contains(op) }
      position = try #require(found, "\(op)")
    }
  }
}
