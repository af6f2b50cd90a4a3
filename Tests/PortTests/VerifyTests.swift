import Foundation
import Testing

/// `port verify`, end to end.
@Suite struct VerifyTests {
  static let model = Tool.fixture("models/tiny-qwen2")

  private func converted(_ scheme: String, _ scratch: Scratch) throws -> String {
    let output = scratch.path("m.gguf")
    let result = try Tool.run(
      "convert", VerifyTests.model, "--to", "gguf", "--quantize", scheme, "-o", output)
    #expect(result.exitCode == 0, "\(result.errors)")
    return output
  }

  @Test func aCorrectConversionPasses() throws {
    let scratch = try Scratch()
    let output = try converted("q4_k_m", scratch)
    let result = try Tool.run(
      "verify", VerifyTests.model, output, "--level", "values", "--json", scratch.path("r.json"),
      "--junit", scratch.path("r.xml"))
    #expect(result.exitCode == 0, "\(result.output)")
    #expect(result.output.contains("verdict    pass"))
    let json = try JSONSerialization.jsonObject(with: scratch.data("r.json"))
    let report = try #require(json as? [String: Any])
    #expect(report["schema"] as? String == "port.verification/1")
    #expect(report["verdict"] as? String == "pass")
    #expect(report["compared_values"] as? Int == report["values"] as? Int)
    #expect((report["tensors"] as? [Any])?.count == 38)
    let findings = try #require(report["findings"] as? [[String: Any]])
    #expect(findings.allSatisfy { $0["verdict"] as? String == "pass" })
    let xml = try scratch.text("r.xml")
    #expect(xml.matches(of: /<testcase\b/).count == findings.count)
  }

  @Test func aReportDoesNotReplaceADescription() throws {
    let scratch = try Scratch()
    let output = scratch.path("folder")
    let result = try Tool.run("convert", VerifyTests.model, "--to", "ascend-910c", "-o", output)
    #expect(result.exitCode == 0, "\(result.errors)")
    let description = try scratch.data("folder/quant_model_description.json")
    let refused = try Tool.run(
      "verify", VerifyTests.model, output, "--level", "structure", "--json",
      output + "/quant_model_description.json")
    #expect(refused.exitCode == 73)
    #expect(try scratch.data("folder/quant_model_description.json") == description)
  }

  @Test func aFlippedBitIsFoundAndNamed() throws {
    let scratch = try Scratch()
    let output = try converted("f16", scratch)
    let inspection = try Tool.run("inspect", output, "--json").json()
    let tensors = try #require(inspection["tensors"] as? [[String: Any]])
    let tensor = try #require(tensors.first { $0["name"] as? String == "blk.1.ffn_up.weight" })
    let offset = try #require(tensor["offset"] as? Int)
    var bytes = try scratch.data("m.gguf")
    bytes[offset + 1001] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: output))
    let result = try Tool.run("verify", VerifyTests.model, output, "--level", "values")
    #expect(result.exitCode == 1)
    #expect(result.output.contains("FAIL  correctly-rounded  tensor 'blk.1.ffn_up.weight'"))
    #expect(result.output.contains("one bit is flipped"))
    #expect(result.output.contains("verdict    FAIL"))
  }

  @Test func aTruncatedOutputIsBadInput() throws {
    let scratch = try Scratch()
    let output = try converted("f16", scratch)
    try scratch.data("m.gguf").dropLast(100).write(to: URL(fileURLWithPath: output))
    let result = try Tool.run("verify", VerifyTests.model, output)
    #expect(result.exitCode == 65)
    #expect(result.errors.contains("the file ends before the tensor's last byte"))
  }

  @Test func aDetourThroughF16IsUnderstood() throws {
    let scratch = try Scratch()
    // A row of this model is a millionth of the others: F16 holds it roughly.
    let source = Tool.fixture("models/seeded/qwen2")
    let (first, second) = (scratch.path("f16.gguf"), scratch.path("q8_0.gguf"))
    try Tool.run("convert", source, "--to", "gguf", "--quantize", "f16", "-o", first)
    try Tool.run("convert", first, "--to", "gguf", "--quantize", "q8_0", "-o", second)
    let result = try Tool.run("verify", source, second)
    #expect(result.exitCode == 0, "\(result.output)")
    #expect(result.output.contains("were rounded to F16 before they were quantized"))
  }

  @Test func convertCanVerifyAtOnce() throws {
    let scratch = try Scratch()
    let result = try Tool.run(
      "convert", VerifyTests.model, "--to", "safetensors", "--quantize", "f16", "-o",
      scratch.path("out"), "--verify")
    #expect(result.exitCode == 0)
    #expect(result.output.contains("verdict    pass"))
  }

  @Test func samplesAreReportedAsSuch() throws {
    let scratch = try Scratch()
    let output = try converted("q8_0", scratch)
    let result = try Tool.run(
      "verify", VerifyTests.model, output, "--level", "values", "--sample", "2", "--seed", "7")
    #expect(result.exitCode == 0)
    #expect(result.output.contains("rows were sampled with seed 7"))
    #expect(try Tool.run("verify", VerifyTests.model, output, "--sample", "0").exitCode == 64)
  }
}
