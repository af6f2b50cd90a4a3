import Architectures
import TensorTypes
import Testing

@testable import Accelerators

@Suite struct CompletenessTests {
  private func model(_ names: [String]) throws -> ModelGraph {
    let sources = names.map {
      SourceTensor(name: ByteString($0), type: TensorType(shape: [4, 4], encoding: .f32))
    }
    let architecture = try #require(Architecture.all.first { $0.name == "qwen3moe" })
    return try .translating(
      sources, order: Array(sources.indices), from: architecture.huggingFace,
      to: architecture.gguf, expertCount: 1, expertOrder: [], heads: nil)
  }

  private func check(_ names: [String], layerCount: Int = 2) throws {
    try model(names).checkLayersAreComplete(
      layerCount, try #require(Architecture.all.first { $0.name == "qwen3moe" }))
  }

  private static let dense = ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
  private static let mixture = [
    "mlp.gate", "mlp.experts.0.gate_proj", "mlp.experts.0.up_proj", "mlp.experts.0.down_proj",
  ]

  private func layer(_ number: Int, _ parts: [String]) -> [String] {
    (["self_attn.q_proj", "self_attn.k_proj"] + parts).map {
      "model.layers.\(number).\($0).weight"
    }
  }

  @Test func layersMayBeDenseOrMixtures() throws {
    try check(layer(0, CompletenessTests.dense) + layer(1, CompletenessTests.mixture))
  }

  @Test(arguments: [
    "self_attn.k_proj", "mlp.up_proj", "mlp.gate", "mlp.experts.0.down_proj",
  ])
  func whatIsMissingIsNamed(_ part: String) throws {
    let kind = CompletenessTests.dense.contains(part) ? 0 : 2
    let names =
      layer(0, CompletenessTests.dense) + layer(1, CompletenessTests.dense)
      + layer(2, CompletenessTests.mixture) + layer(3, CompletenessTests.mixture)
    let absent = "model.layers.\(kind).\(part).weight"
    let failure = #expect(throws: Failure.self) {
      try check(names.filter { $0 != absent }, layerCount: 4)
    }
    #expect(failure?.subject == .tensor(ByteString(absent)))
    #expect(failure?.found == "none")
    #expect(failure?.message == "layer \(kind) lacks a tensor that other layers have")
  }

  @Test(.timeLimit(.minutes(1))) func layersWithoutTensorsAreNotHeld() throws {
    let failure = #expect(throws: Failure.self) {
      try check(layer(0, CompletenessTests.dense), layerCount: .max)
    }
    #expect(failure?.message == "layer 1 lacks a tensor that other layers have")
  }

  @Test(
    arguments: [
      ([0, 1, 2], 3, nil, nil), ([0, 1, 2], nil, nil, nil),
      ([0, 2], 3, 1, "an expert of layer 4 is missing"),
      ([0, 2], nil, 1, "an expert of layer 4 is missing"),
      ([0, 1, 3], 2, 3, "layer 4 has too many experts"),
      ([7], .max, 0, "an expert of layer 4 is missing"),
    ] as [([Int], Int?, Int?, String?)])
  func layersHaveAllExperts(
    _ experts: [Int], _ count: Int?, _ named: Int?, _ message: String?
  ) throws {
    let architecture = try #require(Architecture.all.first { $0.name == "mixtral" })
    let roles = experts.map {
      RoleInstance(role: .expertUp, bindings: NamePattern.Bindings(layer: 4, expert: $0))
    }
    var failure: Failure?
    do throws(Failure) {
      try roles.checkExperts(count, architecture.huggingFace)
    } catch {
      failure = error
    }
    #expect(failure?.message == message)
    let name = named.map { "model.layers.4.block_sparse_moe.experts.\($0).w3.weight" }
    #expect(failure?.subject == name.map { .tensor(ByteString($0)) })
  }
}
