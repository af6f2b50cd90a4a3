import Accelerators
import ByteIO
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// Calibrations in every form give the same folders, and those that cannot be used are refused.
@Suite struct CalibrationTests {
  static let model = "\(fixtures)/models/tiny-qwen2"

  /// The linear layers of the model.
  static func linears() throws -> [String] {
    try Checkpoint.open(model).tensors.compactMap { tensor in
      tensor.name.dropping(suffix: "_proj.weight").map { "\($0)_proj" }
    }
  }

  /// A file that gives every layer the same range of inputs.
  static func json(_ scratch: Scratch) throws -> String {
    let ranges = try linears().map { "\"\($0)\": {\"min\": -1.5, \"max\": 2}" }
    let path = scratch.path + "/calibration.json"
    try save(Array("{\(ranges.joined(separator: ","))}".utf8), to: path)
    return path
  }

  /// A safetensors file of vectors.
  static func safetensors(
    _ scratch: Scratch, _ tensors: [(String, DType, [UInt8])]
  ) throws -> String {
    let path = scratch.path + "/\(UUID().uuidString).safetensors"
    try saveTensors(tensors.map { (ByteString($0.0), $0.1, $0.2) }, to: path)
    return path
  }

  static func float(_ value: Float) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  private func convert(_ scratch: Scratch, _ calibration: String) throws -> Checkpoint {
    let calibration = try Calibration(path: calibration)
    return try Checkpoint.open(
      scratch.convert(CalibrationTests.model, to: "ascend-910c", "w8a8") {
        $0.calibration = calibration
      })
  }

  @Test func everyFormGivesTheSameFolder() throws {
    let scratch = try Scratch()
    let first = try convert(scratch, CalibrationTests.json(scratch))
    let ranges = try CalibrationTests.linears().flatMap { linear in
      // −1.5 and 2 in three types.
      [
        (linear + ".max", DType.bf16, [0x00, 0x40]),
        (
          linear + ".min", linear.contains("layers.0") ? .f16 : .f32,
          linear.contains("layers.0") ? [0x00, 0xBE] : CalibrationTests.float(-1.5)
        ),
      ]
    }
    let file = try CalibrationTests.safetensors(
      scratch, ranges.filter { $0.1 == .f32 } + ranges.filter { $0.1 != .f32 })
    for calibration in [first.path, file] {
      let other = try convert(scratch, calibration)
      #expect(first.tensors.map(\.name) == other.tensors.map(\.name))
      for (a, b) in zip(first.tensors, other.tensors) {
        #expect(
          try first.files[a.file].source.bytes(at: a.offset, count: a.byteCount)
            == other.files[b.file].source.bytes(at: b.offset, count: b.byteCount), "\(a.name)")
      }
    }
    let scale = try #require(first["model.layers.0.self_attn.q_proj.input_scale"])
    #expect(try first.numbers(of: scale) == [2 / 255 + 1.5 / 255])
  }

  private static let scale = ("a.input_scale", DType.f32, float(0.5))
  static let refusals: [(tensors: [(String, DType, [UInt8])], found: String)] = [
    ([("a.k_proj.kv_cache_scale", .f32, float(1) + float(-1))], "-1.0"),
    ([("a.v_proj.kv_cache_offset", .f32, float(200))], "200.0"),
    ([("a.q_proj.kv_cache_scale", .f32, float(1))], "none"),
    ([("a.weight", .f32, float(1))], "none"),
    ([scale], "none"),
    ([scale, ("a.input_offset", .f32, float(1.5))], "0.5 and 1.5"),
    ([scale, ("a.input_offset", .f32, float(128))], "0.5 and 128.0"),
    ([("a.input_scale", .f32, float(0)), ("a.input_offset", .f32, float(3))], "0.0 and 3.0"),
    ([scale, ("a.input_offset", .f32, float(0) + float(1))], "[2]"),
    ([("a.min", .f32, float(2)), ("a.max", .f32, float(1))], "2.0 and 1.0"),
    ([("a.min", .f32, float(2)), ("a.max", .f32, float(.infinity))], "2.0 and inf"),
    ([("a.min", .f64, [UInt8](repeating: 0, count: 8)), ("a.max", .f32, float(1))], "F64"),
  ]

  @Test(arguments: refusals.indices)
  func whatCannotBeUsedIsRefused(_ number: Int) throws {
    let row = CalibrationTests.refusals[number]
    let scratch = try Scratch()
    let path = try CalibrationTests.safetensors(scratch, row.tensors)
    let failure = #expect(throws: Failure.self) { try Calibration(path: path) }
    #expect(failure?.kind == .badInput && failure?.file == path)
    #expect(failure?.found == row.found)
  }

  @Test(arguments: [
    (#"{}"#, nil, "no members"), (#"{"a": {"min": 2, "max": -1}}"#, "a", "min 2, max -1"),
    (#"{"a": {"max": "1"}}"#, "a", "min none, max '1'"), (#"{"a": 7}"#, "a", "min none, max none"),
    (#"{"a": {"min": 0, "max": 1e400}}"#, "a", "min 0, max inf"),
  ])
  func refusesOtherRanges(_ text: String, _ key: String?, _ found: String) throws {
    let scratch = try Scratch()
    let path = scratch.path + "/calibration.json"
    try save(Array(text.utf8), to: path)
    let failure = #expect(throws: Failure.self) { try Calibration(path: path) }
    #expect(failure?.kind == .badInput && failure?.file == path)
    #expect(failure?.subject == key.map { .key(ByteString($0)) })
    #expect(failure?.found == found)
  }

  /// A range of inputs so narrow that no I32 holds the bias is refused, or saturates in both.
  @Test func aBiasBeyondI32IsRefused() throws {
    let scratch = try Scratch()
    let path = try CalibrationTests.safetensors(
      scratch,
      try Checkpoint.open(CalibrationTests.model).tensors.compactMap {
        $0.name.dropping(suffix: "_proj.weight")
      }.flatMap { name -> [(String, DType, [UInt8])] in
        [
          ("\(name)_proj.input_offset", .f32, CalibrationTests.float(0)),
          ("\(name)_proj.input_scale", .f32, CalibrationTests.float(1e-12)),
        ]
      })
    let failure = #expect(throws: Failure.self) { try convert(scratch, path) }
    #expect(failure?.kind == .badInput && failure?.expected == "a quant_bias that I32 holds")
    let folder = try scratch.convert(CalibrationTests.model, to: "ascend-910c", "w8a8") {
      $0.calibration = try? Calibration(path: path)
      $0.allowsNonfinite = true
    }
    let report = try verify(CalibrationTests.model, folder, .init(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
  }

  @Test func aMissingLayerIsNamed() throws {
    let scratch = try Scratch()
    let linear = "model.layers.0.self_attn.q_proj"
    let path = try CalibrationTests.safetensors(
      scratch,
      [(linear + ".max", .f32, CalibrationTests.float(1)), (linear + ".min", .bf16, [0, 0])])
    let failure = #expect(throws: Failure.self) { try convert(scratch, path) }
    #expect(failure?.subject == .tensor("model.layers.0.mlp.gate_proj.weight"))
    #expect(failure?.expected == "'model.layers.0.mlp.gate_proj' in a --calibration")
    #expect(failure?.found == "none in '\(path)'")
  }

  @Test(arguments: [("w8a8-dynamic", 1), ("w8a8", 0)])
  func aCalibrationThatIsNotUsedIsWarnedOf(_ scheme: String, _ count: Int) throws {
    let scratch = try Scratch()
    var request = ConversionRequest(
      target: try Target.named("ascend-910c"), destination: scratch.path + "/out", jobs: 1)
    request.scheme = scheme
    request.calibration = try Calibration(path: CalibrationTests.json(scratch))
    let plan = try Plan(converting: Checkpoint.open(CalibrationTests.model), request)
    #expect(plan.warnings.count { $0.contains("is used for no layer") } == count)
    request.destination = try CalibrationTests.json(scratch)
    let failure = #expect(throws: Failure.self) {
      try Plan(converting: Checkpoint.open(CalibrationTests.model), request)
    }
    #expect(failure?.kind == .cannotCreate)
  }
}
