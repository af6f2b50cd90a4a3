import ByteIO
import TensorTypes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// An empty folder that is removed, with the files in it, when the value dies.
public final class TemporaryFolder: Sendable {
  public let path: String

  public init() {
    var template = Array("/tmp/port-test-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "no temporary folder")
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit {
    for name in (try? Folder(path: path))?.names ?? [] { unlink(path + "/" + name) }
    rmdir(path)
  }

  /// Writes a file and returns its path.
  @discardableResult
  public func write(_ name: String, _ bytes: [UInt8]) throws(Failure) -> String {
    let file = path + "/" + name
    try OutputFile(creating: file, byteCount: bytes.count).write(bytes, at: 0)
    return file
  }

  @discardableResult
  public func write(_ name: String, _ text: String) throws(Failure) -> String {
    try write(name, Array(text.utf8))
  }
}
