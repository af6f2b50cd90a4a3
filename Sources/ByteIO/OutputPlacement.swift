import CFiles
import SystemPackage
import TensorTypes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Gives temporary files or folders their final names, and can take that back.
///
/// A single file or folder changes places with the one it replaces, at once where the file system
/// can. Of several files, all that are replaced move aside first, so that old and new parts never
/// stand together.
struct Placement {
  private enum Step {
    case renamed(from: String, to: String)
    case exchanged(String, String)
  }

  private var steps: [Step] = []
  /// What was replaced, under temporary names.
  private var replaced: [String] = []

  /// - Throws: `inputOutput`; then `undo` restores what was there before.
  mutating func place(_ items: [(temporary: String, final: String)]) throws(Failure) {
    if items.count == 1, exists(items[0].final), exchange(items[0].temporary, items[0].final) {
      steps.append(.exchanged(items[0].temporary, items[0].final))
      replaced.append(items[0].temporary)
      return
    }
    for item in items where exists(item.final) {
      let aside = item.temporary + ".old"
      try move(item.final, aside, naming: item.final)
      replaced.append(aside)
    }
    for item in items { try move(item.temporary, item.final, naming: item.final) }
  }

  func undo() {
    for step in steps.reversed() {
      switch step {
      case .renamed(let from, let to): rename(to, from)
      case .exchanged(let a, let b): _ = exchange(a, b)
      }
    }
  }

  /// Removes what was replaced.
  func finish() {
    for path in replaced { removeFileOrFolder(path) }
  }

  private mutating func move(_ from: String, _ to: String, naming name: String) throws(Failure) {
    guard rename(from, to) == 0 else {
      throw Failure(
        .inputOutput, "cannot give the output its name: \(Errno(rawValue: errno))", file: name)
    }
    steps.append(.renamed(from: from, to: to))
  }

  /// Lets two paths change places; false when the file system cannot.
  private func exchange(_ a: String, _ b: String) -> Bool { port_exchange(a, b) == 0 }

  private func exists(_ path: String) -> Bool { Existing(path) != nil }
}

/// What stands at a path, links not followed.
struct Existing {
  private let path: String
  private let type: mode_t

  /// nil when there is nothing.
  init?(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    self.path = path
    type = status.st_mode & S_IFMT
  }

  var isFile: Bool { type == S_IFREG }
  var isLink: Bool { type == S_IFLNK }
  var isFolder: Bool { type == S_IFDIR }

  /// Whether it is an empty folder, or one of files, some of them safetensors; a folder `nz` in it
  /// may be another such one, and `1_Pooling` may hold a config.
  var isCheckpointFolder: Bool {
    guard isFolder, let folder = try? Folder(path: path) else { return false }
    return folder.names.isEmpty || isFolderOfWeights(with: "nz")
  }

  private func isFolderOfWeights(with inner: String?) -> Bool {
    guard let folder = try? Folder(path: path) else { return false }
    return folder.names.contains { $0.hasSuffix(".safetensors") }
      && folder.names.allSatisfy { name in
        guard let member = Existing(folder.path(of: name)) else { return false }
        return !member.isFolder || name == inner && member.isFolderOfWeights(with: nil)
          || inner != nil && name == "1_Pooling" && member.isFolderOfConfig
      }
  }

  private var isFolderOfConfig: Bool {
    (try? Folder(path: path))?.names == ["config.json"]
  }

  /// In words, for messages.
  var kind: String {
    switch type {
    case S_IFREG: "a file"
    case S_IFDIR: "a folder"
    case S_IFLNK: "a symbolic link"
    default: "a device, pipe or socket"
    }
  }
}

/// A hidden path beside `path` for this process.
func temporaryPath(for path: String) -> String {
  let (folder, name) = split(path)
  return "\(folder).\(name).partial-\(getpid())"
}

/// Removes what processes that were killed left beside `path`: hidden names of its form that no
/// one has locked.
func removeLeftovers(of path: String) {
  let name = split(path).name
  guard let folder = try? Folder(path: parentPath(of: path)) else { return }
  for entry in folder.names where entry.hasPrefix(".\(name).partial-") {
    let suffix = entry.dropFirst(".\(name).partial-".count)
    let number = suffix.hasSuffix(".old") ? suffix.dropLast(4) : suffix
    guard UInt32(number) != nil else { continue }
    let path = folder.path(of: entry)
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { continue }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { removeFileOrFolder(path) }
  }
}

/// The folder that `path` lies in, as far as the path says.
func parentPath(of path: String) -> String {
  let folder = split(path).folder
  return folder.isEmpty ? "." : folder
}

/// The text up to the last slash, that included, and the rest.
private func split(_ path: String) -> (folder: String, name: String) {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
  let start = path.utf8.index(after: slash)
  return (String(path[..<start]), String(path[start...]))
}

/// Removes a file, or a folder of files and of folders of files, as far as it can be done.
private func removeFileOrFolder(_ path: String, depth: Int = 2) {
  if unlink(path) == 0 { return }
  guard depth > 0, Existing(path)?.isFolder == true, let folder = try? Folder(path: path) else {
    return
  }
  for name in folder.names { removeFileOrFolder(folder.path(of: name), depth: depth - 1) }
  rmdir(path)
}
