import Accelerators
import ByteIO
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// Checkpoints that say the same in another spelling give the same files.
@Suite struct SpellingTests {
  /// A checkpoint and the same with other names or another config.
  private static let rows:
    [(model: String, name: @Sendable (String) -> String, config: [(String, String)])] = [
      ("seeded/qwen2", { $0.replacing(/^model\./, with: "") }, []),
      ("seeded/qwen3", { $0.replacing(/^model\./, with: "") }, []),
      (
        "seeded/bert",
        {
          $0.replacing(/LayerNorm\.weight$/, with: "LayerNorm.gamma")
            .replacing(/LayerNorm\.bias$/, with: "LayerNorm.beta")
        }, []
      ),
      ("seeded/gpt2", { $0 }, [("\"n_positions\"", "\"max_position_embeddings\"")]),
      ("seeded/mixtral", { $0 }, [("\"num_local_experts\"", "\"num_experts\"")]),
      (
        "tiny-deepseek-v3", { $0 },
        [
          ("\"n_routed_experts\"", "\"num_local_experts\""), ("\"scoring_func\"", "\"other\""),
          ("\"num_key_value_heads\": ", "\"num_key_value_heads\": 1, \"other_heads\": "),
        ]
      ),
    ]

  private func write(_ row: Int, to folder: String, changed: Bool) throws {
    let (model, name, config) = SpellingTests.rows[row]
    var checkpoint = try EditedCheckpoint("\(fixtures)/models/\(model)")
    if changed {
      for index in checkpoint.tensors.indices {
        checkpoint.tensors[index].name = ByteString(name(checkpoint.tensors[index].name.text))
      }
      var text = String(decoding: try #require(checkpoint.files["config.json"]), as: UTF8.self)
      for (old, new) in config {
        try #require(text.contains(old))
        text = text.replacing(old, with: new)
      }
      checkpoint.files["config.json"] = Array(text.utf8)
    }
    try checkpoint.write(folder)
  }

  @Test(arguments: rows.indices)
  func otherSpellingsGiveTheSameFile(_ row: Int) throws {
    let scratch = try Scratch()
    let files = try [false, true].map { changed in
      // The model is named after the folder.
      let folder = "\(scratch.path)/\(changed)/model"
      try write(row, to: folder, changed: changed)
      return try scratch.convert(folder)
    }
    #expect(FileManager.default.contentsEqual(atPath: files[0], andPath: files[1]))
    let report = try verify("\(scratch.path)/true/model", files[1])
    #expect(report.verdict == .pass, report.summary)
  }

  /// What the runtime for the Ascend calls its tensors stays the same too.
  @Test func missingWordsAreWrittenForOtherRuntimes() throws {
    let scratch = try Scratch()
    let folder = scratch.path + "/model"
    try write(1, to: folder, changed: true)
    let converted = try scratch.convert(folder, to: "ascend-910c")
    let report = try verify(folder, converted)
    #expect(report.verdict == .pass, report.summary)
    let right = try EditedCheckpoint(scratch.convert(seeded("qwen3"), to: "ascend-910c"))
    let found = try EditedCheckpoint(converted)
    #expect(found.tensors.map(\.name).sorted() == right.tensors.map(\.name).sorted())
    for tensor in right.tensors { #expect(found[tensor.name.text] == tensor.bytes) }
  }

  /// llama.cpp normalises the weights of experts, whatever the config says.
  @Test(arguments: [(true, nil), (false, "is false"), (nil, "is missing")] as [(Bool?, String?)])
  func whatTheRuntimeDoesNotDoIsWarnedOf(_ value: Bool?, _ warning: String?) throws {
    let scratch = try Scratch()
    var checkpoint = try EditedCheckpoint(seeded("qwen3moe"))
    let text = String(decoding: try #require(checkpoint.files["config.json"]), as: UTF8.self)
    let stated = value.map { "\"norm_topk_prob\": \($0)," } ?? ""
    checkpoint.files["config.json"] = Array(
      text.replacing(/"norm_topk_prob": true,/, with: stated).utf8)
    try checkpoint.write(scratch.path + "/model")
    var request = ConversionRequest(
      target: try Target.named("gguf"), destination: scratch.path + "/out.gguf", jobs: 2)
    request.scheme = "f32"
    let plan = try Plan(converting: Checkpoint.open(scratch.path + "/model"), request)
    #expect(
      plan.warnings
        == (warning.map {
          ["config.json: 'norm_topk_prob' \($0), but llama.cpp knows only true for qwen3moe"]
        } ?? []))
    try plan.execute(replaces: false, cancellation: Cancellation())
    let report = try verify(scratch.path + "/model", request.destination)
    #expect((report.verdict == .pass) == (warning == nil), report.summary)
  }

  /// Settings that published configs have, and what GGUF says of them.
  @Test(arguments: [
    (
      "mistral",
      #""rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "#
        + #""original_max_position_embeddings": 64}"#, "llama.rope.freq_base",
      MetadataValue.float32(1e6)
    ),
    (
      "llama", #""rope_scaling": {"type": "yarn", "factor": 4}"#,
      "llama.rope.scaling.original_context_length", .uint32(256)
    ),
    (
      "qwen3", #""rope_scaling": {"type": "linear", "factor": 2}"#, "qwen3.rope.scaling.factor",
      .float32(2)
    ),
    (
      "qwen3", #""rope_scaling": {"type": "linear", "factor": 2}"#, "qwen3.rope.freq_base",
      .float32(1e6)
    ),
    ("qwen2", #""is_causal": false"#, "qwen2.attention.causal", .bool(false)),
  ])
  func settingsAreKept(
    _ model: String, _ setting: String, _ key: ByteString, _ value: MetadataValue
  ) throws {
    let scratch = try Scratch()
    var checkpoint = try EditedCheckpoint(seeded(model))
    var config = String(decoding: try #require(checkpoint.files["config.json"]), as: UTF8.self)
    config.replace(/"rope_scaling": null,/, with: "")
    config.replace("{", with: "{\(setting),", maxReplacements: 1)
    checkpoint.files["config.json"] = Array(config.utf8)
    try checkpoint.write(scratch.path + "/model")
    let converted = try scratch.convert(scratch.path + "/model")
    #expect(try Checkpoint.open(converted).metadata[key] == value)
    let report = try verify(scratch.path + "/model", converted)
    #expect(report.verdict == .pass, report.summary)
    // The setting is none that the models would compute the same without.
    let plain = try verify(seeded(model), converted)
    #expect(plain.verdict == .fail)
  }
}
