import SystemPackage
import TensorTypes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The files of one output: all appear under their final names, complete and durable, or none.
///
/// They are written under hidden names in the folder of the output. `commit` makes them durable,
/// renames them and makes the names durable, in this order; until then, `rollBack` removes every
/// trace. What a killed process left behind is removed by the next one that writes the same output.
public final class OutputTransaction {
  /// What the user asked for: a file, several files side by side, or a folder of files.
  public enum Shape: Sendable {
    case files, folder
  }

  private let destination: String
  private let shape: Shape
  private let replaces: Bool
  private var folder: TemporaryFolder?
  /// Those of the folder, by their names in it.
  private var subfolders: [String: TemporaryFolder] = [:]
  private var files: [(output: OutputFile, final: String)] = []
  private var isDone = false

  /// - Parameters:
  ///   - destination: the path of the file or folder; of files side by side, the first.
  ///   - replaces: whether an existing output may be replaced.
  /// - Throws: `cannotCreate` when it exists and may not be replaced.
  public init(_ destination: String, shape: Shape, replaces: Bool) throws(Failure) {
    var destination = destination
    while destination.utf8.count > 1, destination.hasSuffix("/") { destination.removeLast() }
    self.destination = destination
    self.shape = shape
    self.replaces = replaces
    guard !destination.isEmpty else { throw Failure(.usage, "the output path is empty") }
    if shape == .folder {
      try prepare(destination)
      folder = try TemporaryFolder(temporaryPath(for: destination), named: destination)
    }
  }

  deinit {
    if !isDone { rollBack() }
  }

  /// Creates a file of the output under a temporary name.
  ///
  /// - Parameter name: in a folder, the file's name, or that of a folder in it, a slash and the
  ///   file's name; else the whole path.
  /// - Throws: `cannotCreate`.
  public func create(_ name: String, byteCount: Int) throws(Failure) -> OutputFile {
    let output: OutputFile
    if let folder {
      if let slash = name.utf8.firstIndex(of: UInt8(ascii: "/")) {
        let inner = String(name[..<slash])
        if subfolders[inner] == nil {
          subfolders[inner] = try TemporaryFolder(
            folder.path + "/" + inner, named: destination + "/" + inner)
        }
      }
      output = try OutputFile(
        creating: folder.path + "/" + name, named: destination + "/" + name, byteCount: byteCount)
    } else {
      try prepare(name)
      output = try OutputFile(
        creating: temporaryPath(for: name), named: name, byteCount: byteCount)
    }
    files.append((output, name))
    return output
  }

  /// Makes every file durable and gives it its name.
  ///
  /// - Throws: `inputOutput`, `cannotCreate`; then nothing is left but what was there before.
  public func commit() throws(Failure) {
    var placement = Placement()
    do throws(Failure) {
      for file in files { try file.output.synchronize() }
      if let folder {
        for folder in subfolders.values { try folder.synchronize() }
        try folder.synchronize()
        try refuseUnfit(destination)
        try placement.place([(folder.path, destination)])
      } else {
        for file in files { try refuseUnfit(file.final) }
        try placement.place(files.map { ($0.output.path, $0.final) })
      }
      try synchronizeFolder(parentPath(of: destination))
    } catch {
      placement.undo()
      rollBack()
      throw error
    }
    isDone = true
    placement.finish()
  }

  /// Removes everything that was written.
  public func rollBack() {
    isDone = true
    for file in files { unlink(file.output.path) }
    for folder in subfolders.values { rmdir(folder.path) }
    if let folder { rmdir(folder.path) }
  }

  private func prepare(_ path: String) throws(Failure) {
    try refuseUnfit(path)
    removeLeftovers(of: path)
  }

  /// Refuses to replace what exists, unless it is allowed and no more than an output is lost.
  private func refuseUnfit(_ path: String) throws(Failure) {
    guard let existing = Existing(path) else { return }
    guard replaces else {
      throw Failure(
        .cannotCreate, "the output exists; use --force to replace it", file: path,
        expected: "nothing there", found: existing.kind)
    }
    let isReplaceable =
      shape == .folder ? existing.isCheckpointFolder : existing.isFile || existing.isLink
    guard isReplaceable else {
      throw Failure(
        .cannotCreate, "the output would replace something else", file: path,
        expected: shape == .folder ? "a folder of safetensors files" : "a file",
        found: existing.kind)
    }
  }
}

/// A locked folder under a hidden name.
private final class TemporaryFolder {
  let path: String
  private let name: String
  private let descriptor: Int32

  init(_ path: String, named name: String) throws(Failure) {
    self.path = path
    self.name = name
    guard mkdir(path, 0o777) == 0 else {
      throw Failure(
        .cannotCreate, "cannot create the folder: \(Errno(rawValue: errno))", file: name)
    }
    descriptor = retryingInterrupts { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    do throws(Failure) {
      guard descriptor >= 0 else {
        throw Failure(
          .cannotCreate, "cannot open the folder: \(Errno(rawValue: errno))", file: name)
      }
      try lock(descriptor, name: name)
    } catch {
      rmdir(path)
      throw error
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  func synchronize() throws(Failure) { try ByteIO.synchronize(descriptor, name: name) }
}

private func synchronizeFolder(_ path: String) throws(Failure) {
  let descriptor = retryingInterrupts { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
  guard descriptor >= 0 else {
    throw Failure(.inputOutput, "cannot open the folder: \(Errno(rawValue: errno))", file: path)
  }
  defer { close(descriptor) }
  try synchronize(descriptor, name: path)
}
