import Accelerators
import Architectures
import ByteIO
import Foundation
import GraphRewriting
import TensorTypes
import Testing

@testable import Conversion
@testable import WeightFormats

/// Checkpoints that hold experts in every way, and those that are not complete.
@Suite struct ModelGraphTests {
  private static let experts = 3
  private static let width = 4
  private static let inner = 6

  private let qwen = Architecture.all.first { $0.name == "qwen3moe" }!

  private func translated(
    _ names: [String], _ shapes: [Shape], experts: Int? = ModelGraphTests.experts
  ) throws -> ModelGraph {
    try .translating(
      zip(names, shapes).map {
        SourceTensor(name: ByteString($0), type: TensorType(shape: $1, encoding: .f32))
      },
      order: Array(names.indices), from: qwen.huggingFace, to: qwen.gguf, expertCount: experts,
      expertOrder: [.expertDown, .expertGate, .expertUp], heads: nil)
  }

  /// Numbers that tell each element of each expert apart.
  private func values(_ kind: Int, _ expert: Int, _ count: Int) -> [Float] {
    (0..<count).map { Float(kind * 10_000 + expert * 1000 + $0) }
  }

  private func bytes(_ values: [Float]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

  private func computed(_ model: ModelGraph, _ sources: [[UInt8]]) -> [ByteString: NaiveTensor] {
    let all = model.graph.evaluated(sources)
    return Dictionary(
      uniqueKeysWithValues: model.graph.outputs.map { ($0.name, all[$0.node.index]) })
  }

  @Test func separateAndStackedExpertsGiveTheSame() throws {
    let (experts, width, inner) = (
      ModelGraphTests.experts, ModelGraphTests.width, ModelGraphTests.inner
    )
    let count = width * inner
    let stem = "model.layers.5.mlp.experts."
    var names: [String] = []
    var shapes: [Shape] = []
    var sources: [[UInt8]] = []
    // The order in which they come does not matter.
    for expert in [2, 0, 1] {
      for (kind, name) in ["gate", "up", "down"].enumerated() {
        names.append("\(stem)\(expert).\(name)_proj.weight")
        shapes.append(kind == 2 ? [width, inner] : [inner, width])
        sources.append(bytes(values(kind, expert, count)))
      }
    }
    let separate = try computed(translated(names, shapes), sources)
    let stacked = try computed(
      translated(
        [stem + "gate_up_proj", stem + "down_proj"],
        [[experts, 2 * inner, width], [experts, width, inner]]),
      [
        bytes((0..<experts).flatMap { values(0, $0, count) + values(1, $0, count) }),
        bytes((0..<experts).flatMap { values(2, $0, count) }),
      ])
    let expected: [(ByteString, Int, Shape)] = [
      ("blk.5.ffn_gate_exps.weight", 0, [experts, inner, width]),
      ("blk.5.ffn_up_exps.weight", 1, [experts, inner, width]),
      ("blk.5.ffn_down_exps.weight", 2, [experts, width, inner]),
    ]
    #expect(separate.count == 3 && stacked.count == 3)
    for (name, kind, shape) in expected {
      let all = bytes((0..<experts).flatMap { values(kind, $0, count) })
      #expect(separate[name]?.bytes == all && separate[name]?.shape == shape, "\(name)")
      #expect(stacked[name]?.bytes == all && stacked[name]?.shape == shape, "\(name)")
    }
  }

  @Test func missingAndSurplusExpertsAreNamed() throws {
    func names(_ experts: [Int]) -> [String] {
      experts.map { "model.layers.2.mlp.experts.\($0).up_proj.weight" }
    }
    for (experts, part) in [
      ([0, 2], "none of 1"), ([0, 1], "none of 2"), ([0, 1, 2, 3], "4"), ([0, 1, 2, 7], "4"),
    ] {
      let failure = #expect(throws: Failure.self) {
        try translated(names(experts), experts.map { _ in [6, 4] })
      }
      #expect(failure?.kind == .badInput && failure?.message.contains("layer 2") == true)
      #expect(failure?.found == part)
    }
  }

  @Test(arguments: [[4, 12, 4], [12, 4], [0, 12, 4], [3, 11, 4]])
  func stacksOfAnotherShapeAreRefused(_ axes: [Int]) {
    let failure = #expect(throws: Failure.self) {
      try translated(["model.layers.0.mlp.experts.gate_up_proj"], [Shape(axes)])
    }
    #expect(failure?.kind == .badInput)
    #expect(failure?.subject == .tensor("model.layers.0.mlp.experts.gate_up_proj"))
  }

  @Test func unknownAndRepeatedTensorsAreRefused() {
    let unknown = #expect(throws: Failure.self) {
      try translated(["model.layers.0.mlp.extra.weight"], [[6, 4]])
    }
    #expect(unknown?.subject == .tensor("model.layers.0.mlp.extra.weight"))
    let bert = Architecture.all.first { $0.name == "bert" }!
    let names: [ByteString] = ["bert.embeddings.LayerNorm.weight", "embeddings.LayerNorm.weight"]
    let repeated = #expect(throws: Failure.self) {
      try ModelGraph.translating(
        names.map { SourceTensor(name: $0, type: TensorType(shape: [4], encoding: .f32)) },
        order: [0, 1], from: bert.huggingFace, to: bert.gguf, expertCount: nil, expertOrder: [],
        heads: nil)
    }
    #expect(repeated?.message == "two tensors have the same role")
    #expect(repeated?.subject == .tensor(names[1]))
  }

  /// Queries and keys of Llama: GGUF's rows are neighbouring pairs, and back again.
  @Test func rotatedRowsGoThereAndBack() throws {
    let llama = Architecture.all.first { $0.name == "llama" }!
    let heads = HeadCounts(query: 4, keyValue: 2)
    let names: [ByteString] = [
      "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight",
    ]
    let types = [
      TensorType(shape: [32, 3], encoding: .f32), TensorType(shape: [16, 3], encoding: .f32),
    ]
    func translate(
      _ names: [ByteString], _ from: Dialect, _ to: Dialect
    ) throws -> ModelGraph {
      try .translating(
        zip(names, types).map { SourceTensor(name: $0, type: $1) }, order: [0, 1], from: from,
        to: to, expertCount: nil, expertOrder: [], heads: heads)
    }
    let sources = [bytes(values(0, 0, 96)), bytes(values(1, 0, 48))]
    let there = try translate(names, llama.huggingFace, llama.gguf)
    let rows = there.graph.evaluated(sources)
    let query = rows[there.graph.outputs[0].node.index]
    // Row 2i of a head is row i, row 2i + 1 is row half + i.
    var expected: [Float] = []
    for head in 0..<4 {
      for pair in 0..<4 {
        for row in [8 * head + pair, 8 * head + 4 + pair] {
          expected += (0..<3).map { Float(3 * row + $0) }
        }
      }
    }
    #expect(query.bytes == bytes(expected))
    let outputs = there.graph.outputs.map { rows[$0.node.index].bytes }
    let back = try translate(there.graph.outputs.map(\.name), llama.gguf, llama.huggingFace)
    #expect(back.graph.outputs.map(\.name) == names)
    let restored = back.graph.evaluated(outputs)
    for (output, source) in zip(back.graph.outputs, sources) {
      #expect(restored[output.node.index].bytes == source)
    }
  }

  /// A copy of a fixture with another config.
  private func changed(_ model: String, _ key: String, _ value: String) throws -> Checkpoint {
    let scratch = try Scratch()
    let folder = fixture(model)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
      try FileManager.default.copyItem(atPath: folder + "/" + name, toPath: scratch.path(name))
    }
    let text = String(decoding: try scratch.bytes("config.json"), as: UTF8.self)
    let pattern = try Regex("\"\(key)\": *[0-9]+")
    try #require(text.contains(pattern))
    try scratch.write(
      Array(text.replacing(pattern, with: "\"\(key)\": \(value)").utf8), "config.json")
    // Headers and small files are read at once, so the folder may go.
    return try Checkpoint.open(scratch.path)
  }

  @Test(arguments: [("2", "3 layers"), ("4", "none of 3"), ("0", "3 layers")])
  func layersAreAsManyAsTheConfigSays(_ count: String, _ found: String) throws {
    let source = try changed("models/tiny-qwen2", "num_hidden_layers", count)
    let request = ConversionRequest(
      target: try Target.named("gguf"), destination: "out.gguf", jobs: 1)
    let failure = #expect(throws: Failure.self) { try Plan(converting: source, request) }
    #expect(failure?.kind == .badInput && failure?.subject == .key("num_hidden_layers"))
    #expect(failure?.found == found)
  }

  /// Keys that give an axis its length, and the axis by the keys that give it.
  @Test(arguments: [
    ("models/tiny-llama", "num_attention_heads", "num_key_value_heads × head_dim"),
    ("models/tiny-llama", "num_key_value_heads", "num_key_value_heads × head_dim"),
    ("models/tiny-llama", "vocab_size", "vocab_size"),
    ("models/seeded/qwen2", "hidden_size", "hidden_size"),
    ("models/seeded/qwen2", "intermediate_size", "intermediate_size"),
    ("models/seeded/qwen3", "head_dim", "head_dim"),
    ("models/seeded/mixtral", "num_local_experts", "num_local_experts"),
    ("models/seeded/mixtral", "intermediate_size", "intermediate_size"),
    ("models/seeded/qwen3moe", "moe_intermediate_size", "moe_intermediate_size"),
    ("models/seeded/bert", "max_position_embeddings", "max_position_embeddings"),
    ("models/seeded/bert", "type_vocab_size", "type_vocab_size"),
    ("models/seeded/bert", "intermediate_size", "intermediate_size"),
    ("models/seeded/gpt2", "n_positions", "n_positions"),
    ("models/seeded/gpt2", "n_embd", "3 × n_embd"),
    ("models/tiny-deepseek-v3", "n_routed_experts", "n_routed_experts"),
    ("models/tiny-deepseek-v3", "n_shared_experts", "n_shared_experts × moe_intermediate_size"),
    ("models/tiny-deepseek-v3", "kv_lora_rank", "kv_lora_rank"),
    ("models/tiny-deepseek-v3", "q_lora_rank", "q_lora_rank"),
    (
      "models/tiny-deepseek-v3", "qk_nope_head_dim",
      "num_attention_heads × (qk_nope_head_dim + v_head_dim)"
    ),
    ("models/tiny-deepseek-v3", "qk_rope_head_dim", "(kv_lora_rank + qk_rope_head_dim)"),
    (
      "models/tiny-deepseek-v3", "v_head_dim",
      "num_attention_heads × (qk_nope_head_dim + v_head_dim)"
    ),
  ])
  func shapesAreThoseOfTheConfig(_ model: String, _ key: String, _ axis: String) throws {
    let config = try Checkpoint.open(fixture(model)).config
    let value = try #require(config?[ByteString(key)]?.integer)
    let source = try changed(model, key, "\(2 * value)")
    for target in model.hasSuffix("bert") || model.hasSuffix("gpt2")
      ? ["gguf"] : ["gguf", "ascend-910c"]
    {
      let request = ConversionRequest(
        target: try Target.named(target), destination: "out", jobs: 1)
      let failure = #expect(throws: Failure.self) { try Plan(converting: source, request) }
      #expect(failure?.message.hasPrefix("the shape is not what the config says of") == true)
      #expect(failure?.kind == .badInput)
      let axes = failure?.expected?.dropFirst().prefix { $0 != "]" }
      #expect(
        axes?.components(separatedBy: ", ").contains(axis) == true, "\(failure?.expected ?? "")")
      #expect(failure?.file?.hasSuffix(".safetensors") == true)
    }
  }

  /// The reference takes four times the width; llama.cpp wants what the tensors have.
  @Test func theFeedForwardLengthMayBeStated() throws {
    let source = try changed("models/seeded/gpt2", "n_positions", "64, \"n_inner\": 12")
    let request = ConversionRequest(
      target: try Target.named("gguf"), destination: "out.gguf", jobs: 1)
    let failure = #expect(throws: Failure.self) { try Plan(converting: source, request) }
    #expect(failure?.expected == "[n_inner] = [12]")
  }

  @Test func expertsAreCounted() throws {
    for (model, key) in [
      ("models/seeded/mixtral", "num_local_experts"),
      ("models/tiny-deepseek-v3", "n_routed_experts"),
    ] {
      let source = try changed(model, key, "null")
      let request = ConversionRequest(
        target: try Target.named("ascend-910c"), destination: "out", jobs: 1)
      let failure = #expect(throws: Failure.self) { try Plan(converting: source, request) }
      #expect(failure?.subject == .key(ByteString(key)))
      #expect(failure?.message == "the key is missing")
    }
  }

  @Test(arguments: [
    (0, "experts from layer 0 on", "none in layer 0"),
    (3, "layers 0 to 2 dense", "experts in layer 1"),
  ])
  func mixturesBeginWhereTheConfigSays(
    _ count: Int, _ expected: String, _ found: String
  ) throws {
    let source = try changed("models/tiny-deepseek-v3", "first_k_dense_replace", "\(count)")
    let request = ConversionRequest(
      target: try Target.named("gguf"), destination: "out.gguf", jobs: 1)
    let failure = #expect(throws: Failure.self) { try Plan(converting: source, request) }
    #expect(failure?.subject == .key("first_k_dense_replace"))
    #expect(failure?.expected == expected)
    #expect(failure?.found == found)
  }
}
