import ByteIO
import Foundation
import TensorTypes

/// The streams of the process: results on standard output, everything else on standard error.
enum Console {
  static var isErrorTerminal: Bool { isatty(2) == 1 }

  /// Whether colour may be used on standard output.
  static var usesColor: Bool {
    isatty(1) == 1 && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
      && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  }

  /// Keeps files that are opened later from taking the number of a stream that is closed.
  ///
  /// Writing to such a stream still fails.
  static func reserveStreams() {
    for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", O_RDONLY)  // takes the lowest free number
    }
  }

  /// Prints lines, some at a time.
  ///
  /// - Throws: `inputOutput` when standard output does not take everything.
  static func print(_ lines: some Sequence<String>) throws(Failure) {
    var bytes: [UInt8] = []
    for line in lines {
      bytes += line.utf8
      bytes.append(UInt8(ascii: "\n"))
      guard bytes.count >= 1 << 16 else { continue }
      try write(bytes, to: "-")
      bytes.removeAll(keepingCapacity: true)
    }
    try write(bytes, to: "-")
  }

  /// Prints a document, or writes it to the file that is asked for.
  ///
  /// - Throws: `cannotCreate` when the file cannot be written, `inputOutput` when standard output
  ///   does not take everything.
  static func write(_ document: [UInt8], to destination: String) throws(Failure) {
    guard destination != "-" else {
      guard write(document, to: 1) else {
        throw Failure(
          .inputOutput, "cannot write to standard output: \(String(cString: strerror(errno)))")
      }
      return
    }
    let transaction = try OutputTransaction(destination, shape: .files, replaces: true)
    let file = try transaction.create(destination, byteCount: document.count)
    try file.write(document, at: 0)
    try transaction.commit()
  }

  static func complain(_ line: String) {
    write(Array((line + "\n").utf8), to: 2)
  }

  static func report(_ failure: Failure, as command: (any JSONReporting)?) {
    complain("error: \(failure)")
    guard let destination = command?.jsonDestination, failure.file != destination else { return }
    try? write(failure.json.sortedText, to: destination)
  }

  static func exit(_ code: Int32) -> Never {
    Foundation.exit(code)
  }

  /// - Returns: whether everything was taken; when not, `errno` says why.
  @discardableResult
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let count = Foundation.write(
          descriptor, buffer.baseAddress! + done, buffer.count - done)  // not empty
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        done += count
      }
      return true
    }
  }
}
