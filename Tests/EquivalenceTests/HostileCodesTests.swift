import Accelerators
import ByteIO
import TensorTypes
import Testing

@testable import Equivalence

/// Folders of codes that fit nothing are failures, and never more than that.
@Suite struct HostileCodesTests {
  private static let layer = "model.layers.0.self_attn.q_proj"

  private static let edits: [@Sendable (inout EditedCheckpoint) -> Void] = [
    { $0.retype("\(layer).weight") { $0.with(encoding: .f16) } },
    { $0.retype("\(layer).weight") { $0.with(shape: [0, 32]) } },
    { $0.retype("\(layer).weight") { $0.with(shape: [1024]) } },
    { $0.retype("\(layer).weight_scale") { $0.with(shape: [0, 1]) } },
    { $0.retype("\(layer).weight_scale") { $0.with(encoding: .plain(.i32)) } },
    { $0[floats: "\(layer).weight_scale"][3] = .nan },
    { $0[floats: "\(layer).weight_scale"][3] = .infinity },
    { $0[floats: "\(layer).weight_scale"][3] = 0 },
    { $0.editEntry("\(layer).weight", "W8A8") },
    { $0.editEntry("\(layer).weight", "W4A4_MXFP4") },
    { $0.editEntry("\(layer).weight", "FLOAT") },
    { $0.editEntry("model.norm.weight", "W4A8_DYNAMIC") },
    { $0.editEntry("model.embed_tokens.weight", "W8A16") },
  ]

  /// Converts a model, edits what comes out, and verifies it.
  private func expectFailure(
    of model: String, _ convert: (Scratch, _ source: String) throws -> String,
    after edit: (inout EditedCheckpoint) -> Void
  ) throws {
    let scratch = try Scratch()
    let source = seeded(model)
    var file = try EditedCheckpoint(convert(scratch, source))
    edit(&file)
    try file.write(scratch.path + "/hostile")
    #expect(try verify(source, scratch.path + "/hostile").verdict == .fail)
  }

  @Test(arguments: edits.indices)
  func failsAndNoMore(_ number: Int) throws {
    try expectFailure(
      of: "qwen2", { try $0.convert($1, to: "ascend-910c", "w8a8-dynamic") },
      after: HostileCodesTests.edits[number])
  }

  /// A config that counts fewer layers than there are, or none.
  @Test(arguments: [0, 1])
  func layersThatTheConfigDoesNotCountAreRefused(_ count: Int) throws {
    let scratch = try Scratch()
    var source = try EditedCheckpoint(seeded("qwen2"))
    let config = try #require(source.files["config.json"])
    let text = String(decoding: config, as: UTF8.self)
    let changed = text.replacing(
      /"num_hidden_layers": \d+/, with: "\"num_hidden_layers\": \(count)")
    #expect(changed != text)
    source.files["config.json"] = Array(changed.utf8)
    try source.write(scratch.path + "/source")
    let failure = #expect(throws: Failure.self) {
      try scratch.convert(scratch.path + "/source", to: "ascend-910c")
    }
    #expect(failure?.message == "config and tensors disagree about the layers")
  }

  private static let fixedEdits: [@Sendable (inout EditedCheckpoint) -> Void] = [
    { $0[floats: "\(layer).input_scale"][0] = 0 },
    { $0[floats: "\(layer).input_scale"][0] = .nan },
    { $0[floats: "\(layer).input_scale"][0] = -1 },
    { $0[floats: "\(layer).input_scale"][0] = .leastNonzeroMagnitude },
    { $0[floats: "\(layer).input_offset"][0] = .infinity },
    { $0[floats: "\(layer).input_offset"][0] = 1e30 },
    { $0[floats: "\(layer).deq_scale"][0] = .nan },
    { $0.retype("\(layer).quant_bias") { $0.with(encoding: .f32) } },
    { $0.remove("\(layer).input_offset") },
  ]

  @Test(arguments: fixedEdits.indices)
  func failsWithFixedInputs(_ number: Int) throws {
    try expectFailure(
      of: "qwen2", { try $0.convert($1, to: .fixed) },
      after: HostileCodesTests.fixedEdits[number])
  }

  @Test(arguments: [
    ("[]", nil), ("null", nil), (#"{"group_size": -1, "a.weight": "W8A16"}"#, "-1"),
    (#"{"a.weight": 8}"#, "8"),
  ])
  func refusesOtherDescriptions(_ text: String, _ found: String?) throws {
    let scratch = try Scratch()
    let path = scratch.path + "/quant_model_description.json"
    try save(Array(text.utf8), to: path)
    let failure = #expect(throws: Failure.self) {
      try AscendDescription(of: Folder(path: scratch.path))
    }
    #expect(failure?.kind == .badInput && failure?.file == path)
    #expect(failure?.found == found)
  }

  @Test func refusesRowsWithoutColumns() throws {
    let scratch = try Scratch()
    var file = try EditedCheckpoint(seeded("qwen2"))
    file.retype("model.layers.0.mlp.up_proj.weight") { $0.with(shape: [$0.shape.axes[0], 0]) }
    try file.write(scratch.path + "/hostile")
    let failure = #expect(throws: Failure.self) {
      try scratch.convert(scratch.path + "/hostile", to: "ascend-910c", "w8a8-dynamic")
    }
    #expect(failure?.kind == .badInput)
    #expect(failure?.subject == .tensor("model.layers.0.mlp.up_proj.weight"))
    let right = try scratch.convert(seeded("qwen2"), to: "ascend-910c", "w8a8-dynamic")
    #expect(throws: try #require(failure)) { try verify(scratch.path + "/hostile", right) }
  }

  @Test(arguments: ["w8a8-dynamic", "wfp8afp8-dynamic", "w8a8-mxfp8", "w4a4-mxfp4"])
  func agreesOnNaN(_ scheme: String) throws {
    let scratch = try Scratch()
    var file = try EditedCheckpoint(seeded("qwen2"))
    file.retype("\(HostileCodesTests.layer).weight") { $0.with(encoding: .f32) }
    file[floats: "\(HostileCodesTests.layer).weight"][1] = .nan
    file[floats: "\(HostileCodesTests.layer).weight"][2] = -.nan
    try file.write(scratch.path + "/source")
    let folder = try scratch.convert(scratch.path + "/source", to: "ascend-910c", scheme) {
      $0.allowsNonfinite = true
    }
    let report = try verify(scratch.path + "/source", folder, .init(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
  }

  private static let expert = "model.layers.0.mlp.experts.0"

  private static let sumEdits: [@Sendable (inout EditedCheckpoint) -> Void] = [
    { $0.retype("\(expert).down_proj.scale_bias") { $0.with(shape: [$0.shape.axes[0]]) } },
    { $0.retype("\(expert).up_proj.scale_bias") { $0.with(shape: [$0.shape.axes[0]]) } },
    { $0.retype("\(expert).up_proj.scale_bias") { $0.with(shape: [$0.shape.axes[0], 0]) } },
    { $0.retype("\(expert).up_proj.scale_bias") { $0.with(shape: []) } },
  ]

  @Test(arguments: sumEdits.indices)
  func failsWithSumsOfCodes(_ number: Int) throws {
    try expectFailure(
      of: "qwen3moe", { try $0.convert($1, to: "ascend-910c", "w4a8") },
      after: HostileCodesTests.sumEdits[number])
  }
}
