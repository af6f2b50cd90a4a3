import ByteIO
import TensorTypes
import Testing

@testable import WeightFormats

@Suite struct WriterTests {
  private static func f32(_ name: ByteString, _ shape: Shape = [2]) -> Declaration {
    Declaration(name: name, type: TensorType(shape: shape, encoding: .f32))
  }

  private static func declaration(_ encoding: Encoding, _ shape: Shape) -> Declaration {
    Declaration(name: "w", type: TensorType(shape: shape, encoding: encoding))
  }

  /// What cannot be written, with the whole text of the error.
  static let refused: [(Format.Name, [(ByteString, MetadataValue)], [Declaration], String)] = [
    (
      .safetensors, [], [f32("a"), f32("a")], "tensor 'a': two tensors have this name"
    ),
    (
      .safetensors, [], [f32("\u{e9}"), f32("e\u{301}")],
      "tensor 'e\u{301}': two tensors have this name"
    ),
    (.safetensors, [], [f32("a\0b")], "tensor 'a\\u{0}b': readers disagree about this name"),
    (
      .safetensors, [], [f32("__metadata__")],
      "tensor '__metadata__': readers disagree about this name"
    ),
    (
      .safetensors, [("k", .uint32(1))], [],
      "key 'k': safetensors metadata holds text only (expected a string, found u32)"
    ),
    (
      .safetensors, [], [declaration(.q8_0, [32])],
      "tensor 'w': safetensors cannot hold this type (expected a plain dtype that fills whole bytes, found q8_0[32])"
    ),
    (
      .safetensors, [], [declaration(.plain(.f4), [3])],
      "tensor 'w': safetensors cannot hold this type (expected a plain dtype that fills whole bytes, found F4[3])"
    ),
    (
      .safetensors, [],
      (0..<16).map { f32(ByteString("\($0)"), [1 << 57]) },
      "tensor '15': the file would be too large (expected less than 2^63 bytes, found more)"
    ),
    (.gguf, [], [f32("a"), f32("a")], "tensor 'a': two tensors have this name"),
    (
      .gguf, [], [f32(ByteString(String(repeating: "n", count: 64)))],
      "tensor '\(String(repeating: "n", count: 64))': GGUF cannot hold this name (expected fewer than 64 bytes, none of them zero, found 64 bytes)"
    ),
    (
      .gguf, [], [f32("a", [1, 1, 1, 1, 1])],
      "tensor 'a': GGUF cannot hold this type (expected at most 4 axes and a type that ggml knows, found F32[1, 1, 1, 1, 1])"
    ),
    (
      .gguf, [], [declaration(.plain(.f8e4m3), [2])],
      "tensor 'w': GGUF cannot hold this type (expected at most 4 axes and a type that ggml knows, found F8_E4M3[2])"
    ),
    (
      .gguf, [("", .bool(true))], [],
      "key '': GGUF cannot hold this key (expected 1 to 65535 bytes, found 0)"
    ),
    (
      .gguf, [("general.alignment", .uint32(24))], [],
      "key 'general.alignment': the alignment is not usable (expected a u32 that is a power of two up to 1048576, found u32 24)"
    ),
    (
      .gguf, [("general.alignment", .uint64(32))], [],
      "key 'general.alignment': the alignment is not usable (expected a u32 that is a power of two up to 1048576, found u64 32)"
    ),
    (
      .gguf, [("general.alignment", .uint32(1 << 31))], [],
      "key 'general.alignment': the alignment is not usable (expected a u32 that is a power of two up to 1048576, found u32 2147483648)"
    ),
    (
      .gguf, [], (0..<16).map { f32(ByteString("\($0)"), [1 << 57]) },
      "tensor '15': the file would be too large (expected less than 2^63 bytes, found more)"
    ),
  ]

  @Test(arguments: refused.indices)
  func whatAFormatCannotHoldIsRefused(_ index: Int) {
    let (format, metadata, tensors, error) = Self.refused[index]
    let failure = #expect(throws: Failure.self) {
      try Format[format].frame(Metadata(metadata), tensors)
    }
    #expect(failure?.kind == .usage)
    #expect(failure?.description == error)
  }

  @Test func safetensorsTextIsCompactSortedAndPadded() throws {
    let metadata = Metadata([("b", .text("2")), ("a", .text("1\n"))])
    let framing = try frameSafetensors(metadata: metadata, tensors: [Self.f32("w", [2, 1])])
    let text =
      #"{"__metadata__":{"a":"1\n","b":"2"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}"#
    let padded = text + String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    #expect(String(decoding: framing.prefix.dropFirst(8), as: UTF8.self) == padded)
    #expect(
      framing.prefix.prefix(8).elementsEqual([UInt8(padded.utf8.count), 0, 0, 0, 0, 0, 0, 0]))
    #expect(framing.offsets == [framing.prefix.count])
    #expect(framing.fileByteCount == framing.prefix.count + 8)
  }
}
