import Foundation
import Testing

/// `port inspect` and `port list`, end to end.
@Suite struct InspectTests {
  @Test func textAndJSONAgree() throws {
    let path = Tool.fixture("models/tiny-llama")
    let text = try Tool.run("inspect", path)
    #expect(text.exitCode == 0)
    #expect(text.lines[0] == path)
    #expect(text.output.contains("  format        safetensors, 2 files\n"))
    #expect(text.output.contains("  architecture  LlamaForCausalLM (llama)\n"))
    let json = try Tool.run("inspect", path, "--json").json()
    #expect(json["schema"] as? String == "port.inspect/1")
    #expect(json["architecture"] as? String == "llama")
    let tensors = try #require(json["tensors"] as? [[String: Any]])
    #expect(tensors.reduce(0) { $0 + ($1["bytes"] as? Int ?? 0) } == json["bytes"] as? Int)
    for tensor in tensors {
      let name = try #require(tensor["name"] as? String)
      #expect(text.lines.contains { $0.contains("  \(name) ") })
    }
  }

  @Test func tensorsAreChosenByName() throws {
    let result = try Tool.run(
      "inspect", Tool.fixture("models/tiny-qwen2"), "--tensors", "*.1.*k_proj*", "--json")
    let tensors = try #require(try result.json()["tensors"] as? [[String: Any]])
    #expect(
      tensors.compactMap { $0["name"] as? String } == [
        "model.layers.1.self_attn.k_proj.bias", "model.layers.1.self_attn.k_proj.weight",
      ])
  }

  @Test func severalPathsGiveOneDocument() throws {
    let result = try Tool.run(
      "inspect", Tool.fixture("models/tiny-qwen2"), Tool.fixture("models/tiny-llama"), "--json")
    #expect((try result.json()["checkpoints"] as? [Any])?.count == 2)
  }

  @Test func valuesAreMeasuredAndChecked() throws {
    let scratch = try Scratch()
    // Four values: 1, -3, 0 and NaN.
    let values: [Float] = [1, -3, 0, .nan]
    let header = #"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}         "#
    var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    bytes += Data(header.utf8) + values.withUnsafeBytes { Data($0) }
    try bytes.write(to: scratch.url.appendingPathComponent("m.safetensors"))
    let result = try Tool.run(
      "inspect", scratch.path("m.safetensors"), "--stats", "--check", "--json")
    #expect(result.exitCode == 1)
    #expect(result.errors.contains("tensor 'w': 1 NaN and 0 infinite of 4 values"))
    let statistics = try #require(
      (try result.json()["statistics"] as? [String: [String: Any]])?["w"])
    #expect(statistics["min"] as? Double == -3)
    #expect(statistics["max"] as? Double == 1)
    #expect(statistics["abs_max"] as? Double == 3)
    #expect(statistics["zeros"] as? Int == 1)
    #expect(statistics["nan"] as? Int == 1)
    #expect(abs((statistics["mean"] as? Double ?? 0) + 2.0 / 3) < 1e-12)
    #expect(abs((statistics["std"] as? Double ?? 0) - 1.699673171197595) < 1e-12)
    #expect(statistics["exponents"] as? [String: Int] == ["0": 1, "1": 1])
    #expect(try Tool.run("inspect", Tool.fixture("models/tiny-qwen2"), "--check").exitCode == 0)
  }

  @Test(arguments: [
    "formats", "types", "architectures", "targets", "schemes", "rules", "checks",
  ])
  func tablesAreListed(_ table: String) throws {
    let text = try Tool.run("list", table)
    let json = try Tool.run("list", table, "--json").json()
    let rows = try #require(json["rows"] as? [Any])
    #expect(text.exitCode == 0)
    #expect(!rows.isEmpty)
    // A heading, the rows, and the end of the last line.
    #expect(text.lines.count == rows.count + 2)
  }

  @Test func explanationsNameSourcesStepsAndPlace() throws {
    let model = Tool.fixture("models/seeded/mixtral")
    let source = "model.layers.1.block_sparse_moe.experts.2.w2.weight"
    let result = try Tool.run(
      "explain", model, "--to", "gguf", "--quantize", "q8_0", source)
    #expect(result.exitCode == 0)
    #expect(result.lines[0] == "blk.1.ffn_down_exps.weight  q8_0[4, 32, 32]")
    #expect(result.output.contains("load \(source)"))
    #expect(result.output.contains("BF16 → q8_0: half a step of the block's scale"))
    let json = try Tool.run(
      "explain", model, "--to", "gguf", "blk.1.ffn_down_exps.weight", "--json"
    ).json()
    let explanations = try #require(json["explanations"] as? [[String: Any]])
    #expect((explanations.first?["sources"] as? [Any])?.count == 4)
  }
}
