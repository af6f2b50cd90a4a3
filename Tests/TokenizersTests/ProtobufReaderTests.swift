import TensorTypes
import Testing

@testable import Tokenizers

/// Writes Protocol Buffers messages.
enum Protobuf {
  static func varint(_ value: UInt64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  static func tag(_ number: UInt64, _ kind: UInt64) -> [UInt8] { varint(number << 3 | kind) }

  static func bytes(_ number: UInt64, _ content: [UInt8]) -> [UInt8] {
    tag(number, 2) + varint(UInt64(content.count)) + content
  }

  static func float(_ number: UInt64, _ value: Float) -> [UInt8] {
    tag(number, 5) + withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
  }

  static func piece(_ text: String, _ score: Float = 0, kind: UInt64? = nil) -> [UInt8] {
    bytes(
      1,
      bytes(1, Array(text.utf8)) + float(2, score)
        + (kind.map { tag(3, 0) + varint($0) } ?? []))
  }
}

@Suite struct ProtobufReaderTests {
  private func fields(_ bytes: [UInt8]) throws(Failure) -> [(number: Int, ProtobufReader.Value)] {
    var reader = ProtobufReader(bytes, file: "m")
    var fields: [(Int, ProtobufReader.Value)] = []
    while let field = try reader.next() { fields.append((field.number, field.value)) }
    return fields
  }

  @Test func everyKindOfFieldIsRead() throws {
    let message =
      Protobuf.tag(1, 0) + Protobuf.varint(.max) + Protobuf.tag(2, 1) + [1, 2, 3, 4, 5, 6, 7, 8]
      + Protobuf.bytes(3, [9, 9]) + Protobuf.tag(536_870_911, 5) + [1, 2, 3, 4]
    let found = try fields(message)
    #expect(found.map(\.number) == [1, 2, 3, 536_870_911])
    #expect(
      found.map(\.1) == [
        .varint(.max), .fixed64(0x0807_0605_0403_0201), .bytes(22..<24), .fixed32(0x0403_0201),
      ])
  }

  @Test func aFieldCutAnywhereIsAnError() throws {
    let messages: [[UInt8]] = [
      Protobuf.tag(1, 0) + Protobuf.varint(1 << 40),
      Protobuf.tag(900, 1) + [1, 2, 3, 4, 5, 6, 7, 8],
      Protobuf.bytes(3, Array(repeating: 7, count: 200)), Protobuf.tag(4, 5) + [1, 2, 3, 4],
    ]
    for message in messages {
      #expect(try fields(message).count == 1)
      for length in 1..<message.count {
        let failure = #expect(throws: Failure.self) { try fields(Array(message.prefix(length))) }
        #expect(failure?.offset ?? .max <= length)
      }
    }
  }

  @Test(arguments: [
    Protobuf.tag(1, 2) + Protobuf.varint(.max), Protobuf.tag(1, 2) + Protobuf.varint(1 << 63),
    Protobuf.tag(1, 2) + Protobuf.varint(1), Protobuf.tag(1, 3), Protobuf.tag(1, 4),
    Protobuf.tag(1, 6), Protobuf.tag(1, 7), Protobuf.tag(0, 0) + [0],
    Protobuf.tag(536_870_912, 0) + [0], [0x08] + Array(repeating: 0xFF, count: 10),
    [0x08] + Array(repeating: 0x80, count: 9) + [2], Array(repeating: 0xFF, count: 64),
  ])
  func hostileMessagesAreErrors(_ message: [UInt8]) {
    let failure = #expect(throws: Failure.self) { try fields(message) }
    #expect(failure?.kind == .badInput)
    #expect(failure?.file == "m")
    #expect(failure?.offset != nil)
  }

  @Test func aMessageInsideAnotherEndsWithIt() {
    let bytes = Protobuf.bytes(1, Protobuf.tag(1, 2) + [4]) + [1, 2, 3, 4]
    var outer = ProtobufReader(bytes, file: "m")
    #expect(throws: Failure.self) {
      guard case .bytes(let range)? = try outer.next()?.value else { return }
      var inner = ProtobufReader(bytes, in: range, file: "m")
      _ = try inner.next()
    }
  }
}

@Suite struct SentencePieceModelTests {
  private let pieces = [
    Protobuf.piece("<unk>", kind: 2), Protobuf.piece("<s>", kind: 3),
    Protobuf.piece("<0x00>", kind: 6), Protobuf.piece("▁a", -1), Protobuf.piece("é", -2.5, kind: 4),
    Protobuf.piece("x", kind: 5),
  ]

  @Test func piecesKeepTheirOrder() throws {
    let other = Protobuf.bytes(2, [8, 1]) + Protobuf.tag(9, 0) + [1]
    let model = try SentencePieceModel(parsing: other + pieces.joined() + other, file: "m")
    #expect(model.pieces.map(\.text) == ["<unk>", "<s>", "<0x00>", "▁a", "é", "x"])
    #expect(model.pieces.map(\.score) == [0, 0, 0, -1, -2.5, 0])
    #expect(
      model.pieces.map(\.kind) == [.unknown, .control, .byte, .normal, .userDefined, .unused])
  }

  /// A model cut within a piece is an error; one cut between pieces has the pieces before.
  @Test func aModelCutAtEveryLength() throws {
    let bytes = Array(pieces.joined())
    var ends = Set<Int>()
    for count in 1...pieces.count { ends.insert(pieces.prefix(count).joined().count) }
    for length in 1...bytes.count {
      let cut = Array(bytes.prefix(length))
      if ends.contains(length) {
        #expect(throws: Never.self) { try SentencePieceModel(parsing: cut, file: "m") }
      } else {
        #expect(throws: Failure.self, "\(length)") {
          try SentencePieceModel(parsing: cut, file: "m")
        }
      }
    }
  }

  /// Whatever byte is changed, the model is read or refused.
  @Test func aModelWithAnyByteChanged() {
    let bytes = Array(pieces.joined())
    var refused = 0
    for index in bytes.indices {
      for flip: UInt8 in [0x01, 0x07, 0x80, 0xFF] {
        var changed = bytes
        changed[index] ^= flip
        do throws(Failure) {
          _ = try SentencePieceModel(parsing: changed, file: "m")
        } catch {
          refused += 1
          #expect(error.kind == .badInput)
        }
      }
    }
    #expect(refused > 0)
  }

  @Test(arguments: [
    [], [Protobuf.piece("a")], [Protobuf.piece("<unk>", kind: 2), Protobuf.piece("u", kind: 2)],
    [Protobuf.piece("<unk>", kind: 2), Protobuf.piece("a"), Protobuf.piece("a")],
    [Protobuf.piece("<unk>", kind: 2), Protobuf.piece("")],
    [Protobuf.piece("<unk>", kind: 2), Protobuf.piece("a", kind: 7)],
    [Protobuf.piece("<unk>", kind: 2), Protobuf.bytes(1, Protobuf.bytes(1, [0xFF]))],
    [Protobuf.piece("<unk>", kind: 2), Protobuf.bytes(1, Protobuf.tag(1, 0) + [1])],
    [Protobuf.piece("<unk>", kind: 2), Protobuf.bytes(1, Protobuf.tag(2, 0) + [1])],
  ])
  func wrongPiecesAreErrors(_ pieces: [[UInt8]]) {
    let failure = #expect(throws: Failure.self) {
      try SentencePieceModel(parsing: Array(pieces.joined()), file: "m")
    }
    #expect(failure?.file == "m")
  }
}
