import SystemPackage
import TensorTypes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The files of one output: all appear under their final names, complete and durable, or none.
///
/// They are written under temporary names in the folder of the output. `commit` makes them durable
/// and renames them; until then, `rollBack` removes every trace.
public final class OutputTransaction {
  /// What the user asked for: a file, several files side by side, or a folder of files.
  public enum Shape: Sendable {
    case files, folder
  }

  private let destination: String
  private let shape: Shape
  private let replaces: Bool
  private var temporaryFolder: String?
  private var files: [(output: OutputFile, final: String)] = []
  private var isDone = false

  /// - Parameters:
  ///   - destination: the path of the file or folder; of files side by side, the first.
  ///   - replaces: whether an existing output may be replaced.
  /// - Throws: `cannotCreate` when it exists and may not be replaced.
  public init(_ destination: String, shape: Shape, replaces: Bool) throws(Failure) {
    self.destination =
      destination.count > 1 && destination.hasSuffix("/")
      ? String(destination.dropLast()) : destination
    self.shape = shape
    self.replaces = replaces
    guard !self.destination.isEmpty else {
      throw Failure(.usage, "the output path is empty")
    }
    if shape == .folder {
      try refuseExisting(self.destination)
      let path = temporaryName(self.destination)
      guard mkdir(path, 0o777) == 0 else {
        throw Failure(
          .cannotCreate, "cannot create the folder: \(Errno(rawValue: errno))", file: path)
      }
      temporaryFolder = path
    }
  }

  deinit {
    if !isDone { rollBack() }
  }

  /// Creates a file of the output under a temporary name.
  ///
  /// - Parameter name: in a folder, the file's name; else the whole path.
  /// - Throws: `cannotCreate`.
  public func create(_ name: String, byteCount: Int) throws(Failure) -> OutputFile {
    let path: String
    if let temporaryFolder {
      path = temporaryFolder + "/" + name
    } else {
      try refuseExisting(name)
      path = temporaryName(name)
    }
    let output = try OutputFile(creating: path, byteCount: byteCount)
    files.append((output, name))
    return output
  }

  /// Makes every file durable and gives it its name.
  ///
  /// - Throws: `inputOutput`, `cannotCreate`; then nothing is left but what was there before.
  public func commit() throws(Failure) {
    do throws(Failure) {
      for file in files { try file.output.synchronize() }
      if let temporaryFolder {
        try synchronizeFolder(temporaryFolder)
        try place(temporaryFolder, destination)
      } else {
        var placed: [String] = []
        for file in files {
          do throws(Failure) {
            try place(file.output.path, file.final)
            placed.append(file.final)
          } catch {
            for path in placed { unlink(path) }
            throw error
          }
        }
      }
      isDone = true
      try synchronizeFolder(parent(of: destination))
    } catch {
      if !isDone { rollBack() }
      throw error
    }
  }

  /// Removes everything that was written.
  public func rollBack() {
    isDone = true
    for file in files { unlink(file.output.path) }
    if let temporaryFolder { rmdir(temporaryFolder) }
  }

  // MARK: - Steps

  private func refuseExisting(_ path: String) throws(Failure) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard replaces else {
      throw Failure(
        .cannotCreate, "the output exists; use --force to replace it", file: path,
        expected: "nothing there", found: status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "a file"
      )
    }
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    guard isFolder == (shape == .folder) else {
      throw Failure(
        .cannotCreate, "the output would replace something else", file: path,
        expected: shape == .folder ? "a folder" : "a file", found: isFolder ? "a folder" : "a file")
    }
  }

  /// Renames; a folder that is there moves aside first and is removed afterwards.
  private func place(_ from: String, _ to: String) throws(Failure) {
    var status = stat()
    let exists = lstat(to, &status) == 0
    guard exists, status.st_mode & S_IFMT == S_IFDIR else { return try move(from, to) }
    let aside = temporaryName(to) + ".old"
    try move(to, aside)
    do throws(Failure) {
      try move(from, to)
    } catch {
      rename(aside, to)
      throw error
    }
    removeFolder(aside)
  }

  private func move(_ from: String, _ to: String) throws(Failure) {
    guard rename(from, to) == 0 else {
      throw Failure(
        .inputOutput, "cannot give the output its name: \(Errno(rawValue: errno))", file: to)
    }
  }

  private func synchronizeFolder(_ path: String) throws(Failure) {
    let descriptor = retryingInterrupts { open(path, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else {
      throw Failure(.inputOutput, "cannot open the folder: \(Errno(rawValue: errno))", file: path)
    }
    defer { close(descriptor) }
    guard retryingInterrupts({ fsync(descriptor) }) == 0 else {
      throw Failure(
        .inputOutput, "cannot make the folder durable: \(Errno(rawValue: errno))", file: path)
    }
  }

  /// A hidden name beside the output that no other process uses.
  private func temporaryName(_ path: String) -> String {
    let (folder, name) = split(path)
    return "\(folder).\(name).partial-\(getpid())"
  }

  private func parent(of path: String) -> String {
    let folder = split(path).folder
    return folder.isEmpty ? "." : folder
  }

  private func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
    let start = path.utf8.index(after: slash)
    return (String(path[..<start]), String(path[start...]))
  }
}

/// Removes a folder of plain files, as far as it can be done.
private func removeFolder(_ path: String) {
  guard let folder = try? Folder(path: path) else { return }
  for name in folder.names {
    if unlink(folder.path(of: name)) != 0 { removeFolder(folder.path(of: name)) }
  }
  rmdir(path)
}
