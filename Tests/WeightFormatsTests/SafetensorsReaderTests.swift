import ByteIO
import Support
import TensorTypes
import Testing

@testable import WeightFormats

@Suite struct SafetensorsReaderTests {
  @Test func tensorsKeepTheOrderOfTheHeaderAndGetAbsoluteOffsets() throws {
    let header =
      "{\(entry("b", "BF16", [2, 3], 8..<20)),\"__metadata__\":{\"k\":\"v\",\"a\":\"\"},"
      + "\(entry("a", [2], 0..<8))}  "
    let manifest = try read(.safetensors, safetensors(header, data: 20))
    let start = 8 + header.utf8.count
    #expect(
      manifest.tensors == [
        Entry(
          name: "b", type: TensorType(shape: [2, 3], encoding: .bf16), offset: start + 8,
          byteCount: 12),
        Entry(
          name: "a", type: TensorType(shape: [2], encoding: .f32), offset: start, byteCount: 8),
      ])
    #expect(manifest.metadata.items.map(\.key) == ["k", "a"])
    #expect(manifest.metadata["k"]?.string == "v")
    #expect(manifest.fileByteCount == start + 20)
  }

  @Test(arguments: DType.allCases)
  func everyDTypeHasItsExactSize(_ dtype: DType) throws {
    // Eight elements fill whole bytes in every dtype.
    let byteCount = dtype.bitWidth
    let good = safetensors(
      "{\(entry("w", dtype.name, [2, 4], 0..<byteCount))}", data: byteCount)
    let tensor = try #require(try read(.safetensors, good).tensors.first)
    #expect(tensor.type == TensorType(shape: [2, 4], encoding: .plain(dtype)))
    #expect(tensor.byteCount == byteCount)
    for wrong in [byteCount - 1, byteCount + 1] {
      let bad = safetensors("{\(entry("w", dtype.name, [2, 4], 0..<wrong))}", data: wrong)
      #expect(
        refusal(.safetensors, bad)?.contains("expected \(byteCount) bytes for \(dtype.name)")
          == true)
    }
  }

  @Test(arguments: [
    ("scalar", entry("w", [], 0..<4), 4), ("empty", entry("w", [0], 0..<0), 0),
    ("zero axis", entry("w", [3, 0, 1 << 40], 0..<0), 0),
    ("no tensors", "", 0), ("packed F4", entry("w", "F4", [2, 3], 0..<3), 3),
    ("packed F6", entry("w", "F6_E3M2", [4], 0..<3), 3),
    ("empty between", entry("a", [2], 0..<8) + "," + entry("z", [0], 8..<8), 8),
    ("empty before", entry("a", [2], 0..<8) + "," + entry("z", [0], 0..<0), 8),
    ("unaligned", entry("a", "U8", [1], 0..<1) + "," + entry("b", [1], 1..<5), 5),
    ("metadata null", #""__metadata__":null"#, 0), ("metadata empty", #""__metadata__":{}"#, 0),
    ("empty name", entry("", [1], 0..<4), 4), ("path as name", entry("../x", [1], 0..<4), 4),
    ("NUL in a name", entry("a\\u0000b", [1], 0..<4), 4),
    ("high rank", entry("w", [Int](repeating: 1, count: 100), 0..<4), 4),
    (
      "unknown fields",
      #""w":{"x":[{"y":1e5,"y":-0.5}],"dtype":"U8","shape":[],"data_offsets":[0,1]}"#, 1
    ),
    ("escaped fields", #""w":{"\u0064type":"\u00558","shape":[],"data_offsets":[0,1]}"#, 1),
    (
      "white space",
      "\n\t\"w\" : { \"dtype\"\r:\n\"U8\" , \"shape\" : [ ] , \"data_offsets\" : [ 0 , 1 ] } ", 1
    ),
  ])
  func whatTheRulesAllowIsRead(_ name: String, _ members: String, _ data: Int) throws {
    let bytes = safetensors("{\(members)}", data: data)
    let manifest = try read(.safetensors, bytes)
    #expect(manifest.fileByteCount == bytes.count)
    #expect(manifest.tensors.reduce(0) { $0 + $1.byteCount } == data)
  }

  @Test(arguments: ["", " ", "\n", "\r\n\t ", String(repeating: " ", count: 1000)])
  func paddingMayBeAnyWhiteSpace(_ padding: String) throws {
    #expect(try read(.safetensors, safetensors("{}" + padding)).tensors.isEmpty)
  }

  @Test func canonicallyEquivalentNamesAreTwoTensors() throws {
    let header = "{\(entry("caf\u{e9}", [1], 0..<4)),\(entry("cafe\u{301}", [1], 4..<8))}"
    let manifest = try read(.safetensors, safetensors(header, data: 8))
    #expect(Set(manifest.tensors.map(\.name)) == ["caf\u{e9}", "cafe\u{301}"])
    #expect(manifest.tensors.map(\.name.utf8.count) == [5, 6])
  }

  @Test func aTruncatedFileIsRefusedAtEveryLength() {
    let header = "{\(entry("a", [2], 0..<8)),\"__metadata__\":{\"k\":\"v\"}}"
    let bytes = safetensors(header, data: 8)
    #expect(refusal(.safetensors, bytes) == nil)
    for length in 0..<bytes.count {
      let error = refusal(.safetensors, Array(bytes.prefix(length)))
      #expect(error?.hasPrefix("m: ") == true && error?.contains("at byte") == true, "\(length)")
    }
  }

  @Test func everyChangedByteIsReadOrRefused() {
    let bytes = safetensors("{\(entry("a", [2], 0..<8))}", data: 8)
    for index in bytes.indices {
      for value in UInt8.min...UInt8.max {
        var changed = bytes
        changed[index] = value
        if let error = refusal(.safetensors, changed) { #expect(error.contains("at byte")) }
      }
    }
  }

  @Test func onlyTheHeaderIsRead() throws {
    let start = safetensors("{\(entry("w", "U8", [1 << 40], 0..<1 << 40))}")
    let source = SparseSource(name: "m", start: start, byteCount: start.count + 1 << 40)
    #expect(try readSafetensors(source).fileByteCount == start.count + 1 << 40)
    let watched = WatchedSource(
      name: "m", bytes: safetensors("{\(entry("w", "U8", [9999], 0..<9999))}", data: 9999))
    _ = try readSafetensors(watched)
    #expect(watched.readByteCount == watched.byteCount - 9999)
  }
}
