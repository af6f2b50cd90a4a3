import Foundation
import TensorTypes
import Testing

@testable import ByteIO

@Suite struct OutputFileTests {
  /// Pieces of any length at any offset add up to the same file, whether the system's cache is
  /// passed by or not, and whether there is room to do so.
  @Test(arguments: [(true, 1 << 20), (true, 8192), (true, 0), (false, 1 << 20)])
  func piecesAddUp(_ isDirect: Bool, _ room: Int) throws {
    let expected = (0..<3_000_001).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("output-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let staging = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 4096)
    defer { staging.deallocate() }
    let file = try OutputFile(creating: path, byteCount: expected.count, isDirect: isDirect)
    var pieces: [Range<Int>] = []
    var start = 0
    for length in [1, 4095, 4096, 8192, 100_000, 5, 12_288, 1_000_000, 4097].cycled(200) {
      let end = min(expected.count, start + length)
      pieces.append(start..<end)
      start = end
    }
    #expect(pieces.last?.upperBound == expected.count)
    for piece in pieces.reversed() {
      try Array(expected[piece]).withUnsafeBytes {
        try file.write($0, at: piece.lowerBound, staging: staging)
      }
    }
    try file.synchronize()
    #expect(FileManager.default.contents(atPath: path) == Data(expected))
  }
}

extension [Int] {
  fileprivate func cycled(_ count: Int) -> [Int] { (0..<count).map { self[$0 % self.count] } }
}
