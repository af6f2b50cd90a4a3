import SystemPackage
import TensorTypes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A regular file open for reading by position.
///
/// It is never mapped: a mapped file that is truncated kills the process. A class, because several
/// threads share one descriptor that must be closed once.
public final class InputFile: ByteSource {
  public let name: String
  public let byteCount: Int
  private let descriptor: Int32
  private let modified: timespec

  /// - Throws: `missingInput` when the file is absent, unreadable or not a regular file.
  public init(path: String) throws(Failure) {
    name = path
    // Without O_NONBLOCK, opening a FIFO waits for a writer.
    let descriptor = retryingInterrupts { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    guard descriptor >= 0 else {
      throw Failure(.missingInput, "cannot open the file: \(Errno(rawValue: errno))", file: path)
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let failure = Failure(
        .missingInput, "cannot read the file: \(Errno(rawValue: errno))", file: path)
      close(descriptor)
      throw failure
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw Failure(
        .missingInput, "cannot read the file", file: path, expected: "a regular file",
        found: status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "a device, pipe or socket")
    }
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
    modified = status.modified
  }

  deinit {
    close(descriptor)
  }

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
    var done = 0
    while done < buffer.count {
      let count = retryingInterrupts {
        pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      }
      if count < 0 {
        throw Failure(
          .inputOutput, "cannot read: \(Errno(rawValue: errno))", file: name, offset: offset + done)
      }
      if count == 0 {
        throw Failure(
          .badInput, "the file ends too early", file: name, offset: offset + done,
          expected: "\(buffer.count - done) more bytes", found: "the end of the file")
      }
      done += count
    }
  }

  /// Checks that the file still has the size and modification time it had when it was opened.
  ///
  /// - Throws: `inputOutput` when it has changed.
  public func checkUnchanged() throws(Failure) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw Failure(.inputOutput, "cannot read: \(Errno(rawValue: errno))", file: name)
    }
    guard Int(status.st_size) == byteCount, status.modified.tv_sec == modified.tv_sec,
      status.modified.tv_nsec == modified.tv_nsec
    else {
      throw Failure(
        .inputOutput, "the file was changed while it was read", file: name,
        expected: "\(byteCount) bytes, not modified", found: "\(status.st_size) bytes, modified")
    }
  }
}

/// Repeats a system call while a signal interrupts it.
func retryingInterrupts<T: FixedWidthInteger>(_ call: () -> T) -> T {
  while true {
    let result = call()
    if result != -1 || errno != EINTR { return result }
  }
}

extension stat {
  fileprivate var modified: timespec {
    #if canImport(Darwin)
      st_mtimespec
    #else
      st_mtim
    #endif
  }
}
