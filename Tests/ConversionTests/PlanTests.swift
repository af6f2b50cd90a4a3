import Accelerators
import ByteIO
import TensorTypes
import Testing

@testable import Conversion
@testable import WeightFormats

/// What a plan decides before any payload is read.
@Suite struct PlanTests {
  private func request(
    _ target: String = "gguf", scheme: String? = nil, to destination: String = "out"
  ) throws -> ConversionRequest {
    var request = ConversionRequest(
      target: try Target.named(target), destination: destination, jobs: 2)
    request.scheme = scheme
    return request
  }

  private func encodings(_ plan: Plan) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: plan.tensors.map { ($0.name.text, $0.type.encoding.name) })
  }

  @Test func theLastOverrideWinsOverSchemeAndExclusion() throws {
    let source = try Checkpoint.open(fixture("models/tiny-qwen2"))
    var request = try request(scheme: "q8_0")
    request.overrides = [
      (Glob("blk.*"), "f16"), (Glob("*attn_q.weight"), "f32"), (Glob("blk.0.attn_q.*"), "bf16"),
    ]
    request.excluded = [Glob("token_embd.weight"), Glob("blk.2.*")]
    let found = encodings(try Plan(converting: source, request))
    #expect(found["token_embd.weight"] == "BF16")
    #expect(found["blk.0.attn_q.weight"] == "BF16")
    #expect(found["blk.1.attn_q.weight"] == "F32")
    #expect(found["blk.2.attn_k.weight"] == "F16")
    request.overrides = []
    let without = encodings(try Plan(converting: source, request))
    #expect(without["blk.2.attn_k.weight"] == "BF16")
    #expect(without["blk.1.attn_k.weight"] == "q8_0")
  }

  @Test func whatChangesNothingIsSaid() throws {
    let source = try Checkpoint.open(fixture("models/tiny-qwen2"))
    var request = try request(scheme: "q8_0")
    request.overrides = [(Glob("output_norm.*"), "f32"), (Glob("blk.9.*"), "f32")]
    request.excluded = [Glob("token_embd.weight"), Glob("lm_head.weight")]
    request.mixOptions.isPure = true
    #expect(
      try Plan(converting: source, request).warnings == [
        "--override 'blk.9.*' matches no tensor of the output",
        "--exclude 'lm_head.weight' matches no tensor of the output",
        "--pure, --output-type and --embedding-type change mixes of block types, and 'q8_0' is "
          + "none",
      ])
    request.scheme = "q4_0"
    request.overrides.removeLast()
    request.excluded.removeLast()
    #expect(try Plan(converting: source, request).warnings.isEmpty)
  }

  @Test func anOverrideThatDoesNotFitTheRowsIsRefused() throws {
    let source = try Checkpoint.open(fixture("models/seeded/llama-odd-rows"))
    var request = try request()
    request.overrides = [(Glob("*"), "q8_0")]
    let failure = #expect(throws: Failure.self) { try Plan(converting: source, request) }
    #expect(failure?.kind == .usage && failure?.subject != nil)
  }

  // MARK: - Shards

  /// Five F32 tensors of 40, 40, 400, 8 and 40 bytes.
  private func fiveTensors() throws -> Checkpoint {
    var source = MemoryCheckpoint()
    for (number, count) in [10, 10, 100, 2, 10].enumerated() {
      source.tensors.append(
        (
          "t\(number)", TensorType(shape: [count], encoding: .f32),
          [UInt8](repeating: UInt8(number), count: 4 * count)
        ))
    }
    return try source.opened()
  }

  @Test func shardsAreFilledInOrderAndLargeTensorsStandAlone() throws {
    var request = try request("safetensors", to: "folder")
    request.shardByteLimit = 80
    let plan = try Plan(converting: fiveTensors(), request)
    let shards = plan.files.indices.map { file in
      plan.tensors.filter { $0.file == file }.map(\.name.text)
    }
    #expect(shards == [["t0", "t1"], ["t2"], ["t3", "t4"]])
    #expect(
      plan.files.map(\.name) == (1...3).map { "model-0000\($0)-of-00003.safetensors" })
    #expect(plan.sidecars.map(\.name) == ["model.safetensors.index.json"])
    request.shardByteLimit = nil
    #expect(try Plan(converting: fiveTensors(), request).files.map(\.name) == ["model.safetensors"])
  }

  @Test func severalShardsNeedAFolder() throws {
    var request = try request("safetensors", to: "one.safetensors")
    request.shardByteLimit = 80
    let failure = #expect(throws: Failure.self) { try Plan(converting: fiveTensors(), request) }
    #expect(failure?.kind == .usage)
  }

  @Test func partsOfGGUFAreNumberedAndReadBack() throws {
    let scratch = try Scratch()
    let source = try Checkpoint.open(fixture("models/tiny-qwen2"))
    var request = try request(to: scratch.path("m.gguf"))
    request.shardByteLimit = 100_000
    let plan = try Plan(converting: source, request)
    try plan.execute(replaces: false, cancellation: Cancellation())
    let count = plan.files.count
    #expect(count > 2)
    #expect(
      try scratch.names()
        == (1...count).map { "m-0000\($0)-of-0000\(count).gguf" })
    let joined = try Checkpoint.open(scratch.path("m-00001-of-0000\(count).gguf"))
    #expect(joined.tensors.count == plan.tensors.count)
    // The parts hold what a single file holds.
    request.shardByteLimit = nil
    try Plan(converting: source, request).execute(replaces: false, cancellation: Cancellation())
    let whole = try Checkpoint.open(scratch.path("m.gguf"))
    for tensor in whole.tensors {
      let other = try #require(joined[tensor.name])
      #expect(other.type == tensor.type)
      #expect(
        try joined.files[other.file].source.bytes(at: other.offset, count: other.byteCount)
          == whole.files[0].source.bytes(at: tensor.offset, count: tensor.byteCount))
    }
  }

  // MARK: - Memory

  @Test(arguments: ["f16", "q8_0"])
  func memoryFollowsFromUnitsAndHasALeastAmount(_ scheme: String) throws {
    let source = try Checkpoint.open(fixture("models/seeded/gpt2"))
    var request = try request(scheme: scheme)
    request.jobs = 8
    request.memoryByteLimit = 1 << 30
    let roomy = try Plan(converting: source, request).memory
    #expect(roomy.jobs == 8)
    request.memoryByteLimit = roomy.peakByteCount - 1
    let tight = try Plan(converting: source, request).memory
    #expect(tight.peakByteCount < roomy.peakByteCount)
    request.memoryByteLimit = 1 << 20
    let failure = #expect(throws: Failure.self) { try Plan(converting: source, request) }
    #expect(failure?.kind == .usage && failure?.expected?.hasPrefix("at least ") == true)
    // What the message names is enough, and one byte less is not.
    let least = try #require(failure?.expected?.split(separator: " ").compactMap { Int($0) }.first)
    request.memoryByteLimit = least
    #expect(try Plan(converting: source, request).memory.peakByteCount <= least)
    request.memoryByteLimit = least - 1
    #expect(throws: Failure.self) { try Plan(converting: source, request) }
  }

  // MARK: - Destinations

  @Test func theOutputIsNeverAnInput() throws {
    let scratch = try Scratch()
    let model = try Checkpoint.open(fixture("models/tiny-qwen2"))
    try scratch.write(model.files[0].source.allBytes, "a.safetensors")
    let source = try Checkpoint.open(scratch.path("a.safetensors"))
    let link = try scratch.link("link.safetensors", to: "a.safetensors")
    for path in [scratch.path("a.safetensors"), scratch.path("./a.safetensors"), link] {
      let failure = #expect(throws: Failure.self) {
        try Plan(converting: source, request("safetensors", to: path))
      }
      #expect(failure?.kind == .cannotCreate)
    }
    #expect(throws: Failure.self) {
      try Plan(
        converting: model, request("safetensors", to: fixture("models/seeded/../tiny-qwen2/")))
    }
  }
}

extension ByteSource {
  var allBytes: [UInt8] { get throws { try bytes(at: 0, count: byteCount) } }
}
