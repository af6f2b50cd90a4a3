import TensorTypes

/// Bytes that can be read at any offset: a file, memory, or a test double that fails on purpose.
public protocol ByteSource: Sendable {
  /// What messages call it; the path of a file.
  var name: String { get }
  /// - Units: bytes.
  var byteCount: Int { get }
  /// Whether `byteCount` is only an upper bound: where a compressed source ends is known when it
  /// is decompressed.
  var isOpenEnded: Bool { get }

  /// Fills `buffer` with the bytes from `offset` on.
  ///
  /// - Throws: `badInput` when the source ends before the buffer is full, `inputOutput` when the
  ///   system refuses.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure)

  /// The bytes from `offset` on: `count`, or all there are when the source ends before.
  ///
  /// - Throws: `inputOutput` when the system refuses.
  func bytes(at offset: Int, atMost count: Int) throws(Failure) -> [UInt8]
}

extension ByteSource {
  public var isOpenEnded: Bool { false }

  /// The `count` bytes from `offset` on.
  ///
  /// - Throws: `badInput` when there are fewer.
  public func bytes(at offset: Int, count: Int) throws(Failure) -> [UInt8] {
    guard offset >= 0, count >= 0, count <= byteCount - offset else {
      throw tooShort(offset, count, max(0, byteCount - offset))
    }
    let bytes = try bytes(at: offset, atMost: count)
    guard bytes.count == count else { throw tooShort(offset, count, bytes.count) }
    return bytes
  }

  /// Allocates no more than there is to read, whatever `count` says.
  public func bytes(at offset: Int, atMost count: Int) throws(Failure) -> [UInt8] {
    let count = min(count, byteCount - offset)
    guard offset >= 0, count > 0 else { return [] }
    var failure: Failure?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(Failure) {
        try read(
          at: offset, into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count))
        initialized = count
      } catch {
        failure = error
        initialized = 0
      }
    }
    if let failure { throw failure }
    return bytes
  }

  private func tooShort(_ offset: Int, _ count: Int, _ found: Int) -> Failure {
    Failure(
      .badInput, "the file is too short", file: name, offset: offset, expected: "\(count) bytes",
      found: "\(found)")
  }
}

/// Bytes in memory.
public struct MemorySource: ByteSource {
  public let name: String
  public let bytes: [UInt8]

  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  public var byteCount: Int { bytes.count }

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
    guard offset >= 0, buffer.count <= bytes.count - offset else {
      throw Failure(
        .badInput, "the file is too short", file: name, offset: offset,
        expected: "\(buffer.count) bytes", found: "\(max(0, bytes.count - offset))")
    }
    bytes.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + buffer.count]))
    }
  }
}
