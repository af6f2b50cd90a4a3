import CFiles
import Synchronization
import SystemPackage
import TensorTypes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A new file of known size, written by position from any thread. What is not written is zero.
///
/// The file is created, never replaced; its space is reserved before the first byte is written, so
/// that a full disk is found at once. While it is open it is locked, by which others see that it
/// is not left over. A class, because several threads share one descriptor.
public final class OutputFile: Sendable {
  /// Where it is written.
  public let path: String
  /// What messages call it: the path it will have.
  public let name: String
  public let byteCount: Int
  private let descriptor: Int32
  /// Writes past the system's cache; -1 where that is not possible or the file is small.
  private let direct: Int32
  /// The bytes written so far; the system is asked to bring them to the disk now and then, so that
  /// little is left to do at the end.
  private let writtenByteCount = Atomic<Int>(0)

  private static let writeBackByteCount = 1 << 25
  /// Files from this size on would push everything else out of the system's cache, and filling it
  /// takes longer than writing to a fast disk.
  public static let directByteCount = 1 << 30
  /// A multiple of the blocks of all disks.
  private static let blockByteCount = 4096

  /// - Parameters:
  ///   - name: what messages call the file; its path when nil.
  ///   - isDirect: whether whole blocks are written past the system's cache, where that is possible.
  /// - Throws: `cannotCreate` when the file exists, the folder refuses it, or space is lacking.
  public init(
    creating path: String, named name: String? = nil, byteCount: Int, isDirect: Bool? = nil
  ) throws(Failure) {
    self.path = path
    self.name = name ?? path
    self.byteCount = byteCount
    descriptor = retryingInterrupts { open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else {
      throw Failure(
        .cannotCreate, "cannot create the file: \(Errno(rawValue: errno))", file: self.name)
    }
    do throws(Failure) {
      try lock(descriptor, name: self.name)
      try OutputFile.reserve(descriptor, byteCount, name: self.name)
    } catch {
      direct = -1
      unlink(path)
      throw error
    }
    let isLarge = byteCount >= OutputFile.directByteCount
    direct = isDirect ?? isLarge ? port_open_direct(path) : -1
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if direct >= 0 { close(direct) }
  }

  /// Writes all bytes at `offset`.
  ///
  /// - Throws: `inputOutput`.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(Failure) {
    try put(bytes, at: offset, descriptor)
    startWriteBack(after: bytes.count)
  }

  /// Writes all bytes at `offset`, of large files whole blocks past the system's cache.
  ///
  /// - Parameter staging: room for the bytes, at the start of a page.
  /// - Throws: `inputOutput`.
  public func write(
    _ bytes: UnsafeRawBufferPointer, at offset: Int,
    staging: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let block = OutputFile.blockByteCount
    let head = (block - offset % block) % block
    let whole = max(0, bytes.count - head) / block * block
    guard direct >= 0, whole > 0, whole <= staging.count else {
      return try write(bytes, at: offset)
    }
    let tail = head + whole
    try write(UnsafeRawBufferPointer(rebasing: bytes[..<head]), at: offset)
    staging.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[head..<tail]))
    try put(UnsafeRawBufferPointer(rebasing: staging[..<whole]), at: offset + head, direct)
    try write(UnsafeRawBufferPointer(rebasing: bytes[tail...]), at: offset + tail)
  }

  private func put(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, _ descriptor: Int32
  ) throws(Failure) {
    var descriptor = descriptor
    var done = 0
    while done < bytes.count {
      let count = retryingInterrupts {
        // Not empty, or the loop would have ended.
        pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      }
      if count < 0, errno == EINVAL, descriptor == direct {
        // The disk wants larger blocks, or what is left after a part was taken is no block.
        descriptor = self.descriptor
        continue
      }
      guard count > 0 else {
        throw Failure(
          .inputOutput,
          "cannot write: \(count == 0 ? "nothing was taken" : "\(Errno(rawValue: errno))")",
          file: name, offset: offset + done)
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
    try ByteIO.synchronize(descriptor, name: name)
  }

  private func startWriteBack(after count: Int) {
    let unit = OutputFile.writeBackByteCount
    let (before, after) = writtenByteCount.wrappingAdd(count, ordering: .relaxed)
    // Only a hint: `synchronize` tells of errors.
    if before / unit != after / unit { _ = port_start_write_back(descriptor) }
  }

  private static func reserve(
    _ descriptor: Int32, _ byteCount: Int, name: String
  ) throws(Failure) {
    guard retryingInterrupts({ port_reserve(descriptor, Int64(byteCount)) }) == 0,
      retryingInterrupts({ ftruncate(descriptor, off_t(byteCount)) }) == 0
    else {
      throw Failure(
        .cannotCreate, "cannot reserve space: \(Errno(rawValue: errno))", file: name,
        expected: "\(byteCount) free bytes")
    }
  }
}

/// Brings a file's or folder's bytes to the disk.
///
/// - Throws: `inputOutput`.
func synchronize(_ descriptor: Int32, name: String) throws(Failure) {
  guard retryingInterrupts({ port_synchronize(descriptor) }) == 0 else {
    throw Failure(.inputOutput, "cannot make it durable: \(Errno(rawValue: errno))", file: name)
  }
}

/// Marks a new file or folder as being written, until the descriptor is closed.
///
/// - Throws: `cannotCreate` when another process has taken it for left over, which it can do
///   between creation and lock only.
func lock(_ descriptor: Int32, name: String) throws(Failure) {
  var status = stat()
  // Without locks, as on some network file systems, nothing is ever taken for left over.
  let isTaken = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
  guard !isTaken, fstat(descriptor, &status) == 0, status.st_nlink > 0 else {
    throw Failure(.cannotCreate, "another process is creating the same output", file: name)
  }
}
