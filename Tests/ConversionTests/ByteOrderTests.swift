import Accelerators
import ByteIO
import TensorTypes
import Testing

@testable import Conversion
@testable import WeightFormats

/// Big-endian sources become little-endian outputs.
@Suite struct ByteOrderTests {
  /// A GGUF file of version 3 whose every number is big-endian.
  private func bigEndianFile(
    _ tensors: [(name: String, id: UInt32, axes: [UInt64], bytes: [UInt8])]
  ) -> [UInt8] {
    var bytes = Array("GGUF".utf8)
    func append<T: FixedWidthInteger>(_ value: T) {
      withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }
    append(UInt32(3))
    append(UInt64(tensors.count))
    append(UInt64(0))
    var offset = 0
    for tensor in tensors {
      append(UInt64(tensor.name.utf8.count))
      bytes += tensor.name.utf8
      append(UInt32(tensor.axes.count))
      for axis in tensor.axes { append(axis) }
      append(tensor.id)
      append(UInt64(offset))
      offset += (tensor.bytes.count + 31) / 32 * 32
    }
    func pad() { bytes += [UInt8](repeating: 0, count: (32 - bytes.count % 32) % 32) }
    pad()
    for tensor in tensors {
      bytes += tensor.bytes
      pad()
    }
    return bytes
  }

  private func bytes<T: BitwiseCopyable>(_ values: [T]) -> [UInt8] {
    values.withUnsafeBytes { Array($0) }
  }

  private func reversed(_ bytes: [UInt8], by size: Int) -> [UInt8] {
    stride(from: 0, to: bytes.count, by: size).flatMap { bytes[$0..<$0 + size].reversed() }
  }

  @Test func everyNumberIsTurnedAround() throws {
    let floats = bytes((0..<6).map { Float($0) * 1.25 - 2 })
    let halves = bytes((0..<4).map { Float16($0) - 1.5 })
    let integers = bytes([Int64.min, -2, 1, 0x0102_0304_0506_0708])
    let codes = (0..<64).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let scales = [bytes([Float16(0.125)]), bytes([Float16(-3)])]
    let blocks = scales[0] + codes[..<32] + scales[1] + codes[32...]
    let bigBlocks = Array(
      scales[0].reversed() + codes[..<32] + scales[1].reversed() + codes[32...])
    let scratch = try Scratch()
    try scratch.write(
      bigEndianFile([
        ("floats.weight", 0, [3, 2], reversed(floats, by: 4)),
        ("halves.weight", 1, [2, 2], reversed(halves, by: 2)),
        ("integers", 27, [4], reversed(integers, by: 8)),
        ("bytes.weight", 24, [3, 1], [1, 2, 255]),
        ("blocks.weight", 8, [32, 2], bigBlocks),
      ]), "big.gguf")
    let source = try Checkpoint.open(scratch.path("big.gguf"))
    #expect(source.files[0].manifest.byteOrder == .big)
    let request = ConversionRequest(
      target: try Target.named("gguf"), destination: scratch.path("little.gguf"), jobs: 2)
    try Plan(converting: source, request).execute(replaces: false, cancellation: Cancellation())
    let output = try Checkpoint.open(scratch.path("little.gguf"))
    #expect(output.files[0].manifest.byteOrder == .little)
    let expected: [(ByteString, [UInt8])] = [
      ("floats.weight", floats), ("halves.weight", halves), ("integers", integers),
      ("bytes.weight", [1, 2, 255]), ("blocks.weight", blocks),
    ]
    for (name, bytes) in expected {
      let tensor = try #require(output[name])
      let found = try output.files[0].source.bytes(at: tensor.offset, count: tensor.byteCount)
      #expect(found == bytes, "\(name)")
    }
  }

  @Test func blocksOfUnknownLayoutAreRefused() throws {
    let scratch = try Scratch()
    try scratch.write(
      bigEndianFile([("blocks", 2, [32], [UInt8](repeating: 1, count: 18))]), "big.gguf")
    let source = try Checkpoint.open(scratch.path("big.gguf"))
    let request = ConversionRequest(
      target: try Target.named("gguf"), destination: scratch.path("little.gguf"), jobs: 1)
    let failure = #expect(throws: Failure.self) { try Plan(converting: source, request) }
    #expect(failure?.kind == .usage && failure?.subject == .tensor("blocks"))
    #expect(failure?.file == scratch.path("big.gguf"))
  }
}
