import ByteIO
import TensorTypes
import Testing

@testable import Accelerators

/// Every mix on models of several kinds gives each tensor the type that llama.cpp's quantizer gave
/// it; `Fixtures/targets/mixes.json` holds what that was.
@Suite struct GGUFMixTests {
  private static let golden: JSON = {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let file = try! InputFile(path: "/\(root)/Fixtures/targets/mixes.json")
    return try! JSON(parsing: file.bytes(at: 0, count: file.byteCount))
  }()

  private static let models = golden["models"]?.object?.members.map(\.key) ?? []

  @Test(arguments: models)
  func typesAreThoseOfTheReference(_ model: ByteString) throws {
    let description = try #require(GGUFMixTests.golden["models"]?[model])
    let tensors = try #require(description["tensors"]?.array).map { item in
      let name = try #require(item.array?[0].byteString)
      let axes = try #require(item.array?[1].array).compactMap(\.integer)
      return (name: name, type: TensorType(shape: Shape(axes), encoding: .f32))
    }
    let counts = GGUFModelCounts(
      architecture: try #require(description["architecture"]?.string),
      layerCount: try #require(description["layers"]?.integer),
      headCount: try #require(description["heads"]?.integer),
      keyValueHeadCount: try #require(description["kv_heads"]?.integer),
      expertCount: try #require(description["experts"]?.integer))
    var compared = 0
    for mix in GGUFMix.all {
      for hasImportance in [false, true] {
        let key = "\(model) \(mix.name.rawValue)\(hasImportance ? " imatrix" : "")"
        guard let expected = GGUFMixTests.golden["types"]?[ByteString(key)]?.string else {
          continue
        }
        var options = GGUFMixOptions()
        options.hasImportance = hasImportance
        let encodings = try mix.encodings(of: tensors, counts, options)
        let found = tensors.map { (encodings[$0.name] ?? .f32).name.lowercased() }
        #expect(found == expand(expected), "\(key)")
        compared += 1
      }
    }
    #expect(compared > 45)
  }

  @Test(arguments: [
    ("gguf", "q4_k", "q4_k_m"), ("gguf", "Q4-K", "q4_k_m"), ("gguf", "Q4-K-S", "q4_k_s"),
    ("ascend-910c", "w4a8-dynamic", "w4a8"), ("ascend-910c", "W4A8_DYNAMIC", "w4a8"),
  ])
  func schemesHaveOtherSpellings(_ target: String, _ name: String, _ scheme: String) throws {
    #expect(try Target.named(target).scheme(named: name).name == scheme)
  }

  /// `q4_k*3 q6_k` as four types.
  private func expand(_ runs: String) -> [String] {
    runs.split(separator: " ").flatMap { run in
      let parts = run.split(separator: "*")
      return Array(repeating: String(parts[0]), count: parts.count > 1 ? Int(parts[1])! : 1)
    }
  }

  @Test func aMixThatNeedsImportanceSaysForWhichTensors() {
    let mix = GGUFMix.all.first { $0.name == .iq2_xs }!
    let type = Encoding.block(BlockType(named: "iq2_xs")!)
    #expect(mix.needsImportance("blk.0.attn_q.weight", type))
    #expect(!mix.needsImportance("output.weight", type))
    #expect(!mix.needsImportance("blk.0.attn_v.weight", .block(.q4_k)))
  }

  @Test func rowsThatFitNoTypeAreRefused() {
    let mix = GGUFMix.all.first { $0.name == .q1_0 }!
    let counts = GGUFModelCounts(
      architecture: "llama", layerCount: 1, headCount: 1, keyValueHeadCount: 1, expertCount: 0)
    let tensors = [
      (name: ByteString("output.weight"), type: TensorType(shape: [2, 128], encoding: .f32)),
      (name: "blk.0.attn_q.weight", type: TensorType(shape: [2, 96], encoding: .f32)),
    ]
    let failure = #expect(throws: Failure.self) {
      try mix.encodings(of: tensors, counts, GGUFMixOptions())
    }
    #expect(failure?.subject == .tensor("blk.0.attn_q.weight"))
    #expect(failure?.found == "96")
  }
}
