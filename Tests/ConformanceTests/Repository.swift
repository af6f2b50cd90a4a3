import Foundation

/// The root of the repository.
let repository = URL(filePath: #filePath).appending(path: "../../..").standardized

/// The text of a file of the repository.
func read(_ path: String) -> String {
  // A test may trap.
  try! String(contentsOf: repository.appending(path: path), encoding: .utf8)
}

/// The names of the folders in a folder.
func folders(_ path: String) -> [String] {
  entries(path).filter { isFolder("\(path)/\($0)") }
}

/// The paths of all files with this ending in a folder and the folders in it.
func files(_ path: String, ending: String) -> [String] {
  entries(path).flatMap { name -> [String] in
    let path = "\(path)/\(name)"
    if isFolder(path) { return files(path, ending: ending) }
    return name.hasSuffix(ending) ? [path] : []
  }
}

/// Whether the repository has such a file or folder.
func exists(_ path: String) -> Bool {
  FileManager.default.fileExists(atPath: repository.appending(path: path).path())
}

private func entries(_ path: String) -> [String] {
  // A test may trap.
  try! FileManager.default.contentsOfDirectory(
    atPath: repository.appending(path: path).path()
  ).filter { !$0.hasPrefix(".") }.sorted()
}

private func isFolder(_ path: String) -> Bool {
  let url = repository.appending(path: path)
  return (try? url.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true
}
