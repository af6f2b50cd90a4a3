import CZstd
import Synchronization
import TensorTypes

/// The decompressed bytes of a zstd file, read from the start and only as far as asked.
///
/// What has been decompressed is kept, up to `prefixByteLimit`, so headers can be read at any
/// offset. The size is unknown before the end: `byteCount` is only an upper bound, and
/// `decompressedByteCount()` finds the true one.
///
/// - Source: RFC 8878; `zstd.h`, streaming decompression.
public final class ZstdSource: ByteSource {
  /// The most decompressed bytes that are kept; a larger header is an error.
  public static let prefixByteLimit = 1 << 28

  public let name: String
  public let byteCount = Int.max / 2
  public var isOpenEnded: Bool { true }

  private let compressed: any ByteSource
  private let state: Mutex<State>

  /// Whether a file that begins with these bytes is in zstd format.
  public static func recognises(_ start: [UInt8]) -> Bool {
    guard start.count >= 4 else { return false }
    let magic = start[..<4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return magic == 0xFD2F_B528 || magic & 0xFFFF_FFF0 == 0x184D_2A50
  }

  public init(_ compressed: any ByteSource) throws(Failure) {
    name = compressed.name
    self.compressed = compressed
    state = Mutex(State(stream: try ZstdStream(compressed)))
  }

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
    let end = offset + buffer.count
    guard end <= ZstdSource.prefixByteLimit else {
      throw Failure(
        .badInput, "the header of the compressed file is too long", file: name,
        expected: "at most \(ZstdSource.prefixByteLimit) bytes", found: "\(end)")
    }
    let target = Target(buffer: buffer)
    let failure = state.withLock { (state) -> Failure? in
      do throws(Failure) {
        try state.extend(to: end)
      } catch {
        return error
      }
      guard state.prefix.count >= end else {
        return Failure(
          .badInput, "the decompressed file ends too early", file: name, offset: offset,
          expected: "\(target.buffer.count) bytes",
          found: "\(max(0, state.prefix.count - offset))")
      }
      state.prefix.withUnsafeBytes {
        target.buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<end]))
      }
      return nil
    }
    if let failure { throw failure }
  }

  /// Decompresses the whole file, checksums included, and returns its size.
  ///
  /// - Throws: `badInput` when the file is damaged or truncated.
  public func decompressedByteCount() throws(Failure) -> Int {
    var stream = try ZstdStream(compressed)
    var total = 0
    while let chunk = try stream.next() { total += chunk.count }
    return total
  }

  private struct State {
    var stream: ZstdStream
    var prefix: [UInt8] = []

    mutating func extend(to end: Int) throws(Failure) {
      while prefix.count < end, let chunk = try stream.next() { prefix += chunk }
    }
  }

  /// Lets the buffer into the closure of the lock, which runs on this thread.
  private struct Target: @unchecked Sendable {
    let buffer: UnsafeMutableRawBufferPointer
  }
}

/// The decompressed bytes of a source, chunk by chunk.
private struct ZstdStream: @unchecked Sendable {
  private let context: Context
  private let source: any ByteSource
  private var position = 0
  private var input: [UInt8] = []
  private var inputPosition = 0
  private var isInsideFrame = false

  /// - Units: bytes of compressed input that are read at once.
  private static let chunkByteCount = 1 << 17

  init(_ source: any ByteSource) throws(Failure) {
    guard let pointer = ZSTD_createDStream() else {
      throw Failure(.defect, "libzstd cannot start", file: source.name)
    }
    context = Context(pointer)
    self.source = source
  }

  /// The next bytes, at least one; nil at the end of the last frame.
  mutating func next() throws(Failure) -> [UInt8]? {
    while true {
      if inputPosition == input.count {
        let count = min(ZstdStream.chunkByteCount, source.byteCount - position)
        if count == 0 {
          guard !isInsideFrame else {
            throw Failure(
              .badInput, "the compressed file ends inside a frame", file: source.name,
              offset: position, expected: "more bytes", found: "the end of the file")
          }
          return nil
        }
        input = try source.bytes(at: position, count: count)
        position += count
        inputPosition = 0
      }
      let chunk = try decompress()
      if !chunk.isEmpty { return chunk }
    }
  }

  private mutating func decompress() throws(Failure) -> [UInt8] {
    var status = 0
    let capacity = ZSTD_DStreamOutSize()
    let chunk = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      input.withUnsafeBytes { bytes in
        var from = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: inputPosition)
        var to = ZSTD_outBuffer(dst: buffer.baseAddress, size: capacity, pos: 0)
        status = ZSTD_decompressStream(context.pointer, &to, &from)
        inputPosition = from.pos
        count = to.pos
      }
    }
    guard ZSTD_isError(status) == 0 else {
      throw Failure(
        .badInput, "the compressed file is damaged: \(String(cString: ZSTD_getErrorName(status)))",
        file: source.name, offset: position - input.count + inputPosition)
    }
    isInsideFrame = status != 0
    return chunk
  }

  /// Frees the decompressor once.
  private final class Context {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { ZSTD_freeDStream(pointer) }
  }
}
