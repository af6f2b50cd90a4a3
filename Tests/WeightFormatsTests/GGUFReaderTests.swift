import ByteIO
import Support
import TensorTypes
import Testing

@testable import WeightFormats

@Suite struct GGUFReaderTests {
  static let layouts: [(version: UInt32, isBigEndian: Bool)] = [
    (1, false), (1, true), (2, false), (2, true), (3, false), (3, true),
  ]

  /// All value types, all array types, and tensors of ranks 0 to 4.
  static func sample(_ version: UInt32, _ isBigEndian: Bool) -> GGUFBytes {
    let items = GGUFBytes(version: version, isBigEndian: isBigEndian)
      .header(tensors: 3, items: 25)
      .key("u8", type: 0).integer(UInt8(200))
      .key("i8", type: 1).integer(Int8(-100))
      .key("u16", type: 2).integer(UInt16(60_000))
      .key("i16", type: 3).integer(Int16(-30_000))
      .key("u32", type: 4).integer(UInt32(4_000_000_000))
      .key("i32", type: 5).integer(Int32(-2_000_000_000))
      .key("f32", type: 6).integer(Float(1.5).bitPattern)
      .key("bool", type: 7).integer(UInt8(1))
      .key("string", type: 8).string("hé\0llo")
      .key("u64", type: 10).integer(UInt64.max)
      .key("i64", type: 11).integer(Int64.min)
      .key("f64", type: 12).integer(Double(-0.1).bitPattern)
    return
      items
      .key("[u8]", type: 9).integer(UInt32(0)).count(2).raw([1, 2])
      .key("[i8]", type: 9).integer(UInt32(1)).count(1).integer(Int8(-1))
      .key("[u16]", type: 9).integer(UInt32(2)).count(1).integer(UInt16(513))
      .key("[i16]", type: 9).integer(UInt32(3)).count(1).integer(Int16(-2))
      .key("[u32]", type: 9).integer(UInt32(4)).count(1).integer(UInt32(7))
      .key("[i32]", type: 9).integer(UInt32(5)).count(2).integer(Int32(-3)).integer(Int32(4))
      .key("[f32]", type: 9).integer(UInt32(6)).count(1).integer(Float(0.25).bitPattern)
      .key("[bool]", type: 9).integer(UInt32(7)).count(2).raw([0, 1])
      .key("[string]", type: 9).integer(UInt32(8)).count(2).string("").string("b")
      .key("[u64]", type: 9).integer(UInt32(10)).count(1).integer(UInt64(1) << 40)
      .key("[i64]", type: 9).integer(UInt32(11)).count(1).integer(Int64(-1) << 40)
      .key("[f64]", type: 9).integer(UInt32(12)).count(1).integer(Double.pi.bitPattern)
      .key("[none]", type: 9).integer(UInt32(4)).count(0)
      .tensor("w", [32, 2, 1, 3], type: 8)
      .tensor("", [], type: 1, offset: 224)
      .tensor("z", [5, 0], type: 0, offset: 256)
      .padded().zeros(256)
  }

  @Test(arguments: layouts)
  func everyVersionAndByteOrderReadsTheSame(_ version: UInt32, _ isBigEndian: Bool) throws {
    let bytes = Self.sample(version, isBigEndian).bytes
    let manifest = try read(.gguf, bytes)
    #expect(manifest.version == Int(version))
    #expect(manifest.byteOrder == (isBigEndian ? .big : .little))
    #expect(
      manifest.metadata
        == Metadata([
          ("u8", .uint8(200)), ("i8", .int8(-100)), ("u16", .uint16(60_000)),
          ("i16", .int16(-30_000)), ("u32", .uint32(4_000_000_000)),
          ("i32", .int32(-2_000_000_000)), ("f32", .float32(1.5)), ("bool", .bool(true)),
          ("string", .text("hé\0llo")), ("u64", .uint64(.max)), ("i64", .int64(.min)),
          ("f64", .float64(-0.1)), ("[u8]", .array(.uint8([1, 2]))),
          ("[i8]", .array(.int8([-1]))), ("[u16]", .array(.uint16([513]))),
          ("[i16]", .array(.int16([-2]))), ("[u32]", .array(.uint32([7]))),
          ("[i32]", .array(.int32([-3, 4]))), ("[f32]", .array(.float32([0.25]))),
          ("[bool]", .array(.bool([false, true]))), ("[string]", .array(.string(["", "b"]))),
          ("[u64]", .array(.uint64([1 << 40]))), ("[i64]", .array(.int64([-1 << 40]))),
          ("[f64]", .array(.float64([.pi]))), ("[none]", .array(.uint32([]))),
        ]))
    let start = bytes.count - 256
    #expect(
      manifest.tensors == [
        Entry(
          name: "w", type: TensorType(shape: [3, 1, 2, 32], encoding: .q8_0), offset: start,
          byteCount: 204),
        Entry(
          name: "", type: TensorType(shape: [], encoding: .f16), offset: start + 224, byteCount: 2),
        Entry(
          name: "z", type: TensorType(shape: [0, 5], encoding: .f32), offset: start + 256,
          byteCount: 0),
      ])
    #expect(manifest.notes.isEmpty)
  }

  /// Written out by hand: no builder stands between the specification and the reader.
  @Test func aFileOfVersionOneByteByByte() throws {
    let bytes: [UInt8] = [
      0x47, 0x47, 0x55, 0x46, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,  // magic, version, counts
      1, 0, 0, 0, 0x6B, 8, 0, 0, 0, 2, 0, 0, 0, 0x68, 0x69,  // k: string "hi"
      1, 0, 0, 0, 0x77, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0,  // w: 2 axes, 3 and 1
      24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // I8 at offset 0
      0, 0, 0, 0,  // up to 64
      7, 8, 9,
    ]
    let manifest = try read(.gguf, bytes)
    #expect(manifest.metadata["k"]?.string == "hi")
    #expect(
      manifest.tensors == [
        Entry(
          name: "w", type: TensorType(shape: [1, 3], encoding: .plain(.i8)), offset: 64,
          byteCount: 3)
      ])
  }

  @Test(arguments: layouts)
  func aTruncatedFileIsRefusedAtEveryLength(_ version: UInt32, _ isBigEndian: Bool) {
    let bytes = Self.sample(version, isBigEndian).bytes
    for length in 0..<bytes.count {
      // The last tensor is empty and begins at the very end.
      let error = refusal(.gguf, Array(bytes.prefix(length)))
      #expect(error?.hasPrefix("m: ") == true && error?.contains("at byte") == true, "\(length)")
    }
  }

  @Test(arguments: GGUFTensorType.all)
  func everyTypeHasItsExactSize(_ row: GGUFTensorType) throws {
    let unit = row.encoding.unitElementCount
    let byteCount = 6 * row.encoding.unitByteCount
    let file = GGUFBytes().header(tensors: 1)
      .tensor("w", [UInt64(2 * unit), 3], type: row.id).padded()
    let tensor = try #require(try read(.gguf, file.zeros(byteCount).bytes).tensors.first)
    #expect(tensor.type == TensorType(shape: [3, 2 * unit], encoding: row.encoding))
    #expect(tensor.byteCount == byteCount)
    #expect(
      refusal(.gguf, file.zeros(byteCount - 1).bytes)?.contains("before the tensor's last byte")
        == true)
    guard unit > 1 else { return }
    let cut = GGUFBytes().header(tensors: 1).tensor("w", [UInt64(unit + 1)], type: row.id)
    #expect(refusal(.gguf, cut.padded().zeros(999).bytes)?.contains("multiple of \(unit)") == true)
  }

  /// The sizes that ggml's table has, written out again.
  @Test(arguments: [
    (0, 1, 4), (1, 1, 2), (2, 32, 18), (3, 32, 20), (6, 32, 22), (7, 32, 24), (8, 32, 34),
    (9, 32, 36), (10, 256, 84), (11, 256, 110), (12, 256, 144), (13, 256, 176), (14, 256, 210),
    (15, 256, 292), (16, 256, 66), (17, 256, 74), (18, 256, 98), (19, 256, 50), (20, 32, 18),
    (21, 256, 110), (22, 256, 82), (23, 256, 136), (24, 1, 1), (25, 1, 2), (26, 1, 4), (27, 1, 8),
    (28, 1, 8), (29, 256, 56), (30, 1, 2), (34, 256, 54), (35, 256, 66), (39, 32, 17),
    (40, 64, 36), (41, 128, 18), (42, 64, 18),
  ])
  func typesAreThoseOfGGML(_ id: UInt32, _ elementCount: Int, _ byteCount: Int) {
    let row = GGUFTensorType.with(id: id)
    #expect(row?.encoding.unitElementCount == elementCount)
    #expect(row?.encoding.unitByteCount == byteCount)
    #expect(GGUFTensorType.all.count == 35)
  }

  @Test(arguments: [1, 2, 4, 8, 16, 32, 64, 4096])
  func tensorsLieAtMultiplesOfTheAlignment(_ alignment: Int) throws {
    let second = 5.rounded(upToMultipleOf: alignment)!
    let file = GGUFBytes().header(tensors: 2, items: 1).alignment(UInt32(alignment))
      .tensor("a", [5], type: 24).tensor("b", [1], type: 24, offset: UInt64(second))
      .padded(to: alignment)
    let manifest = try read(.gguf, file.zeros(second + 1).bytes)
    #expect(manifest.tensors.map(\.offset) == [file.bytes.count, file.bytes.count + second])
    #expect(manifest.alignment == alignment)
  }

  @Test func theHeaderOfAnEmptyFileIsEnough() throws {
    let manifest = try read(.gguf, GGUFBytes().header().bytes)
    #expect(manifest.tensors.isEmpty && manifest.fileByteCount == 24)
  }

  @Test func paddingAfterTheLastTensorMayBeThereOrNot() throws {
    let file = GGUFBytes().header(tensors: 1).tensor("w", [1]).padded().zeros(4)
    #expect(try read(.gguf, file.bytes).notes.isEmpty)
    #expect(try read(.gguf, file.zeros(28).bytes).notes.isEmpty)
    #expect(
      try read(.gguf, file.zeros(30).bytes).notes
        == ["2 bytes after the last tensor belong to none"])
  }

  @Test func canonicallyEquivalentNamesAreTwoTensors() throws {
    let file = GGUFBytes().header(tensors: 2, items: 2)
      .key("caf\u{e9}", type: 0).raw([1]).key("cafe\u{301}", type: 0).raw([2])
      .tensor("\u{e9}", [1]).tensor("e\u{301}", [1], offset: 32).padded().zeros(64)
    let manifest = try read(.gguf, file.bytes)
    #expect(manifest.tensors.count == 2)
    #expect(manifest.metadata["cafe\u{301}"] == .uint8(2))
  }

  @Test func everyChangedByteIsReadOrRefused() {
    let bytes = GGUFBytes().header(tensors: 1, items: 2).alignment(32).key("s", type: 8).string("x")
      .tensor("w", [32], type: 8).padded().zeros(34).bytes
    for index in bytes.indices {
      for value in UInt8.min...UInt8.max {
        var changed = bytes
        changed[index] = value
        if let error = refusal(.gguf, changed) { #expect(error.contains("at byte")) }
      }
    }
  }

  @Test func whatIsDeclaredIsNotAllocated() {
    // Everything fits the file, as far as its size goes; the limits of the header still hold.
    let huge = GGUFBytes().header(items: 1).key("k", type: 9).integer(UInt32(0)).count(1 << 29)
    let source = SparseSource(name: "m", start: huge.bytes, byteCount: 1 << 40)
    let failure = #expect(throws: Failure.self) { try readGGUF(source) }
    #expect(failure?.message == "the number of array elements is too large")
    #expect(failure?.expected == "at most \(GGUF.headerByteLimit - 49)")
  }

  @Test func onlyTheHeaderIsRead() throws {
    let start = GGUFBytes().header(tensors: 1).tensor("w", [1 << 40], type: 24).padded().bytes
    let source = SparseSource(name: "m", start: start, byteCount: 1 << 41)
    #expect(try readGGUF(source).tensors.first?.byteCount == 1 << 40)
  }
}
