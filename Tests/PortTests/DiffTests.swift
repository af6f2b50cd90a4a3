import Foundation
import Testing

/// `port diff`, end to end.
@Suite struct DiffTests {
  static let model = Tool.fixture("models/tiny-qwen2")

  @Test func equalCheckpointsHaveNoDifference() throws {
    let result = try Tool.run("diff", DiffTests.model, DiffTests.model, "--values")
    #expect(result.exitCode == 0)
    #expect(result.output.hasSuffix("no difference in names, types and values of 38 tensors\n"))
  }

  @Test func namesAreTranslatedBetweenFormats() throws {
    let scratch = try Scratch()
    let output = scratch.path("m.gguf")
    try Tool.run("convert", DiffTests.model, "--to", "gguf", "-o", output)
    let result = try Tool.run("diff", DiffTests.model, output, "--values", "--json")
    #expect(result.exitCode == 1)
    let json = try result.json()
    #expect(json["schema"] as? String == "port.diff/1")
    #expect((json["only_in_first"] as? [Any])?.isEmpty == true)
    #expect((json["only_in_second"] as? [Any])?.isEmpty == true)
    let tensors = try #require(json["tensors"] as? [[String: Any]])
    #expect(tensors.count == 38)
    // Norms and biases became F32; every value is the same.
    #expect(tensors.count { $0["equal"] as? Bool == false } == 16)
    for tensor in tensors {
      let metrics = try #require(tensor["metrics"] as? [String: Any])
      #expect(metrics["equal_share"] as? Double == 1)
    }
  }

  @Test func whatDiffersIsNamed() throws {
    let scratch = try Scratch()
    let (first, second) = (scratch.path("a.gguf"), scratch.path("b.gguf"))
    try Tool.run("convert", DiffTests.model, "--to", "gguf", "--quantize", "f16", "-o", first)
    try Tool.run("convert", DiffTests.model, "--to", "gguf", "--quantize", "q8_0", "-o", second)
    let result = try Tool.run("diff", first, second)
    #expect(result.exitCode == 1)
    #expect(result.lines.contains("  - general.file_type = 1"))
    #expect(result.lines.contains("  + general.file_type = 7"))
    #expect(result.output.hasSuffix(", 1 metadata key differs\n"))
    #expect(result.output.contains("blk.0.attn_q.weight       F16[64, 64]   q8_0[64, 64]"))
    let other = try Tool.run("diff", Tool.fixture("models/tiny-llama"), DiffTests.model)
    #expect(other.lines.contains("  - lm_head.weight"))
    #expect(other.lines.contains("  + model.layers.0.self_attn.q_proj.bias"))
  }
}
