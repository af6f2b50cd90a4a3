import CZstd

/// `bytes` as one zstd frame.
///
/// - Parameters:
///   - hasChecksum: whether the frame ends with a checksum.
///   - windowLog: the window that the frame asks for; the library's choice by default.
public func zstd(_ bytes: [UInt8], hasChecksum: Bool = true, windowLog: Int32? = nil) -> [UInt8] {
  let context = ZSTD_createCCtx()
  defer { ZSTD_freeCCtx(context) }
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, hasChecksum ? 1 : 0)
  if let windowLog {
    // A frame of known size asks for no larger window than its content.
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog)
  }
  return [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, count in
    bytes.withUnsafeBytes { source in
      if windowLog == nil {
        count = ZSTD_compress2(
          context, buffer.baseAddress, buffer.count, source.baseAddress, source.count)
        return
      }
      // Streaming, so that the size is unknown when the frame's header is written.
      var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
      var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
      ZSTD_compressStream2(context, &output, &input, ZSTD_e_flush)
      while ZSTD_compressStream2(context, &output, &input, ZSTD_e_end) > 0 {}
      count = output.pos
    }
  }
}

/// A frame that readers skip.
public func skippableFrame(_ content: [UInt8]) -> [UInt8] {
  [0x50, 0x2A, 0x4D, 0x18] + (0..<4).map { UInt8(truncatingIfNeeded: content.count >> (8 * $0)) }
    + content
}

/// A frame of `blockCount` blocks that decompress to 128 KiB of zeros each, 4 bytes a block.
public func zstdBomb(blockCount: Int) -> [UInt8] {
  // Descriptor 0: no content size, no checksum; window 0x38: 128 KiB.
  var bytes: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38]
  for number in 0..<blockCount {
    // Three bytes: last, type 1 (repeat one byte), size.
    let header = UInt32(number + 1 == blockCount ? 1 : 0) | 1 << 1 | 0x20000 << 3
    bytes += [
      UInt8(truncatingIfNeeded: header), UInt8(truncatingIfNeeded: header >> 8),
      UInt8(truncatingIfNeeded: header >> 16), 0,
    ]
  }
  return bytes
}
