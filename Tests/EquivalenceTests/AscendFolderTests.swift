import Accelerators
import ByteIO
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// AscendV1 folders hold the codes and scales of the definition, and what cannot be is refused.
@Suite struct AscendFolderTests {
  static let trained = "\(fixtures)/models/tiny-deepseek-v3"

  private func convert(
    _ scratch: Scratch, _ scheme: String?, _ source: String = trained,
    _ change: (inout ConversionRequest) -> Void = { _ in }
  ) throws -> String {
    try scratch.convert(source, to: "ascend-910c", scheme, change)
  }

  /// Naively computed codes and scales are equal bit for bit; W4A8's scales are no worse than
  /// without a search.
  @Test(
    arguments: AscendScheme.all.filter { !$0.linears.isStatic && $0.groupSize == 0 }.map(\.name))
  func everySchemeGivesTheCodesOfTheDefinition(_ scheme: String) throws {
    let scratch = try Scratch()
    let report = try verify(
      AscendFolderTests.trained, try convert(scratch, scheme),
      VerificationRequest(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
  }

  /// Where groups divide the rows; other layers are left as they are.
  @Test(arguments: AscendScheme.all.filter { (1...128).contains($0.groupSize) })
  func groupsHaveTheirOwnScales(_ scheme: AscendScheme) throws {
    let scratch = try Scratch()
    let source = try Checkpoint.open(AscendFolderTests.trained)
    let other = source.tensors.filter { $0.type.shape.rowLength % scheme.groupSize != 0 }
    let folder = try convert(scratch, scheme.name) { request in
      request.excluded = other.map { Glob($0.name.text) } + [Glob("*.experts.*")]
    }
    let report = try verify(
      AscendFolderTests.trained, folder, VerificationRequest(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
    let description = try #require(try AscendDescription(of: Folder(path: folder)))
    #expect(description.groupSize == scheme.groupSize)
    let name: ByteString = "model.layers.0.self_attn.o_proj.weight"
    #expect(description.types[name] == .w8a16)
    let converted = try Checkpoint.open(folder)
    let columns = try #require(source[name]).type.shape.rowLength
    for part in ["scale", "offset"] {
      let found = try #require(converted[ByteString("\(name)_\(part)")])
      #expect(found.type.shape.axes[1] == columns / scheme.groupSize)
    }
  }

  @Test(arguments: [AscendType.w8a8, .w8a8Mix])
  func calibratedLayersAreStatic(_ type: AscendType) throws {
    let scratch = try Scratch()
    let source = CalibrationTests.model
    let calibration = try Calibration(path: CalibrationTests.json(scratch))
    let folder = try convert(scratch, type.spelling, source) { $0.calibration = calibration }
    let report = try verify(source, folder, VerificationRequest(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
    let types = try #require(try AscendDescription(of: Folder(path: folder))).types
    #expect(types["model.layers.0.self_attn.q_proj.weight"] == type)
    #expect(types["model.layers.0.self_attn.q_proj.bias"] == .float)
    #expect(types["model.layers.0.mlp.down_proj.weight"] == .float)
    #expect(types["model.layers.0.self_attn.q_proj.quant_bias"] == type)
    let hasScales = types["model.layers.0.self_attn.q_proj.weight_scale"] != nil
    #expect(hasScales == (type == .w8a8Mix))
  }

  @Test func aFlippedCodeIsFound() throws {
    let scratch = try Scratch()
    let folder = try convert(scratch, nil)
    let checkpoint = try Checkpoint.open(folder)
    let tensor = try #require(checkpoint["model.layers.1.mlp.experts.3.up_proj.weight"])
    let path = checkpoint.files[tensor.file].source.name
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[tensor.offset + 77] ^= 1
    try bytes.write(to: URL(fileURLWithPath: path))
    let report = try verify(
      AscendFolderTests.trained, folder, VerificationRequest(level: .values, jobs: 2))
    #expect(report.failures.map(\.subject) == [.tensor(tensor.name)])
    #expect(report.failures.map(\.check) == [.bitExact])
  }

  /// What is changed of a matrix with scales that were searched for, and what then fails.
  static let faults: [(part: String, change: @Sendable (inout [Float]) -> Void, fails: [String])] =
    [
      ("scale_bias", { $0[5] *= 1.01 }, ["stored-sum scale_bias"]),
      ("scale_bias", { $0[5] = .nan }, ["finite scale_bias", "stored-sum scale_bias"]),
      (
        "weight_scale", { $0[5] *= 1.5 },
        ["bit-exact weight", "searched-scale weight_scale", "stored-sum scale_bias"]
      ),
      (
        "weight_scale", { $0[5] = -$0[5] },
        ["bit-exact weight", "searched-scale weight_scale", "stored-sum scale_bias"]
      ),
      (
        "weight_scale", { $0.swapAt(5, 6) },
        ["bit-exact weight", "searched-scale weight_scale", "stored-sum scale_bias"]
      ),
    ]

  @Test func faultsOfSearchedScalesAreFound() throws {
    let scratch = try Scratch()
    var edited = try EditedCheckpoint(convert(scratch, "w4a8"))
    var expected: Set<String> = []
    for (number, row) in AscendFolderTests.faults.enumerated() {
      let linear = "model.layers.1.mlp.experts.\(number).up_proj."
      row.change(&edited[floats: linear + row.part])
      for text in row.fails {
        let words = text.split(separator: " ")
        expected.insert("\(words[0]) tensor '\(linear)\(words[1])'")
      }
    }
    try edited.write(scratch.path + "/edited")
    let report = try verify(
      AscendFolderTests.trained, scratch.path + "/edited",
      VerificationRequest(level: .values, jobs: 2))
    #expect(Set(report.failures.map { "\($0.check.rawValue) \($0.subject)" }) == expected)
  }

  /// msModelSlim's way from FP8: dequantized to BF16 first. It passes, and is told.
  @Test(arguments: ["w8a8-dynamic", "w4a8", "wfp8afp8-dynamic", "w8a8-mxfp8"])
  func codesMayComeByWayOfBF16(_ scheme: String) throws {
    let scratch = try Scratch()
    let dequantized = try scratch.convert(AscendFolderTests.trained, to: "safetensors", "bf16")
    let report = try verify(
      AscendFolderTests.trained, try convert(scratch, scheme, dequantized),
      VerificationRequest(jobs: 2))
    #expect(report.verdict == .pass, report.summary)
    #expect(report.notes.contains { $0.contains("rounded to BF16 before they were quantized") })
    #expect(report.tensors.contains { $0.law.hasSuffix("by way of BF16") })
    let own = try verify(
      AscendFolderTests.trained, try convert(scratch, scheme),
      VerificationRequest(level: .values, jobs: 2))
    #expect(!own.notes.contains { $0.contains("BF16") })
  }

  /// Two folders are compared by what they store; other formats have no place for codes.
  @Test func foldersDifferByWhatTheyStore() throws {
    let scratch = try Scratch()
    let folder = try convert(scratch, nil)
    let name = "model.layers.0.self_attn.o_proj.weight"
    var edited = try EditedCheckpoint(folder)
    edited[name][7] ^= 1
    try edited.write(scratch.path + "/edited")
    func differences(_ first: String, _ second: String) throws -> [String] {
      let difference = try Difference(
        Checkpoint.open(first), Checkpoint.open(second), values: VerificationRequest(jobs: 2))
      #expect(difference.onlyInFirst.isEmpty && difference.onlyInSecond.isEmpty)
      return difference.tensors.filter { !$0.isEqual }.map(\.name.text)
    }
    #expect(try differences(folder, folder) == [])
    #expect(try differences(folder, scratch.path + "/edited") == [name])
    let file = try scratch.convert(AscendFolderTests.trained)
    let failure = #expect(throws: Failure.self) { try differences(folder, file) }
    #expect(failure?.kind == .usage)
  }

  /// The bytes do not depend on how the work is cut.
  @Test func partsAndThreadsChangeNoTensor() throws {
    let scratch = try Scratch()
    let one = try Checkpoint.open(try convert(scratch, "w4a8") { $0.jobs = 1 })
    let parts = try Checkpoint.open(
      try convert(scratch, "w4a8") {
        $0.jobs = 4
        $0.shardByteLimit = 40_000
        $0.memoryByteLimit = 40 << 20
      })
    #expect(parts.files.count > 10)
    for tensor in one.tensors {
      let other = try #require(parts[tensor.name])
      #expect(other.type == tensor.type)
      let a = try one.files[tensor.file].source.bytes(at: tensor.offset, count: tensor.byteCount)
      let b = try parts.files[other.file].source.bytes(at: other.offset, count: other.byteCount)
      #expect(a == b, "\(tensor.name)")
    }
    #expect(one.tensors.count == parts.tensors.count)
  }

  static let refusals: [(overrides: [(String, String)], scheme: String, message: String)] = [
    (
      [("*.0.mlp.gate_proj.weight", "float")], "w8a8-dynamic",
      "the runtime joins the gate and up of a layer, so they must have one type"
    ),
    (
      [("*.1.mlp.experts.2.*", "float")], "w8a8-dynamic",
      "the runtime joins the experts of a layer, so they must have one type"
    ),
    (
      [("model.layers.0.self_attn.kv_b_proj.weight", "w8a8-dynamic")], "w8a8-dynamic",
      "the runtime holds the tensor in floats only"
    ),
    (
      [("*.self_attn.o_proj.weight", "w4a8-dynamic")], "w8a8-dynamic",
      "W4A8_DYNAMIC does not fit the tensor; --override gives it another type"
    ),
    (
      [], "w8a16-g256", "W8A16 does not fit the tensor; --override gives it another type"
    ),
    (
      [("*.experts.*", "w4a8-dynamic")], "w8a16-g32",
      "the description states one group size for all layers"
    ),
    (
      [("*.experts.*", "w8a8-mxfp8")], "w8a16-g32",
      "the description states one group size for all layers"
    ),
    (
      [], "w8a8",
      "the layer's inputs are not calibrated; w8a8-dynamic and all schemes but w8a8 and w8a8-mix work "
        + "without"
    ),
  ]

  @Test(arguments: refusals.indices)
  func whatTheRuntimeCannotReadIsRefused(_ number: Int) throws {
    let row = AscendFolderTests.refusals[number]
    let scratch = try Scratch()
    let failure = #expect(throws: Failure.self) {
      try convert(scratch, row.scheme) {
        $0.overrides = row.overrides.map { (Glob($0.0), $0.1) }
      }
    }
    #expect(failure?.message == row.message)
    #expect(failure?.kind == .usage && failure?.subject != nil)
  }

  /// Blocks of FP8 made from floats are those of the definition, and read back by their values.
  @Test func blocksOfFP8AreThoseOfTheDefinition() throws {
    let scratch = try Scratch()
    let plain = try scratch.convert(AscendFolderTests.trained, to: "safetensors", "bf16")
    let blocks = try scratch.convert(plain, to: "safetensors", "fp8-block128")
    let report = try verify(plain, blocks, VerificationRequest(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
    let again = try scratch.convert(blocks, to: "safetensors", "bf16")
    #expect(try Checkpoint.open(again).tensors.count == Checkpoint.open(plain).tensors.count)
    let failure = #expect(throws: Failure.self) {
      try scratch.convert(blocks, to: "safetensors", "fp8-block128")
    }
    #expect(failure?.message.contains("--allow-requantize") == true)
  }

  /// A model whose matrices are called otherwise stays as it is, and its config says nothing else.
  @Test func noBlocksAreStatedWhereThereAreNone() throws {
    let scratch = try Scratch()
    var request = ConversionRequest(
      target: try Target.named("safetensors"), destination: scratch.path + "/out", jobs: 1)
    request.scheme = "fp8-block128"
    request.search = .thorough
    let plan = try Plan(converting: Checkpoint.open(seeded("bert")), request)
    #expect(
      plan.warnings.suffix(2) == [
        "'fp8-block128' changes no tensor: none is the weight of a projection",
        "--search thorough changes nothing: no tensor is made of blocks",
      ])
    try plan.execute(replaces: false, cancellation: Cancellation())
    let report = try verify(seeded("bert"), scratch.path + "/out", .init(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
  }

  /// What the runtime is told beside types may be more than is known here.
  @Test func otherStatementsAreLeftAlone() throws {
    let scratch = try Scratch()
    var edited = try EditedCheckpoint(convert(scratch, nil))
    edited.restate(
      "\"group_size\": 0", "\"group_size\": null, \"reduce_quant_type\": \"per_channel\"")
    try edited.write(scratch.path + "/edited")
    let report = try verify(
      AscendFolderTests.trained, scratch.path + "/edited", .init(level: .structure, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
  }

  /// The runtime holds scales in the model's type.
  @Test(arguments: ["w8a8-dynamic", "w4a8", "wfp8afp8-dynamic"])
  func scalesMayBeNarrow(_ scheme: String) throws {
    let scratch = try Scratch()
    var edited = try EditedCheckpoint(convert(scratch, scheme))
    for tensor in edited.tensors where tensor.name.hasSuffix(".weight_scale") {
      let values = edited[floats: tensor.name.text]
      edited.retype(tensor.name.text) { $0.with(encoding: .bf16) }
      edited[tensor.name.text] = values.flatMap { value in
        let bits = UInt16((value.bitPattern + 0x7FFF + value.bitPattern >> 16 & 1) >> 16)
        return [UInt8(bits & 0xFF), UInt8(bits >> 8)]
      }
    }
    try edited.write(scratch.path + "/edited")
    let report = try verify(AscendFolderTests.trained, scratch.path + "/edited")
    #expect(!report.failures.contains { $0.check == .encoding || $0.check == .outputError })
    #expect(!report.failures.contains { $0.measured.contains("does not run") })
  }

  /// The form of `deq_scale` goes by the type in the config that the runtime reads.
  @Test(arguments: [("qwen2", "bfloat16", "float16"), ("qwen2-untied-f16", "float16", "bfloat16")])
  func theConfigAndDeqScalesAgree(_ model: String, _ own: String, _ other: String) throws {
    let scratch = try Scratch()
    var edited = try EditedCheckpoint(scratch.convert(seeded(model), to: .fixed))
    edited.editFile("config.json") { $0 = $0.replacing(own, with: other) }
    try edited.write(scratch.path + "/edited")
    let report = try verify(
      seeded(model), scratch.path + "/edited", .init(level: .structure, jobs: 2))
    #expect(!report.failures.isEmpty)
    #expect(
      report.failures.allSatisfy {
        $0.check == .encoding && "\($0.subject)".contains("deq_scale")
      }, report.summary)
  }

  @Test func weightsBesideTheIndexAreFound() throws {
    let scratch = try Scratch()
    let folder = try convert(scratch, nil) { $0.shardByteLimit = 500_000 }
    let stray = folder + "/model.safetensors"
    try saveTensors([("a", .f32, [0, 0, 0, 0])], to: stray)
    let report = try verify(AscendFolderTests.trained, folder, .init(level: .structure, jobs: 2))
    #expect(report.failures.map(\.subject) == [.file("model.safetensors")])
  }

  /// A joined layer has one scale and one offset for its inputs.
  @Test func joinedLayersHaveOneCalibration() throws {
    let scratch = try Scratch()
    let ranges = try CalibrationTests.linears().map { name in
      "\"\(name)\": {\"min\": -1, \"max\": \(name.hasSuffix("1.mlp.up_proj") ? 3 : 2)}"
    }
    let path = scratch.path + "/calibration.json"
    try save(Array("{\(ranges.joined(separator: ","))}".utf8), to: path)
    let calibration = try Calibration(path: path)
    let failure = #expect(throws: Failure.self) {
      try convert(scratch, "w8a8", CalibrationTests.model) { $0.calibration = calibration }
    }
    #expect(failure?.message == "the calibration differs for layers that the runtime joins")
    #expect(failure?.subject == .tensor("model.layers.1.mlp.up_proj.input_scale"))
  }
}
