import SystemPackage
import TensorTypes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A folder and the small files in it: configs, tokenizers, model cards.
public struct Folder: Sendable {
  public let path: String
  /// The names in the folder, sorted bytewise, `.` and `..` left out.
  public let names: [String]

  /// A small file beyond this is refused; the largest tokenizers have some 40 MB.
  public static let fileByteLimit = 1 << 28

  /// - Throws: `missingInput` when there is no such folder or it cannot be listed.
  public init(path: String) throws(Failure) {
    self.path = path
    guard let stream = opendir(path) else {
      throw Failure(.missingInput, "cannot list the folder: \(Errno(rawValue: errno))", file: path)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != ".", name != ".." { names.append(name) }
    }
    self.names = names.sorted { ByteString($0) < ByteString($1) }
  }

  /// The last component of the absolute path: what people call the checkpoint.
  public var name: String {
    let absolute = FilePath(path).isAbsolute ? path : currentFolder() + "/" + path
    return FilePath(absolute).lexicallyNormalized().lastComponent?.string ?? ""
  }

  public func path(of name: String) -> String {
    path.hasSuffix("/") ? path + name : path + "/" + name
  }

  public func contains(_ name: String) -> Bool {
    name.utf8.contains(UInt8(ascii: "/"))
      ? access(path(of: name), F_OK) == 0 : names.contains(name)
  }

  /// The whole file; nil when the folder has none of this name.
  ///
  /// - Throws: `badInput` beyond `fileByteLimit`, `missingInput` and `inputOutput` as `InputFile`.
  public func bytes(of name: String) throws(Failure) -> [UInt8]? {
    guard contains(name) else { return nil }
    let file = try InputFile(path: path(of: name))
    guard file.byteCount <= Folder.fileByteLimit else {
      throw Failure(
        .badInput, "the file is too large for what it should be", file: file.name,
        expected: "at most \(Folder.fileByteLimit) bytes", found: "\(file.byteCount)")
    }
    return try file.bytes(at: 0, count: file.byteCount)
  }

  /// The file as JSON; nil when the folder has none of this name.
  public func json(_ name: String) throws(Failure) -> JSON? {
    guard let bytes = try bytes(of: name) else { return nil }
    return try JSON(parsing: bytes, file: path(of: name))
  }
}

/// The working folder of the process; "." when it cannot be told.
private func currentFolder() -> String {
  guard let buffer = getcwd(nil, 0) else { return "." }
  defer { free(buffer) }
  return String(cString: buffer)
}

/// Whether two paths lead to the same file or folder that exists.
public func isSameFile(_ a: String, _ b: String) -> Bool {
  var first = stat()
  var second = stat()
  guard stat(a, &first) == 0, stat(b, &second) == 0 else { return false }
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino
}
