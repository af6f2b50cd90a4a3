import ByteIO
import Synchronization
import TensorTypes

/// Bytes in memory that remember how far they were read.
public final class WatchedSource: ByteSource {
  private let memory: MemorySource
  private let end = Mutex(0)

  public init(name: String, bytes: [UInt8]) {
    memory = MemorySource(name: name, bytes: bytes)
  }

  public var name: String { memory.name }
  public var byteCount: Int { memory.byteCount }
  /// The end of what was read last from furthest back.
  public var readByteCount: Int { end.withLock { $0 } }

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
    try memory.read(at: offset, into: buffer)
    let last = offset + buffer.count
    end.withLock { $0 = max($0, last) }
  }
}

/// A source that says it has `byteCount` bytes and holds only the first of them: a sparse file.
public struct SparseSource: ByteSource {
  public let name: String
  public let byteCount: Int
  private let start: [UInt8]

  public init(name: String, start: [UInt8], byteCount: Int) {
    self.name = name
    self.start = start
    self.byteCount = byteCount
  }

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
    for index in 0..<buffer.count {
      buffer[index] = offset + index < start.count ? start[offset + index] : 0
    }
  }
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
