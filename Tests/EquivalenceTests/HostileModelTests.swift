import Accelerators
import Conversion
import Foundation
import Support
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// Models that no one trained: none may stop the process.
@Suite struct HostileModelTests {
  @Test(arguments: ["attention.head_count", "attention.head_count_kv"])
  func moreHeadsThanANumberHolds(_ key: String) throws {
    let scratch = try Scratch()
    var file = try EditedCheckpoint(try scratch.convert(seeded("llama")))
    file.metadata.set(ByteString("llama.\(key)"), .uint64(UInt64(Int.max)))
    let path = scratch.path + "/edited.gguf"
    try file.write(path)
    let failure = #expect(throws: Failure.self) { try scratch.convert(path, to: "safetensors") }
    #expect(failure?.message == "the rows do not fit the number of heads")
    let report = try verify(path, path)
    #expect(report.levels.map(\.level) == [.structure, .values, .operators])
  }

  @Test(arguments: ["block_count", "attention.head_count", "expert_count"])
  func countsBelowZero(_ key: String) throws {
    let scratch = try Scratch()
    var file = try EditedCheckpoint(try scratch.convert(seeded("mixtral")))
    file.metadata.set(ByteString("llama.\(key)"), .int64(.min))
    let path = scratch.path + "/edited.gguf"
    try file.write(path)
    let failure = #expect(throws: Failure.self) { try scratch.convert(path, "q4_k_m") }
    #expect(failure?.subject == .key(ByteString("llama.\(key)")))
    #expect(failure?.found == "\(Int64.min)")
  }

  @Test func anEmbeddingWithoutAxes() throws {
    let scratch = try Scratch()
    var file = try EditedCheckpoint(try scratch.convert(seeded("llama")))
    file.retype("token_embd.weight") { TensorType(shape: [], encoding: $0.encoding) }
    let path = scratch.path + "/edited.gguf"
    try file.write(path)
    let folder = try scratch.convert(path, to: "safetensors")
    let config = try #require(try Checkpoint.open(folder).config?.object)
    // As the metadata says.
    #expect(config["vocab_size"]?.integer == 352)
  }

  @Test func complexWeights() throws {
    let scratch = try Scratch()
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
      try FileManager.default.copyItem(
        atPath: seeded("llama-json") + "/" + name, toPath: scratch.path + "/" + name)
    }
    var entries: [String] = []
    var end = 0
    for tensor in try Checkpoint.open(seeded("llama-json")).tensors {
      let start = end
      end += 8 * (tensor.type.shape.elementCount ?? 0)
      entries.append(entry(tensor.name.text, "C64", tensor.type.shape.axes, start..<end))
    }
    try save(
      safetensors("{\(entries.joined(separator: ","))}", data: end),
      to: scratch.path + "/model.safetensors")
    let report = try verify(scratch.path, scratch.path)
    #expect(report.verdict == .pass, report.summary)
    #expect(report.levels.map(\.level) == [.structure, .values])
    #expect(report.notChecked.contains { $0.contains("no known model has complex weights") })
  }
}
