import Foundation
import Testing

/// `port convert --quantize` with block types, where it must refuse.
@Suite struct QuantizeTests {
  /// Converts `tiny-qwen2` with the first values of one matrix replaced.
  private func quantize(
    _ values: [Float], _ options: String...
  ) throws -> (result: Tool.Result, names: [String]) {
    let scratch = try Scratch()
    for name in [
      "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt",
    ] {
      try FileManager.default.copyItem(
        atPath: Tool.fixture("models/tiny-qwen2/\(name)"), toPath: scratch.path(name))
    }
    var data = try Data(
      contentsOf: URL(fileURLWithPath: Tool.fixture("models/tiny-qwen2/model.safetensors")))
    let inspection = try Tool.run("inspect", Tool.fixture("models/tiny-qwen2"), "--json").json()
    let tensors = try #require(inspection["tensors"] as? [[String: Any]])
    let target = try #require(
      tensors.first { $0["name"] as? String == "model.layers.1.mlp.up_proj.weight" })
    let offset = try #require(target["offset"] as? Int)
    for (index, value) in values.enumerated() {
      let bits = UInt16(value.bitPattern >> 16)
      data[offset + 2 * index] = UInt8(bits & 0xFF)
      data[offset + 2 * index + 1] = UInt8(bits >> 8)
    }
    try data.write(to: scratch.url.appendingPathComponent("model.safetensors"))
    let result = try Tool.run(
      ["convert", scratch.url.path, "--to", "gguf", "-o", scratch.path("m.gguf")] + options)
    return (result, try scratch.names.filter { $0.contains("gguf") })
  }

  @Test(arguments: ["q8_0", "q4_k_m", "q4_0"])
  func valuesThatAreNotFiniteAreRefused(_ scheme: String) throws {
    var values = [Float](repeating: 1, count: 130)
    values[70] = .nan
    let (result, names) = try quantize(values, "--quantize", scheme)
    #expect(result.exitCode == 65)
    #expect(
      result.errors.contains(
        "/model.safetensors: tensor 'model.layers.1.mlp.up_proj.weight': a value is not finite"))
    // Rows have 64 elements.
    #expect(result.errors.contains("found nan at [1, 6] of 'blk.1.ffn_up.weight'"))
    #expect(names == [])
    #expect(try quantize(values, "--quantize", scheme, "--allow-nonfinite").result.exitCode == 0)
    #expect(try quantize(values, "--quantize", "f32").result.exitCode == 0)
  }

  @Test func scalesThatOverflowAreCounted() throws {
    let (result, names) = try quantize([1e9, 1, 1], "--quantize", "q8_0")
    #expect(result.exitCode == 65)
    #expect(
      result.errors.contains(
        "1 block with an infinite scale, the first at [0, 0] of 'blk.1.ffn_up.weight'"))
    #expect(names == [])
  }

  @Test func mixesWithTooFewBitsNeedImportance() throws {
    let (result, names) = try quantize([], "--quantize", "iq2_xs", "--pure")
    // Rows of 64 fall back to IQ4_NL, which needs none.
    #expect(result.exitCode == 0, "\(result.errors)")
    #expect(names == ["m.gguf"])
    let missing = try Tool.run(
      "convert", Tool.fixture("models/tiny-qwen2"), "--to", "gguf", "--quantize", "q4_0",
      "--imatrix", "/no/such/file", "-o", "x.gguf")
    #expect(missing.exitCode == 66)
  }

  @Test func quantizingTwiceNeedsToBeAskedFor() throws {
    let scratch = try Scratch()
    let (first, second) = (scratch.path("a.gguf"), scratch.path("b.gguf"))
    try Tool.run(
      "convert", Tool.fixture("models/tiny-qwen2"), "--to", "gguf", "--quantize", "q8_0", "-o",
      first)
    let arguments = ["convert", first, "--to", "gguf", "--quantize", "q4_0", "-o", second]
    let refused = try Tool.run(arguments)
    #expect(refused.exitCode == 64)
    #expect(refused.errors.contains("--allow-requantize"))
    #expect(try Tool.run(arguments + ["--allow-requantize"]).exitCode == 0)
  }
}
