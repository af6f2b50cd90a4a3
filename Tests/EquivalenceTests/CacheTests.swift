import Accelerators
import ByteIO
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// Scales and offsets of the cache of keys and values pass through a conversion, from the source or
/// from a calibration.
@Suite struct CacheTests {
  private static let model = CalibrationTests.model
  private static let scale: ByteString = "model.layers.0.self_attn.k_proj.kv_cache_scale"

  /// For each layer of the model: keys with a scale for every channel, values with one for all.
  private static func tensors() throws -> [(String, DType, [UInt8])] {
    var all: [(String, DType, [UInt8])] = []
    for tensor in try Checkpoint.open(model).tensors {
      guard let layer = tensor.name.dropping(suffix: ".k_proj.weight") else { continue }
      let channels = (0..<tensor.type.shape.axes[0]).map { Float(1 + $0) / 64 }
      all += [
        (
          "\(layer).k_proj.kv_cache_offset", .f32,
          channels.flatMap { _ in CalibrationTests.float(0) }
        ),
        ("\(layer).k_proj.kv_cache_scale", .f32, channels.flatMap(CalibrationTests.float)),
        ("\(layer).v_proj.kv_cache_offset", .f32, CalibrationTests.float(-3)),
        ("\(layer).v_proj.kv_cache_scale", .f32, CalibrationTests.float(0.25)),
      ]
    }
    return all
  }

  /// The tensors of a checkpoint as bytes, by name.
  private static func bytes(_ path: String) throws -> [ByteString: [UInt8]] {
    let checkpoint = try Checkpoint.open(path)
    var all: [ByteString: [UInt8]] = [:]
    for tensor in checkpoint.tensors {
      all[tensor.name] = try checkpoint.files[tensor.file].source.bytes(
        at: tensor.offset, count: tensor.byteCount)
    }
    return all
  }

  /// A copy of the model with these tensors beside its own.
  private static func source(
    _ scratch: Scratch, _ tensors: [(String, DType, [UInt8])]
  ) throws -> String {
    var edited = try EditedCheckpoint(model)
    for (name, dtype, bytes) in tensors {
      edited.tensors.append(
        .init(
          name: ByteString(name),
          type: TensorType(
            shape: [bytes.count * 8 / dtype.bitWidth], encoding: .plain(dtype)), bytes: bytes))
    }
    let path = scratch.path + "/source"
    try edited.write(path)
    return path
  }

  /// Converts the model with these tensors as its calibration.
  private func convert(
    _ scratch: Scratch, to target: String, calibratedBy tensors: [(String, DType, [UInt8])]
  ) throws -> String {
    let calibration = try Calibration(path: CalibrationTests.safetensors(scratch, tensors))
    return try scratch.convert(CacheTests.model, to: target, nil) { $0.calibration = calibration }
  }

  @Test func mindIEIsToldInTheConfig() throws {
    let scratch = try Scratch()
    let folder = try convert(
      scratch, to: "ascend-910c:mindie", calibratedBy: CacheTests.tensors())
    let config = try #require(try Folder(path: folder).json("config.json"))
    #expect(config["quantization_config"]?["kv_quant_type"] == .text("C8"))
    let description = try #require(try AscendDescription(of: Folder(path: folder)))
    #expect(description.hasCache && description.types[CacheTests.scale] == .c8)
    let report = try verify(
      CacheTests.model, folder, VerificationRequest(level: .values, jobs: 2))
    #expect(report.failures.isEmpty, report.summary)
  }

  @Test func aCalibrationsCacheIsPassedThrough() throws {
    let scratch = try Scratch()
    let tensors = try CacheTests.tensors()
    let folder = try convert(scratch, to: "ascend-910c", calibratedBy: tensors)
    let found = try CacheTests.bytes(folder)
    for (name, _, bytes) in tensors { #expect(found[ByteString(name)] == bytes, "\(name)") }
    let description = try #require(try AscendDescription(of: Folder(path: folder)))
    #expect(description.hasCache && description.types[CacheTests.scale] == .c8)
    let text = try String(contentsOfFile: folder + "/quant_model_description.json", encoding: .utf8)
    #expect(
      text.contains("\"kv_quant_type\": \"C8\"") && text.contains("\"kv_cache_type\": \"C8\""))
    #expect(text.contains("\"model_quant_type\": \"W8A8_DYNAMIC\""))
    let report = try verify(CacheTests.model, folder)
    #expect(report.verdict == .pass, report.summary)
    #expect(report.levels.count == 4)

    var wrong = try EditedCheckpoint(folder)
    wrong[floats: CacheTests.scale.text][3] = -1
    wrong[floats: "model.layers.1.self_attn.v_proj.kv_cache_offset"] = [0.5]
    wrong.tensors.remove(at: wrong.position("model.layers.0.self_attn.v_proj.kv_cache_scale"))
    let key = "quant_model_description.json"
    wrong.files[key] = Array(
      String(decoding: try #require(wrong.files[key]), as: UTF8.self)
        .replacing("\"kv_cache_type\"", with: "\"fa_quant_type\"")
        .utf8)
    try wrong.write(scratch.path + "/wrong")
    let failures = try verify(
      CacheTests.model, scratch.path + "/wrong", .init(level: .values, jobs: 2)
    ).failures
    #expect(
      Set(failures.map { "\($0.check.rawValue) \($0.subject)" }) == [
        "calibrated-setting tensor '\(CacheTests.scale)'",
        "calibrated-setting tensor 'model.layers.1.self_attn.v_proj.kv_cache_offset'",
        "tensor-present tensor 'model.layers.0.self_attn.v_proj.kv_cache_scale'",
        "config key 'kv_cache_type'",
      ])
  }

  @Test func aSourcesCacheIsComparedBitForBit() throws {
    let scratch = try Scratch()
    let tensors = try CacheTests.tensors()
    let source = try CacheTests.source(scratch, tensors)
    let folder = try scratch.convert(source, to: "ascend-910c", "w8a16")
    let report = try verify(source, folder)
    #expect(report.verdict == .pass, report.summary)
    #expect(report.notChecked.allSatisfy { !$0.contains("calibration") })
    let found = try CacheTests.bytes(folder)
    for (name, _, bytes) in tensors { #expect(found[ByteString(name)] == bytes, "\(name)") }

    var wrong = try EditedCheckpoint(folder)
    wrong[floats: CacheTests.scale.text][3] = 7
    try wrong.write(scratch.path + "/wrong")
    let failures = try verify(source, scratch.path + "/wrong", .init(level: .values, jobs: 2))
      .failures
    #expect(failures.map(\.subject) == [.tensor(CacheTests.scale)])
  }

  @Test func aCacheWithoutScalesIsAFailure() throws {
    let scratch = try Scratch()
    var wrong = try EditedCheckpoint(
      scratch.convert(CacheTests.model, to: "ascend-910c", "w8a8-dynamic"))
    let key = "quant_model_description.json"
    wrong.files[key] = Array(
      String(decoding: try #require(wrong.files[key]), as: UTF8.self)
        .replacing("\"metadata\"", with: "\"kv_cache_type\": \"C8\", \"metadata\"").utf8)
    try wrong.write(scratch.path + "/wrong")
    let failures = try verify(
      CacheTests.model, scratch.path + "/wrong", .init(level: .values, jobs: 2)
    ).failures
    #expect(failures.map { "\($0.check.rawValue) \($0.subject)" } == ["config key 'kv_cache_type'"])
  }

  @Test func halfACacheIsRefused() throws {
    let scratch = try Scratch()
    let half = try CacheTests.tensors().filter { !$0.0.hasSuffix("v_proj.kv_cache_scale") }
    let path = try CalibrationTests.safetensors(scratch, half)
    let failure = #expect(throws: Failure.self) {
      try scratch.convert(CacheTests.model, to: "ascend-910c", nil) {
        $0.calibration = try? Calibration(path: path)
      }
    }
    #expect(failure?.expected == "'model.layers.0.self_attn.v_proj.kv_cache_scale' beside it")
    let short = try CacheTests.tensors().map { tensor in
      (tensor.0, tensor.1, tensor.2.count > 4 ? Array(tensor.2.dropLast(4)) : tensor.2)
    }
    let other = try CalibrationTests.safetensors(scratch, short)
    let misfit = #expect(throws: Failure.self) {
      try scratch.convert(CacheTests.model, to: "ascend-910c", nil) {
        $0.calibration = try? Calibration(path: other)
      }
    }
    #expect(misfit?.message == "the calibration does not fit the model")
  }
}
