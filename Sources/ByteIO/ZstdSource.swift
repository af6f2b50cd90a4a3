import CZstd
import Synchronization
import TensorTypes

/// The decompressed bytes of a zstd file, read from the start and only as far as asked.
///
/// What has been decompressed is kept, up to `prefixByteLimit`, so headers can be read at any
/// offset. The size is unknown before the end, and what a frame says about it is not trusted:
/// `byteCount` is only an upper bound, and `decompressedByteCount(limit:)` finds the true one.
///
/// - Source: RFC 8878; `zstd.h`, streaming decompression.
public final class ZstdSource: ByteSource {
  /// The most decompressed bytes that are kept; a larger header is an error.
  public static let prefixByteLimit = 1 << 27

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
    buffer.copyBytes(from: try bytes(at: offset, count: buffer.count))
  }

  public func bytes(at offset: Int, atMost count: Int) throws(Failure) -> [UInt8] {
    guard offset >= 0, count > 0 else { return [] }
    let (end, overflow) = offset.addingReportingOverflow(count)
    let result = state.withLock { state in
      Result { () throws(Failure) in
        let isComplete = try state.extend(to: overflow ? .max : end)
        guard isComplete else {
          throw Failure(
            .badInput, "the header of the compressed file is too long", file: name,
            expected: "at most \(ZstdSource.prefixByteLimit) bytes", found: "more")
        }
        return Array(state.prefix.dropFirst(offset).prefix(count))
      }
    }
    return try result.get()
  }

  /// Decompresses the whole file, checksums included, and returns its size.
  ///
  /// - Parameter limit: the most bytes that the file may have decompressed.
  /// - Throws: `badInput` when the file is damaged, truncated or larger than the limit.
  public func decompressedByteCount(limit: Int) throws(Failure) -> Int {
    var stream = try ZstdStream(compressed)
    var total = 0
    while let chunk = try stream.next() {
      total += chunk.count
      guard total <= limit else {
        throw Failure(
          .badInput, "the decompressed file is too long", file: name,
          expected: "at most \(limit) bytes", found: "more")
      }
    }
    return total
  }

  private struct State {
    var stream: ZstdStream
    var prefix: [UInt8] = []
    /// What ended the stream; the decompressor cannot go on after an error.
    var failure: Failure?

    /// Decompresses up to `end` or the end of the file; false when that is beyond the limit.
    mutating func extend(to end: Int) throws(Failure) -> Bool {
      if let failure { throw failure }
      do throws(Failure) {
        while prefix.count < min(end, ZstdSource.prefixByteLimit) {
          guard let chunk = try stream.next() else { return true }
          prefix += chunk
        }
        return end <= ZstdSource.prefixByteLimit
      } catch {
        failure = error
        throw error
      }
    }
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
  /// The last chunk filled its buffer, so the decompressor may hold more without more input.
  private var holdsOutput = false

  /// - Units: bytes of compressed input that are read at once.
  private static let chunkByteCount = 1 << 17
  /// - Units: binary logarithm of bytes; a frame that needs a larger window is refused.
  private static let windowLogLimit: Int32 = 27

  init(_ source: any ByteSource) throws(Failure) {
    guard let pointer = ZSTD_createDStream() else {
      throw Failure(.defect, "libzstd cannot start", file: source.name)
    }
    context = Context(pointer)
    self.source = source
    ZSTD_DCtx_setParameter(pointer, ZSTD_d_windowLogMax, ZstdStream.windowLogLimit)
  }

  /// The next bytes, at least one; nil at the end of the last frame.
  mutating func next() throws(Failure) -> [UInt8]? {
    while true {
      if inputPosition == input.count, !holdsOutput {
        input = try source.bytes(at: position, atMost: ZstdStream.chunkByteCount)
        position += input.count
        inputPosition = 0
        if input.isEmpty {
          guard !isInsideFrame else {
            throw Failure(
              .badInput, "the compressed file ends inside a frame", file: source.name,
              offset: position, expected: "more bytes", found: "the end of the file")
          }
          return nil
        }
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
    // At the end of a frame all of its output has been given; further input begins another.
    isInsideFrame = status != 0
    holdsOutput = isInsideFrame && chunk.count == capacity
    return chunk
  }

  /// Frees the decompressor once.
  private final class Context {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { ZSTD_freeDStream(pointer) }
  }
}
