import ByteIO
import Support
import TensorTypes
import Testing

@testable import WeightFormats

/// The law of every format: reading what `frame` made gives the same metadata and tensors.
@Suite struct RoundTripTests {
  @Test(arguments: Format.Name.allCases, 0..<64)
  func readingWhatWasFramedGivesTheSame(_ name: Format.Name, _ seed: UInt64) throws {
    var random = RandomManifest(format: name, seed: seed)
    let metadata = random.metadata()
    let tensors = random.tensors()
    let framing = try Format[name].frame(metadata, tensors)
    let bytes = framing.prefix + random.payload(framing.fileByteCount - framing.prefix.count)
    let manifest = try Format[name].read(MemorySource(name: "seed \(seed)", bytes: bytes))

    let expected = name == .gguf ? metadata.items : metadata.items.sorted { $0.key < $1.key }
    #expect(manifest.metadata.items == expected, "seed \(seed)")
    #expect(manifest.tensors.map(\.name) == tensors.map(\.name), "seed \(seed)")
    #expect(manifest.tensors.map(\.type) == tensors.map(\.type), "seed \(seed)")
    #expect(manifest.tensors.map(\.offset) == framing.offsets, "seed \(seed)")
    #expect(manifest.tensors.map(\.byteCount) == tensors.map(\.type.byteCount), "seed \(seed)")
    #expect(manifest.notes.isEmpty, "seed \(seed)")
    #expect(Format.all.filter { $0.recognises(Array(bytes.prefix(16))) }.map(\.name) == [name])
    if name == .safetensors { #expect(framing.prefix.count % 8 == 0) }
    // The same bytes again: framing is a function.
    #expect(try Format[name].frame(metadata, tensors) == framing)
  }

  @Test(arguments: GGUFTensorType.all)
  func everyGGUFTypeIsWrittenAsItIsRead(_ row: GGUFTensorType) throws {
    let type = TensorType(shape: [2, row.encoding.unitElementCount], encoding: row.encoding)
    let framing = try frameGGUF(
      metadata: Metadata(), tensors: [Declaration(name: "w", type: type)])
    let bytes = framing.prefix + [UInt8](repeating: 0, count: framing.fileByteCount)
    #expect(try read(.gguf, bytes).tensors.first?.type == type)
  }
}

/// Metadata and tensors that a format can hold, from a seed.
private struct RandomManifest {
  let format: Format.Name
  private var random: SeededGenerator

  init(format: Format.Name, seed: UInt64) {
    self.format = format
    random = SeededGenerator(seed: seed)
  }

  mutating func metadata() -> Metadata {
    var metadata = Metadata()
    for _ in 0..<pick(0...6) { metadata.append(name(1...40), value()) }
    if format == .gguf, Bool.random(using: &random) {
      metadata.append("general.alignment", .uint32(1 << UInt32(pick(0...8))))
    }
    return metadata
  }

  mutating func tensors() -> [Declaration] {
    var names = Set<String>()
    return (0..<pick(0...12)).compactMap { _ in
      let name = name(0...60)
      guard name.utf8.count < 64, names.insert(name.text).inserted else { return nil }
      return Declaration(name: name, type: type())
    }
  }

  mutating func payload(_ byteCount: Int) -> [UInt8] {
    (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  private mutating func pick(_ range: ClosedRange<Int>) -> Int {
    Int.random(in: range, using: &random)
  }

  private mutating func name(_ lengths: ClosedRange<Int>) -> ByteString {
    let letters: [Character] = [
      "a", "b", ".", "_", "0", "\"", "\\", "/", "\n", "\u{1}", "é", "e\u{301}", "😀", " ", "漢",
    ]
    let text = String((0..<pick(lengths)).map { _ in letters.randomElement(using: &random)! })
    var bytes = Array(text.utf8.prefix(lengths.upperBound))
    while ByteString(validating: bytes) == nil { bytes.removeLast() }
    let name = ByteString(validating: bytes)!
    return name.isEmpty && lengths.lowerBound > 0 ? "k" : name
  }

  private mutating func type() -> TensorType {
    let encoding: Encoding =
      format == .gguf
      ? GGUFTensorType.all.randomElement(using: &random)!.encoding
      : .plain(DType.allCases.randomElement(using: &random)!)
    var axes = (0..<pick(0...3)).map { _ in pick(0...3) }
    if encoding.unitElementCount > 1 { axes.append(pick(0...2) * encoding.unitElementCount) }
    return TensorType(shape: Shape(axes), encoding: encoding)
  }

  private mutating func value() -> MetadataValue {
    guard format == .gguf else { return .string(name(0...20)) }
    let bits = random.next()
    return switch pick(0...15) {
    case 0: .uint8(UInt8(truncatingIfNeeded: bits))
    case 1: .int8(Int8(truncatingIfNeeded: bits))
    case 2: .uint16(UInt16(truncatingIfNeeded: bits))
    case 3: .int16(Int16(truncatingIfNeeded: bits))
    case 4: .uint32(UInt32(truncatingIfNeeded: bits))
    case 5: .int32(Int32(truncatingIfNeeded: bits))
    case 6: .uint64(bits)
    case 7: .int64(Int64(bitPattern: bits))
    // A NaN would not be equal to itself.
    case 8: .float32(Float(Int32(truncatingIfNeeded: bits)))
    case 9: .float64(Double(bits) / 3)
    case 10: .bool(bits & 1 == 1)
    case 11: .string(name(0...30))
    case 12: .array(.string((0..<pick(0...4)).map { _ in name(0...9) }))
    case 13: .array(.int16((0..<pick(0...9)).map { Int16($0) << 8 - 1 }))
    case 14: .array(.float64((0..<pick(0...3)).map { Double($0) / 7 }))
    default: .array(.bool((0..<pick(0...9)).map { $0 % 3 == 0 }))
    }
  }
}
