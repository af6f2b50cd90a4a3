import SystemPackage
import TensorTypes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A new file of known size, written by position from any thread.
///
/// The file is created, never replaced; its space is reserved before the first byte is written, so
/// that a full disk is found at once. A class, because several threads share one descriptor.
public final class OutputFile: Sendable {
  public let path: String
  public let byteCount: Int
  private let descriptor: Int32

  /// - Throws: `cannotCreate` when the file exists, the folder refuses it, or space is lacking.
  public init(creating path: String, byteCount: Int) throws(Failure) {
    self.path = path
    self.byteCount = byteCount
    descriptor = retryingInterrupts { open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else {
      throw Failure(.cannotCreate, "cannot create the file: \(Errno(rawValue: errno))", file: path)
    }
    do throws(Failure) {
      try reserve()
    } catch {
      unlink(path)
      throw error
    }
  }

  deinit {
    close(descriptor)
  }

  /// Writes all bytes at `offset`.
  ///
  /// - Throws: `inputOutput`.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let count = retryingInterrupts {
        // Not empty, or the loop would have ended.
        pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      }
      guard count > 0 else {
        throw Failure(
          .inputOutput,
          "cannot write: \(count == 0 ? "nothing was taken" : "\(Errno(rawValue: errno))")",
          file: path, offset: offset + done)
      }
      done += count
    }
  }

  public func write(_ bytes: [UInt8], at offset: Int) throws(Failure) {
    var failure: Failure?
    bytes.withUnsafeBytes { buffer in
      do throws(Failure) {
        try write(buffer, at: offset)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// Makes the bytes durable. A failed attempt is final: the system may have dropped them.
  ///
  /// - Throws: `inputOutput`.
  public func synchronize() throws(Failure) {
    guard retryingInterrupts({ fsync(descriptor) }) == 0 else {
      throw Failure(
        .inputOutput, "cannot make the file durable: \(Errno(rawValue: errno))", file: path)
    }
  }

  private func reserve() throws(Failure) {
    guard byteCount > 0 else { return }
    #if canImport(Glibc)
      let status = posix_fallocate(descriptor, 0, off_t(byteCount))
      guard status == 0 || status == EOPNOTSUPP || status == EINVAL else {
        throw Failure(
          .cannotCreate, "cannot reserve space: \(Errno(rawValue: status))", file: path,
          expected: "\(byteCount) free bytes")
      }
    #endif
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
      throw Failure(
        .cannotCreate, "cannot set the size: \(Errno(rawValue: errno))", file: path,
        expected: "\(byteCount) bytes")
    }
  }
}
