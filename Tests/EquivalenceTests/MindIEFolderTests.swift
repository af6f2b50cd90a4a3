import Accelerators
import ByteIO
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// Folders for MindIE have its names and say in the config how layers are quantized.
@Suite struct MindIEFolderTests {
  private func convert(
    _ scratch: Scratch, _ source: String = AscendFolderTests.trained, _ scheme: String? = nil,
    _ change: (inout ConversionRequest) -> Void = { _ in }
  ) throws -> String {
    try scratch.convert(source, to: "ascend-910c:mindie", scheme, change)
  }

  /// The layers that `w8a8` makes static, each between −1.5 and 2.
  private func calibration(_ scratch: Scratch, _ source: String) throws -> Calibration {
    let names = try Checkpoint.open(source).tensors.map(\.name.text)
    let lines = names.filter { $0.hasSuffix("_proj.weight") || $0.hasSuffix("_mqa.weight") }.map {
      "\"\($0.dropLast(".weight".count))\": {\"min\": -1.5, \"max\": 2}"
    }
    let file = scratch.path + "/calibration.json"
    try "{\(lines.joined(separator: ","))}".write(toFile: file, atomically: true, encoding: .utf8)
    return try Calibration(path: file)
  }

  private func config(_ folder: String) throws -> JSON {
    try #require(try Folder(path: folder).json("config.json"))
  }

  @Test func namesAndConfigAreMindIEs() throws {
    let scratch = try Scratch()
    let folder = try convert(scratch)
    let names = try Folder(path: folder).names
    #expect(names.contains("quant_model_weight_w8a8_dynamic.safetensors"))
    #expect(names.contains("quant_model_description_w8a8_dynamic.json"))
    let config = try config(folder)
    #expect(config["model_type"] == .text("deepseekv2"))
    #expect(config["quantize"] == .text("w8a8_dynamic"))
    #expect(config["mla_quantize"] == nil && config["mtp_quantize"] == nil)
    #expect(config["quantization_config"]?["kv_quant_type"] == .null)
    let report = try verify(
      AscendFolderTests.trained, folder, VerificationRequest(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
  }

  @Test func staticAttentionIsStated() throws {
    let scratch = try Scratch()
    let source = AscendFolderTests.trained
    let calibration = try calibration(scratch, source)
    let folder = try convert(scratch, source, "w8a8") {
      $0.calibration = calibration
      $0.shardByteLimit = 100_000
    }
    let names = try Folder(path: folder).names
    #expect(names.contains("quant_model_weight_w8a8_dynamic.safetensors.index.json"))
    let text = String(
      decoding: try #require(try Folder(path: folder).bytes(of: "config.json")), as: UTF8.self)
    let page = try String(
      contentsOfFile: fixtures + "/../docs/targets/ascend-mindie.md", encoding: .utf8)
    let shown = page.split(separator: "```\n").dropFirst().first
    #expect(text.hasSuffix(try #require(shown)))
    let report = try verify(source, folder, VerificationRequest(level: .values, jobs: 2))
    #expect(report.failures.isEmpty, report.summary)
  }

  @Test func denseModelsAreNamedByTheirOnlyType() throws {
    let scratch = try Scratch()
    let source = "\(fixtures)/models/tiny-qwen2"
    let calibration = try calibration(scratch, source)
    let folder = try convert(scratch, source, "w8a8") { $0.calibration = calibration }
    #expect(try Folder(path: folder).names.contains("quant_model_description_w8a8.json"))
    #expect(try config(folder)["quantize"] == .text("w8a8"))
    #expect(try config(folder)["model_type"] == .text("qwen2"))
    let report = try verify(source, folder, VerificationRequest(level: .structure, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
  }

  static let edits: [(from: String, to: String, check: Check.Name)] = [
    (#""model_type": "deepseekv2""#, #""model_type": "deepseek_v3""#, .config),
    (#""quantize": "w8a8_dynamic""#, #""quantize": "w8a8""#, .config),
    (#""quantize": "w8a8_dynamic","#, "", .config),
    (#""group_size": 0"#, #""group_size": 128"#, .config),
    (#""hidden_size": 160"#, #""hidden_size": 161"#, .config),
  ]

  @Test(arguments: edits.indices)
  func anotherConfigIsFound(_ number: Int) throws {
    let edit = MindIEFolderTests.edits[number]
    let scratch = try Scratch()
    let folder = try convert(scratch)
    let path = folder + "/config.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.contains(edit.from))
    try text.replacing(edit.from, with: edit.to)
      .write(toFile: path, atomically: true, encoding: .utf8)
    let report = try verify(
      AscendFolderTests.trained, folder, VerificationRequest(level: .structure, jobs: 2))
    #expect(report.failures.map(\.check) == [edit.check], report.summary)
  }

  @Test func anotherNameIsFound() throws {
    let scratch = try Scratch()
    let folder = try convert(scratch)
    try FileManager.default.moveItem(
      atPath: folder + "/quant_model_description_w8a8_dynamic.json",
      toPath: folder + "/quant_model_description_w8a8.json")
    let report = try verify(
      AscendFolderTests.trained, folder, VerificationRequest(level: .structure, jobs: 2))
    #expect(report.failures.map(\.check) == [.smallFile], report.summary)
  }

  static let refusals: [(scheme: String?, override: (String, String)?, message: String)] = [
    ("w4a8", nil, "the target 'ascend-910c:mindie' has no such scheme"),
    ("float", nil, "the target 'ascend-910c:mindie' has no such scheme"),
    (nil, ("*.self_attn.o_proj.weight", "w8a16"), "MindIE does not know the tensor's type"),
    (
      nil, ("*_proj*.weight", "float"),
      "nothing is quantized, and MindIE loads such models as they are"
    ),
  ]

  @Test(arguments: refusals.indices)
  func whatMindIEDoesNotKnowIsRefused(_ number: Int) throws {
    let row = MindIEFolderTests.refusals[number]
    let scratch = try Scratch()
    let failure = #expect(throws: Failure.self) {
      try convert(scratch, AscendFolderTests.trained, row.scheme) { request in
        request.overrides = row.override.map { [(Glob($0.0), $0.1)] } ?? []
      }
    }
    #expect(failure?.message == row.message)
    #expect(failure?.kind == .usage)
  }

  @Test func attentionOfSeveralTypesIsRefused() throws {
    let scratch = try Scratch()
    let calibration = try calibration(scratch, AscendFolderTests.trained)
    let failure = #expect(throws: Failure.self) {
      try convert(scratch, AscendFolderTests.trained, "w8a8") {
        $0.calibration = calibration
        $0.overrides = [(Glob("model.layers.1.self_attn.*"), "w8a8-dynamic")]
      }
    }
    #expect(failure?.message == "MindIE gives one type to all attention")
    #expect(failure?.subject != nil)
  }
}
