import Accelerators
import ByteIO
import Conversion
import Support
import TensorTypes
import Testing
import WeightFormats

/// The GGUF files that are written hold what the reference converter's hold.
@Suite struct GGUFGoldenTests {
  /// All goldens are there: every checkpoint in each of the converter's types.
  @Test func everyCheckpointHasItsGoldens() throws {
    let folder = try Folder(path: Golden.fixtures + "/models/seeded")
    let checkpoints = folder.names.filter { folder.contains("\($0)/config.json") }
    let goldens = Golden.all(in: "gguf")
    #expect(goldens.count == checkpoints.count * 5)
    #expect(Set(goldens.map(\.checkpoint)) == Set(checkpoints))
    let others = Set(Golden.all(in: "gguf-ascend").map(\.testDescription))
    for type in ["f32", "bf16", "q8_0"] {
      #expect(others.isSuperset(of: ["tiny-deepseek-v3.\(type)", "deepseek-v2-lite.\(type)"]))
    }
  }

  @Test(arguments: Golden.all)
  func metadataAndTensorsEqualTheReference(_ golden: Golden) throws {
    let expected = try golden.json()
    let (file, manifest) = try convert(golden)
    #expect(manifest.version == expected["version"]?.integer)

    let items = try #require(expected["metadata"]?.array)
    #expect(
      manifest.metadata.items.map(\.key) == items.map { $0["key"]?.byteString ?? "" })
    for item in items {
      let key = try #require(item["key"]?.byteString)
      guard let value = manifest.metadata[key] else { continue }
      #expect(value.goldenType == item["type"]?.string, "\(key)")
      let expectedValue = try #require(item["value"])
      #expect(value.goldenValue.equals(expectedValue), "\(key): \(value.goldenValue)")
    }

    let tensors = try #require(expected["tensors"]?.array)
    #expect(manifest.tensors.map(\.name) == tensors.map { $0["name"]?.byteString ?? "" })
    for (entry, tensor) in zip(manifest.tensors, tensors) {
      let axes = entry.type.shape.axes.reversed().map { JSON.integer($0) }
      #expect(.array(axes) == tensor["shape"], "\(entry.name)")
      let type = GGUFTensorType.holding(entry.type.encoding)?.name
      #expect(type == tensor["type"]?.string, "\(entry.name)")
      let bytes = try file.bytes(at: entry.offset, count: entry.byteCount)
      #expect(sha256(bytes) == tensor["sha256"]?.string, "\(entry.name)")
    }
  }

  /// Converts a checkpoint and reads the file again.
  private func convert(_ golden: Golden) throws -> (any ByteSource, Manifest) {
    let folder = TemporaryFolder()
    let path = folder.path + "/model.gguf"
    let source = try Checkpoint.open(golden.path)
    var request = ConversionRequest(
      target: try Target.named("gguf"), destination: path, jobs: 1)
    request.scheme = golden.type
    try Plan(converting: source, request).execute(replaces: false, cancellation: Cancellation())
    let file = try InputFile(path: path)
    let copy = MemorySource(
      name: golden.testDescription, bytes: try file.bytes(at: 0, count: file.byteCount))
    return (copy, try Format.of(copy).read(copy))
  }
}

@Suite struct SHA256Tests {
  /// The examples of FIPS 180-4, and one around the length of a block.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func examplesOfTheStandard(_ text: String, _ digest: String) {
    #expect(sha256(Array(text.utf8)) == digest)
  }
}
