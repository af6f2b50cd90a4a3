import Support
import TensorTypes
import Testing

@testable import ByteIO

@Suite struct ZstdSourceTests {
  fileprivate static func source(_ bytes: [UInt8]) throws -> ZstdSource {
    try ZstdSource(MemorySource(name: "z", bytes: bytes))
  }

  /// Bytes that compress badly, from a seed.
  private static func noise(_ count: Int, seed: UInt64 = 7) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  /// Around the sizes of blocks, chunks and windows, of bytes that compress well, badly and both.
  @Test(arguments: [0, 1, 100, 131_071, 131_072, 131_073, 200_000, 300_000], [true, false])
  func everythingIsRead(_ count: Int, _ hasChecksum: Bool) throws {
    let noise = Self.noise(count)
    for bytes in [noise, [UInt8](repeating: 7, count: count), noise + noise.reversed() + noise] {
      let source = try Self.source(zstd(bytes, hasChecksum: hasChecksum))
      #expect(try source.decompressedByteCount(limit: .max) == bytes.count)
      #expect(try source.bytes(at: 0, atMost: bytes.count + 1) == bytes)
      if count > 1 {
        #expect(try source.bytes(at: count - 2, count: 2) == Array(bytes[(count - 2)..<count]))
      }
    }
  }

  /// Frames of different sizes, so that output ends inside the decompressor's buffer.
  @Test(arguments: [
    [1, 131_072], [131_072, 1], [70_000, 70_000, 70_000], [131_071, 0, 131_072, 5],
  ])
  func framesAreJoined(_ counts: [Int]) throws {
    let parts = counts.enumerated().map { Self.noise($1, seed: UInt64($0)) }
    for hasChecksum in [true, false] {
      let frames = parts.map { zstd($0, hasChecksum: hasChecksum) }
      for bytes in [frames.flatMap(\.self), frames.flatMap { skippableFrame([1, 2]) + $0 }] {
        let source = try Self.source(bytes)
        #expect(try source.decompressedByteCount(limit: .max) == counts.reduce(0, +))
        #expect(try source.bytes(at: 0, count: counts.reduce(0, +)) == parts.flatMap(\.self))
      }
    }
  }

  /// The input is consumed while libzstd still holds output: all of it is given before the end of
  /// the file counts, whether the frame is complete or not.
  @Test(arguments: [1, 1000, 65_536], [true, false])
  func outputThatIsHeldIsDrained(_ first: Int, _ isComplete: Bool) throws {
    // A raw block, then one of 128 KiB: together they do not fit the output.
    let repeated = (isComplete ? 1 : 0) | 1 << 1 | 131_072 << 3
    let bytes =
      [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38] + Self.blockHeader(first << 3)
      + [UInt8](repeating: 1, count: first) + Self.blockHeader(repeated) + [9]
    let source = try Self.source(bytes)
    #expect(try source.bytes(at: first + 131_071, count: 1) == [9])
    if isComplete {
      #expect(try source.decompressedByteCount(limit: .max) == first + 131_072)
    } else {
      #expect(throws: Failure.self) { try source.decompressedByteCount(limit: .max) }
    }
  }

  private static func blockHeader(_ value: Int) -> [UInt8] {
    (0..<3).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  @Test func onlyTheStartIsDecompressed() throws {
    let watched = WatchedSource(name: "z", bytes: zstd(Self.noise(4_000_000)))
    let source = try ZstdSource(watched)
    _ = try source.bytes(at: 0, count: 100)
    #expect(watched.readByteCount <= 1 << 18)
  }

  @Test func aBombIsBounded() throws {
    // 64 GiB of zeros in 2 MB.
    let bomb = zstdBomb(blockCount: 1 << 19)
    let source = try Self.source(bomb)
    #expect(try source.bytes(at: 0, count: 8) == [UInt8](repeating: 0, count: 8))
    for count in [ZstdSource.prefixByteLimit + 1, Int.max / 2] {
      let failure = #expect(throws: Failure.self) {
        try Self.source(zstd([])).bytes(at: 0, count: count)
      }
      #expect(failure?.message == "the file is too short")
    }
    let failure = #expect(throws: Failure.self) {
      try source.bytes(at: ZstdSource.prefixByteLimit, count: 1)
    }
    #expect(failure?.message == "the header of the compressed file is too long")
    let tooLong = #expect(throws: Failure.self) {
      try source.decompressedByteCount(limit: 1 << 20)
    }
    #expect(
      tooLong?.description
        == "z: the decompressed file is too long (expected at most 1048576 bytes, found more)")
  }

  @Test func theWindowHasALimit() throws {
    let bytes = Self.noise(1000)
    #expect(
      try Self.source(zstd(bytes, windowLog: 27)).decompressedByteCount(limit: .max) == 1000)
    let failure = #expect(throws: Failure.self) {
      try Self.source(zstd(bytes, windowLog: 28)).decompressedByteCount(limit: .max)
    }
    #expect(failure?.message.contains("requires too much memory") == true)
  }

  @Test func aTruncatedFileIsRefusedAtEveryLength() throws {
    let bytes = zstd(Self.noise(50)) + skippableFrame([1, 2, 3]) + zstd([1, 2, 3])
    let ends = [0, zstd(Self.noise(50)).count, zstd(Self.noise(50)).count + 11]
    for length in 0..<bytes.count where !ends.contains(length) {
      let failure = #expect(throws: Failure.self, "\(length)") {
        try Self.source(Array(bytes.prefix(length))).decompressedByteCount(limit: .max)
      }
      #expect(
        failure?.description
          == "z: at byte \(length): the compressed file ends inside a frame "
          + "(expected more bytes, found the end of the file)")
    }
  }

  @Test func damageIsFoundAndStays() throws {
    var bytes = zstd(Self.noise(1000))
    bytes[bytes.count - 1] ^= 1  // the checksum
    let source = try Self.source(bytes)
    for _ in 0..<2 {
      let failure = #expect(throws: Failure.self) { try source.bytes(at: 1000, atMost: 1) }
      #expect(
        failure?.message == "the compressed file is damaged: Restored data doesn't match checksum")
      #expect(failure?.file == "z" && failure?.offset != nil)
    }
  }

  @Test(arguments: [[1], [0x28], [1, 2, 3, 4], [0x28, 0xB5, 0x2F], [0x28, 0xB5, 0x2F, 0xFC, 0]])
  func whatFollowsAFrameMustBeAFrame(_ rest: [UInt8]) throws {
    let source = try Self.source(zstd([1, 2, 3]) + rest)
    #expect(try source.bytes(at: 0, count: 3) == [1, 2, 3])
    #expect(throws: Failure.self) { try source.decompressedByteCount(limit: .max) }
  }

  @Test(
    arguments: [
      ("reserved bit", [0x28, 0xB5, 0x2F, 0xFD, 0x08, 0x38, 0x01, 0x00, 0x00]),
      ("reserved block", [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38, 0x07, 0x00, 0x00]),
      ("dictionary", [0x28, 0xB5, 0x2F, 0xFD, 0x01, 0x38, 0x09, 0x01, 0x00, 0x00]),
      ("block over the window", [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x00, 0x43, 0xFF, 0xFF, 0x00]),
      ("size too small", [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x01, 0x13, 0x00, 0x00, 0x07]),
      ("size too large", [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x09, 0x13, 0x00, 0x00, 0x07]),
    ] as [(String, [UInt8])])
  func brokenFramesAreRefused(_ name: String, _ bytes: [UInt8]) {
    let failure = #expect(throws: Failure.self, "\(name)") {
      try Self.source(bytes).decompressedByteCount(limit: .max)
    }
    #expect(failure?.kind == .badInput && failure?.offset != nil)
  }

  @Test func framesAreRecognisedByTheirMagic() {
    #expect(ZstdSource.recognises(zstd([])))
    for low in UInt8(0x50)...0x5F { #expect(ZstdSource.recognises([low, 0x2A, 0x4D, 0x18])) }
    for other: [UInt8] in [[], [0x28, 0xB5, 0x2F], [0x60, 0x2A, 0x4D, 0x18], Array("GGUF".utf8)] {
      #expect(!ZstdSource.recognises(other))
    }
  }

  /// A window of the cursor reaches past the end of a short file.
  @Test func aCursorReadsToTheEndAndNoFurther() throws {
    var cursor = Cursor(try Self.source(zstd([1, 2, 3, 4, 5, 6])))
    #expect(try cursor.read(UInt32.self) == 0x0403_0201)
    #expect(try cursor.readBytes(2) == [5, 6])
    let failure = #expect(throws: Failure.self) { _ = try cursor.readBytes(1 << 20) }
    #expect(failure?.offset == 6)
  }
}
