import ByteIO
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// Every row of the table of checks has a subject that passes and one that fails.
@Suite struct CheckTests {
  @Test(arguments: Check.Name.allCases)
  func passesAndFails(_ name: Check.Name) throws {
    let row = Check[name]
    #expect(row.name == name)
    #expect(!row.metric.isEmpty && !row.bound.isEmpty && !row.because.isEmpty)
    let findings = try CheckTests.findings.get().filter { $0.check == name }
    #expect(findings.contains { $0.verdict == .pass })
    #expect(findings.contains { $0.verdict == .fail })
    #expect(findings.allSatisfy { !$0.measured.isEmpty && !$0.bound.isEmpty })
  }

  /// Those of correct conversions and of some that are broken in every way that a check looks for.
  private static let findings = Result { () throws -> [Finding] in
    let scratch = try Scratch()
    var findings: [Finding] = []
    let mixtral = seeded("mixtral")
    for scheme in ["f32", "q8_0"] {
      let correct = try scratch.convert(mixtral, scheme)
      findings += try verify(mixtral, correct).findings
      var edited = try EditedCheckpoint(correct)
      breakValues(&edited)
      try edited.write(scratch.path + "/values.gguf")
      findings += try verify(mixtral, scratch.path + "/values.gguf").findings
      breakStructure(&edited)
      try edited.write(scratch.path + "/structure.gguf")
      let structure = VerificationRequest(level: .structure, jobs: 1)
      findings += try verify(mixtral, scratch.path + "/structure.gguf", structure).findings
    }
    findings += try verify(mixtral, try brokenFolder(of: mixtral, scratch)).findings
    findings += try describedWrongly(mixtral, scratch)
    findings += try uncovered(mixtral, try scratch.convert(mixtral, "f32"))
    findings += try widened(scratch)
    findings += try calibrated(scratch)
    findings += try searched(scratch)
    return findings
  }

  private static func breakValues(_ edited: inout EditedCheckpoint) {
    edited.move("blk.0.ffn_gate_inp.weight", count: 4) { ($0 + 1) % 4 }
    edited.exchange("blk.0.attn_q.weight", "blk.1.attn_q.weight")
    edited["output.weight"].reverse()
    edited[floats: "output_norm.weight"][3] = .infinity
    edited[floats: "blk.1.attn_norm.weight"][0] += 0.5
  }

  private static func breakStructure(_ edited: inout EditedCheckpoint) {
    edited.metadata.set("general.architecture", .text("gpt2"))
    edited.metadata.set("llama.rope.freq_base", .float32(1))
    edited.metadata.set("tokenizer.ggml.bos_token_id", .uint32(7))
    edited.retype("blk.0.attn_q.weight") { $0.with(shape: [16, 64]) }
    edited.retype("blk.0.attn_norm.weight") { $0.with(encoding: .f16) }
    edited.tensors[0].name = "renamed.weight"
  }

  /// A copy with a bit of a weight, a setting and a tokenizer file changed.
  private static func brokenFolder(of model: String, _ scratch: Scratch) throws -> String {
    let folder = try scratch.convert(model, to: "safetensors")
    let checkpoint = try Checkpoint.open(folder)
    let file = checkpoint.files[checkpoint.tensors[0].file].source
    var bytes = try file.bytes(at: 0, count: file.byteCount)
    bytes[checkpoint.tensors[0].offset] ^= 1
    try save(bytes, to: file.name)
    for (name, from, to) in [
      ("config.json", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 1e-06"),
      ("tokenizer_config.json", "<s>", "<t>"),
    ] {
      let url = URL(filePath: folder).appending(path: name)
      let text = try String(contentsOf: url, encoding: .utf8)
      #expect(text.contains(from), "\(name)")
      try text.replacingOccurrences(of: from, with: to)
        .write(to: url, atomically: true, encoding: .utf8)
    }
    return folder
  }

  /// An AscendV1 folder whose description lacks an entry.
  private static func describedWrongly(
    _ model: String, _ scratch: Scratch
  ) throws -> [Finding] {
    let folder = try scratch.convert(model, to: "ascend-910c")
    var edited = try EditedCheckpoint(folder)
    edited.editEntry("model.layers.0.self_attn.q_proj.weight", nil)
    try edited.write(scratch.path + "/described")
    let report = try verify(
      model, scratch.path + "/described", VerificationRequest(level: .structure, jobs: 1))
    #expect(report.failures.count == 1, report.summary)
    return report.findings
  }

  /// What is found when the graph forgets a source tensor.
  private static func uncovered(_ source: String, _ converted: String) throws -> [Finding] {
    var expectation = try Expectation(
      source: Checkpoint.open(source), converted: Checkpoint.open(converted))
    let forgotten = expectation.tensors.removeLast()
    var report = VerificationReport(source: source, converted: converted, .init(jobs: 1))
    expectation.checkTensors(into: &report)
    #expect(report.failures.contains { $0.check == .sourceCovered })
    #expect(report.failures.contains { $0.subject == .tensor(forgotten.name) })
    return report.findings
  }

  /// Layers with inputs of a calibration, and one whose offset no layer can have.
  private static func calibrated(_ scratch: Scratch) throws -> [Finding] {
    let calibration = try scratch.calibration(of: CalibrationTests.model)
    let folder = try scratch.convert(CalibrationTests.model, to: "ascend-910c", "w8a8") {
      $0.calibration = calibration
    }
    let request = VerificationRequest(level: .values, jobs: 1)
    let correct = try verify(CalibrationTests.model, folder, request)
    var edited = try EditedCheckpoint(folder)
    edited[floats: "model.layers.0.self_attn.o_proj.input_offset"] = [0.5]
    edited[floats: "model.layers.0.self_attn.k_proj.input_scale"][0] *= 2
    try edited.write(scratch.path + "/offset")
    return try correct.findings
      + verify(CalibrationTests.model, scratch.path + "/offset", request).findings
  }

  /// Experts with scales that were searched for, and one whose scale is not theirs.
  private static func searched(_ scratch: Scratch) throws -> [Finding] {
    let folder = try scratch.convert(AscendFolderTests.trained, to: "ascend-910c", "w4a8")
    let request = VerificationRequest(level: .values, jobs: 1)
    let correct = try verify(AscendFolderTests.trained, folder, request)
    var edited = try EditedCheckpoint(folder)
    edited[floats: "model.layers.1.mlp.experts.3.up_proj.weight_scale"][5] *= 1.5
    try edited.write(scratch.path + "/scale")
    return try correct.findings
      + verify(AscendFolderTests.trained, scratch.path + "/scale", request).findings
  }

  /// Tensors that became F64, one with a value changed.
  private static func widened(_ scratch: Scratch) throws -> [Finding] {
    let values: [Float] = [1, -2.5, .nan, 0.1]
    let narrow = values.flatMap { withUnsafeBytes(of: $0) { Array($0) } }
    let wide = values.map(Double.init)
    let other = wide.map { $0 == 0.1 ? $0 : $0.nextUp }
    let source = scratch.path + "/narrow.safetensors"
    let converted = scratch.path + "/wide.safetensors"
    try saveTensors([("a", .f32, narrow), ("b", .f32, narrow)], to: source)
    try saveTensors(
      [
        ("a", .f64, wide.flatMap { withUnsafeBytes(of: $0) { Array($0) } }),
        ("b", .f64, other.flatMap { withUnsafeBytes(of: $0) { Array($0) } }),
      ], to: converted)
    return try verify(source, converted, .init(level: .values, jobs: 1)).findings
  }
}

/// Writes vectors as a safetensors file.
func saveTensors(_ tensors: [(name: ByteString, dtype: DType, bytes: [UInt8])], to path: String)
  throws
{
  let framing = try Format[.safetensors].frame(
    Metadata(),
    tensors.map { tensor in
      let count = tensor.bytes.count * 8 / tensor.dtype.bitWidth
      return Declaration(
        name: tensor.name, type: TensorType(shape: [count], encoding: .plain(tensor.dtype)))
    })
  try save(framing.prefix + tensors.flatMap(\.bytes), to: path)
}
