import Accelerators
import ByteIO
import Synchronization
import TensorTypes
import Testing

@testable import Conversion
@testable import WeightFormats

/// What a conversion leaves behind: its whole output, or nothing.
@Suite struct ExecutorTests {
  /// Reads that fail from the `failing`-th on, or call back before each.
  private final class TestSource: ByteSource {
    let memory: MemorySource
    let failing: Int
    let callback: @Sendable (_ read: Int) -> Void
    private let reads = Atomic<Int>(0)

    init(
      _ memory: MemorySource, failing: Int = .max,
      callback: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
      self.memory = memory
      self.failing = failing
      self.callback = callback
    }

    var name: String { memory.name }
    var byteCount: Int { memory.byteCount }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
      let number = reads.wrappingAdd(1, ordering: .relaxed).oldValue
      callback(number)
      guard number < failing else {
        throw Failure(.inputOutput, "cannot read: Input/output error", file: name, offset: offset)
      }
      try memory.read(at: offset, into: buffer)
    }
  }

  private static let source: MemoryCheckpoint = {
    var source = MemoryCheckpoint()
    for number in 0..<3 {
      source.tensors.append(
        (
          "t\(number)", TensorType(shape: [8, 64], encoding: .f32),
          (0..<2048).map { UInt8(truncatingIfNeeded: $0 &* 7 + number) }
        ))
    }
    return source
  }()

  /// A plan of 24 units and more.
  private func plan(_ checkpoint: Checkpoint, to path: String, jobs: Int = 2) throws -> Plan {
    var request = ConversionRequest(
      target: try Target.named("safetensors"), destination: path, jobs: jobs)
    request.scheme = "f16"
    let whole = try Plan(converting: checkpoint, request)
    return try ConversionTests.plan(
      whole.graph, checkpoint, to: path, jobs: jobs, unitElementLimit: 64)
  }

  @Test func failingReadsLeaveNothing() throws {
    // The first read fails, then the second, and so on until none does.
    var failing = 0
    while true {
      let scratch = try Scratch()
      let checkpoint = try ExecutorTests.source.opened { TestSource($0, failing: failing) }
      do {
        try plan(checkpoint, to: scratch.path("out"))
          .execute(replaces: false, cancellation: Cancellation())
        #expect(try scratch.names() == ["out"])
        break
      } catch let failure as Failure {
        #expect(failure.kind == .inputOutput)
        #expect(failure.file == "memory" && failure.offset != nil && failure.subject != nil)
        #expect(try scratch.names() == [])
      }
      failing += 1
      try #require(failing < 1000)
    }
    #expect(failing >= 24)
  }

  @Test func cancellationLeavesNothing() throws {
    for moment in [0, 1, 5, 20] {
      let scratch = try Scratch()
      let cancellation = Cancellation()
      let checkpoint = try ExecutorTests.source.opened {
        TestSource($0) { if $0 == moment { cancellation.cancel() } }
      }
      let plan = try plan(checkpoint, to: scratch.path("out"))
      let failure = #expect(throws: Failure.self) {
        try plan.execute(replaces: false, cancellation: cancellation)
      }
      #expect(failure?.kind == .interrupted)
      #expect(try scratch.names() == [])
    }
  }

  @Test func progressAddsUpToThePayload() throws {
    let scratch = try Scratch()
    let plan = try plan(ExecutorTests.source.opened(), to: scratch.path("out"))
    let sum = Mutex(0)
    try plan.execute(replaces: false, cancellation: Cancellation()) { bytes in
      sum.withLock { $0 += bytes }
    }
    #expect(sum.withLock { $0 } == plan.payloadByteCount)
  }

  @Test func aSourceThatChangesIsNoticed() throws {
    let scratch = try Scratch()
    let model = try Checkpoint.open(fixture("models/tiny-qwen2"))
    let bytes = try model.files[0].source.allBytes
    try scratch.write(bytes, "in.safetensors")
    let source = try Checkpoint.open(scratch.path("in.safetensors"))
    let request = ConversionRequest(
      target: try Target.named("safetensors"), destination: scratch.path("out.safetensors"), jobs: 1
    )
    let plan = try Plan(converting: source, request)
    // The same inode, longer.
    try scratch.append([0], "in.safetensors")
    let failure = #expect(throws: Failure.self) {
      try plan.execute(replaces: false, cancellation: Cancellation())
    }
    #expect(failure?.kind == .inputOutput && failure?.file == scratch.path("in.safetensors"))
    #expect(try scratch.names() == ["in.safetensors"])
  }

  @Test func emptyTensorsAreWritten() throws {
    let scratch = try Scratch()
    var source = MemoryCheckpoint()
    source.tensors = [
      ("columns", TensorType(shape: [3, 0], encoding: .bf16), []),
      ("rows", TensorType(shape: [0, 5, 3], encoding: .f32), []),
      ("one", TensorType(shape: [], encoding: .bf16), [0x80, 0x3F]),
    ]
    var request = ConversionRequest(
      target: try Target.named("safetensors"), destination: scratch.path("out.safetensors"), jobs: 2
    )
    request.scheme = "f32"
    try Plan(converting: source.opened(), request)
      .execute(replaces: false, cancellation: Cancellation())
    let output = try Checkpoint.open(scratch.path("out.safetensors"))
    #expect(output["columns"]?.type == TensorType(shape: [3, 0], encoding: .f32))
    #expect(output["rows"]?.type == TensorType(shape: [0, 5, 3], encoding: .f32))
    let one = try #require(output["one"])
    #expect(try output.files[0].source.bytes(at: one.offset, count: 4) == [0, 0, 0x80, 0x3F])
  }

  /// Every seeded model to GGUF and back, whatever workers and memory.
  @Test(arguments: ["gpt2", "llama", "mixtral", "qwen3moe"])
  func modelsDoNotDependOnWorkersOrMemory(_ name: String) throws {
    let scratch = try Scratch()
    let source = try Checkpoint.open(fixture("models/seeded/" + name))
    func convert(
      _ source: Checkpoint, _ target: String, _ scheme: String?, _ name: String, jobs: Int,
      memory: Int
    ) throws -> String {
      var request = ConversionRequest(
        target: try Target.named(target), destination: scratch.path(name), jobs: jobs)
      request.scheme = scheme
      request.memoryByteLimit = memory
      try Plan(converting: source, request)
        .execute(replaces: false, cancellation: Cancellation())
      return name
    }
    var least = 1 << 20
    do {
      _ = try convert(source, "gguf", "q8_0", "x", jobs: 1, memory: least)
    } catch let failure as Failure {
      least = failure.expected!.split(separator: " ").compactMap { Int($0) }.first!
    }
    var files: [String] = []
    for jobs in 1...4 {
      files.append(
        try convert(source, "gguf", "q8_0", "\(jobs).gguf", jobs: jobs, memory: 1 << 30))
    }
    files.append(try convert(source, "gguf", "q8_0", "least.gguf", jobs: 4, memory: least))
    let first = try scratch.bytes(files[0])
    for file in files.dropFirst() { #expect(try scratch.bytes(file) == first, "\(file)") }
    // Back again, from blocks.
    let middle = try Checkpoint.open(scratch.path(files[0]))
    let back = try [1, 3].map { jobs in
      try convert(
        middle, "safetensors", "f32", "\(jobs).safetensors", jobs: jobs, memory: 2 * least)
    }
    #expect(try scratch.bytes(back[0]) == scratch.bytes(back[1]))
  }
}
