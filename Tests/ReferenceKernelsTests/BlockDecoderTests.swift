import ByteIO
import TensorTypes
import Testing

@testable import ReferenceKernels

@Suite struct BlockDecoderTests {
  private static let hashes: [String: String] = {
    let folder = try! Folder(path: fixtures + "/quants/decoded")  // part of the repository
    let json = try! folder.json("decoded.json")!  // likewise
    return Dictionary(
      uniqueKeysWithValues: json.object!.members.map { ($0.key.text, $0.value.string!) })
  }()

  @Test func everyTypeHasADecoder() {
    #expect(Set(BlockDecoder.all.map(\.type)) == Set(BlockType.all))
  }

  @Test(arguments: BlockType.all.filter { !["q8_1", "q8_k"].contains($0.name) })
  func decodesRandomBlocksAsTheReferenceDoes(_ type: BlockType) {
    var state: UInt64 = 12345
    let bytes = (0..<64 * type.byteCount).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(state >> 56)
    }
    #expect(hash(of: bytes, type) == BlockDecoderTests.hashes["\(type.name).random"])
  }

  @Test func decodesWhatTheReferenceEncoded() throws {
    let folder = try Folder(path: fixtures + "/quants/ggml/golden")
    #expect(folder.names.count == 94)
    for name in folder.names {
      let type = try #require(BlockType(named: String(name.prefix { $0 != "." })))
      let bytes = try #require(try folder.bytes(of: name))
      #expect(hash(of: bytes, type) == BlockDecoderTests.hashes[name], "\(name)")
    }
  }

  @Test func activationBlocksAreScaledBytes() {
    let codes = (-16..<16).map { Int8($0 * 8) }
    let bytes = codes.map { UInt8(bitPattern: $0) }
    let half: [UInt8] = [0x00, 0x38, 0, 0]
    let q8_1 = Cell(.block(BlockType(named: "q8_1")!))
    #expect(
      q8_1.values(ofPacked: half + bytes, elementCount: 32) == codes.map { 0.5 * Double($0) })
    let quarter: [UInt8] = [0, 0, 0x80, 0x3E]
    let all = (Int8.min...Int8.max).map { $0 }
    let block = quarter + all.map { UInt8(bitPattern: $0) } + [UInt8](repeating: 0, count: 32)
    let q8_k = Cell(.block(BlockType(named: "q8_k")!))
    #expect(
      q8_k.values(ofPacked: block, elementCount: 256) == all.map { 0.25 * Double($0) })
  }

  private func hash(of bytes: [UInt8], _ type: BlockType) -> String {
    let count = bytes.count / type.byteCount * type.elementCount
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for value in Cell(.block(type)).values(ofPacked: bytes, elementCount: count) {
      let float = Float(value)
      let bits = float.isNaN ? 0x7FC0_0000 : float.bitPattern
      for shift in [0, 8, 16, 24] {
        hash = (hash ^ UInt64(bits >> UInt32(shift) & 255)) &* 0x100_0000_01B3
      }
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

let fixtures: String = {
  var parts = #filePath.split(separator: "/").dropLast(3).map(String.init)
  parts.append("Fixtures")
  return "/" + parts.joined(separator: "/")
}()
