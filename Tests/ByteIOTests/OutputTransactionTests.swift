import Foundation
import TensorTypes
import Testing

@testable import ByteIO

#if canImport(Glibc)
  import Glibc
#endif

/// Outputs are whole or absent, whatever was there before.
@Suite final class OutputTransactionTests {
  private let folder: String

  init() throws {
    folder =
      FileManager.default.temporaryDirectory.appendingPathComponent(
        "port-output-\(UUID().uuidString)"
      ).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: folder)
  }

  private func path(_ name: String) -> String { folder + "/" + name }
  private func names(_ name: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path(name)).sorted()
  }
  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: path(name), encoding: .utf8)
  }
  private func put(_ text: String, _ name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
  }
  private func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(
      atPath: path(name), withIntermediateDirectories: true)
  }

  private func write(
    _ texts: [String: String], to destination: String, _ shape: OutputTransaction.Shape = .files,
    replaces: Bool = false
  ) throws(Failure) {
    let transaction = try OutputTransaction(destination, shape: shape, replaces: replaces)
    for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
      let file = try transaction.create(name, byteCount: text.utf8.count)
      try file.write(Array(text.utf8), at: 0)
    }
    try transaction.commit()
  }

  // MARK: - Commit and roll back

  @Test func nothingHasAFinalNameBeforeCommit() throws {
    let transaction = try OutputTransaction(path("out"), shape: .files, replaces: false)
    let file = try transaction.create(path("out"), byteCount: 5)
    try file.write([1, 2], at: 3)
    #expect(try names() == [".out.partial-\(getpid())"])
    try transaction.commit()
    #expect(try names() == ["out"])
    // What was not written is zero.
    #expect(try Data(contentsOf: URL(fileURLWithPath: path("out"))) == Data([0, 0, 0, 1, 2]))
  }

  @Test func rollingBackRemovesEverything() throws {
    for shape in [OutputTransaction.Shape.files, .folder] {
      do {
        let transaction = try OutputTransaction(path("out"), shape: shape, replaces: false)
        _ = try transaction.create(shape == .folder ? "a" : path("a"), byteCount: 1)
        _ = try transaction.create(shape == .folder ? "b" : path("b"), byteCount: 0)
        #expect(try !names().isEmpty)
        withExtendedLifetime(transaction) {}
      }
      // The transaction is gone, and was not committed.
      #expect(try names() == [])
    }
  }

  @Test func foldersAndTrailingSlashes() throws {
    try write(["a": "1", "b": "2"], to: path("out//"), .folder)
    #expect(try names() == ["out"])
    #expect(try names("out") == ["a", "b"])
  }

  @Test func theEmptyPathIsRefused() {
    let failure = #expect(throws: Failure.self) { try write([:], to: "") }
    #expect(failure?.kind == .usage)
  }

  // MARK: - What exists

  @Test func existingOutputsAreReplacedOnRequestOnly() throws {
    try put("old", "out")
    let failure = #expect(throws: Failure.self) { try write([path("out"): "new"], to: path("out")) }
    #expect(failure?.kind == .cannotCreate && failure?.file == path("out"))
    #expect(try text("out") == "old")
    try write([path("out"): "new"], to: path("out"), replaces: true)
    #expect(try text("out") == "new")
    #expect(try names() == ["out"])
  }

  /// What appears while the output is written is not replaced either.
  @Test func anOutputThatAppearsMeanwhileStays() throws {
    let transaction = try OutputTransaction(path("out"), shape: .files, replaces: false)
    _ = try transaction.create(path("out"), byteCount: 1)
    try put("theirs", "out")
    #expect(throws: Failure.self) { try transaction.commit() }
    #expect(try text("out") == "theirs")
    #expect(try names() == ["out"])
  }

  @Test func partsAreReplacedTogether() throws {
    try put("old 1", "p1")
    try put("old 3", "p3")
    let texts = [path("p1"): "new 1", path("p2"): "new 2", path("p3"): "new 3"]
    try write(texts, to: path("p1"), replaces: true)
    #expect(try names() == ["p1", "p2", "p3"])
    #expect(try ["p1", "p2", "p3"].map(text) == ["new 1", "new 2", "new 3"])
  }

  /// When one of several parts cannot get its name, all old parts are back.
  @Test func partsThatCannotBePlacedLeaveTheOldOnes() throws {
    try put("old 1", "p1")
    let transaction = try OutputTransaction(path("p1"), shape: .files, replaces: true)
    _ = try transaction.create(path("p1"), byteCount: 1)
    let second = try transaction.create(path("p2"), byteCount: 1)
    unlink(second.path)
    let failure = #expect(throws: Failure.self) { try transaction.commit() }
    #expect(failure?.kind == .inputOutput && failure?.file == path("p2"))
    #expect(try names() == ["p1"])
    #expect(try text("p1") == "old 1")
  }

  @Test func linksAreReplacedAndNotFollowed() throws {
    try put("precious", "target")
    try FileManager.default.createSymbolicLink(
      atPath: path("link"), withDestinationPath: path("target"))
    let failure = #expect(throws: Failure.self) {
      try write([path("link"): "new"], to: path("link"))
    }
    #expect(failure?.found == "a symbolic link")
    try write([path("link"): "new"], to: path("link"), replaces: true)
    #expect(try text("link") == "new")
    #expect(try text("target") == "precious")
    #expect(try names() == ["link", "target"])
  }

  @Test func devicesAndPipesAreNeverReplaced() throws {
    #expect(mkfifo(path("pipe"), 0o600) == 0)
    for path in [path("pipe"), "/dev/null"] {
      let failure = #expect(throws: Failure.self) {
        try write([path: "new"], to: path, replaces: true)
      }
      #expect(failure?.kind == .cannotCreate)
      #expect(failure?.found == "a device, pipe or socket")
    }
    #expect(try names() == ["pipe"])
  }

  @Test func onlyCheckpointFoldersAreReplaced() throws {
    try makeFolder("empty")
    try write(["model.safetensors": "new"], to: path("empty"), .folder, replaces: true)
    try makeFolder("checkpoint")
    try put("old", "checkpoint/model-00001-of-00002.safetensors")
    try put("old", "checkpoint/config.json")
    try write(["model.safetensors": "new"], to: path("checkpoint"), .folder, replaces: true)
    #expect(try names("checkpoint") == ["model.safetensors"])
    for (name, file) in [("home", "home/notes.txt"), ("nested", "nested/sub/model.safetensors")] {
      try makeFolder(name)
      try makeFolder("nested/sub")
      try put("old", "nested/model.safetensors")
      try put("precious", file)
      let failure = #expect(throws: Failure.self) {
        try write(["model.safetensors": "new"], to: path(name), .folder, replaces: true)
      }
      #expect(failure?.kind == .cannotCreate)
      #expect(try text(file) == "precious")
    }
    try put("a file", "plain")
    #expect(throws: Failure.self) {
      try write(["model.safetensors": "new"], to: path("plain"), .folder, replaces: true)
    }
    #expect(throws: Failure.self) {
      try write([path("home"): "new"], to: path("home"), replaces: true)
    }
    #expect(try names() == ["checkpoint", "empty", "home", "nested", "plain"])
  }

  /// Folders in the folder come and go with it.
  @Test func foldersInFolders() throws {
    let texts = ["model.safetensors": "1", "nz/a.safetensors": "2", "nz/b.safetensors": "3"]
    try write(texts, to: path("out"), .folder)
    #expect(try names() == ["out"])
    #expect(try names("out") == ["model.safetensors", "nz"])
    #expect(try names("out/nz") == ["a.safetensors", "b.safetensors"])
    #expect(try text("out/nz/b.safetensors") == "3")
    try write(["model.safetensors": "new"], to: path("out"), .folder, replaces: true)
    #expect(try names("out") == ["model.safetensors"])
    #expect(try names() == ["out"])
    do {
      let transaction = try OutputTransaction(path("other"), shape: .folder, replaces: false)
      _ = try transaction.create("nz/a.safetensors", byteCount: 1)
    }
    #expect(try names() == ["out"])
    try put("old", "out/notes.safetensors")
    try makeFolder("out/nz")
    try put("precious", "out/nz/notes.txt")
    #expect(throws: Failure.self) { try write(texts, to: path("out"), .folder, replaces: true) }
    #expect(try text("out/nz/notes.txt") == "precious")
  }

  @Test func aFolderThatCannotBeWrittenIsNamed() throws {
    try put("a file", "plain")
    for destination in [path("missing/out"), path("plain/out"), "/proc/out"] {
      for shape in [OutputTransaction.Shape.files, .folder] {
        let failure = #expect(throws: Failure.self) {
          try write([shape == .folder ? "a" : destination: "x"], to: destination, shape)
        }
        #expect(failure?.kind == .cannotCreate && failure?.file == destination)
      }
    }
    #expect(try names() == ["plain"])
  }

  @Test func moreSpaceThanThereIsIsRefusedAtOnce() throws {
    let transaction = try OutputTransaction(path("out"), shape: .files, replaces: false)
    let failure = #expect(throws: Failure.self) {
      try transaction.create(path("out"), byteCount: 1 << 60)
    }
    #expect(failure?.kind == .cannotCreate && failure?.file == path("out"))
    #expect(failure?.expected == "\(1 << 60) free bytes")
    #expect(try names() == [])
  }

  // MARK: - Leftovers

  @Test func leftoversOfKilledProcessesAreRemoved() throws {
    try put("left", ".out.partial-1")
    try put("left", ".out.partial-\(getpid())")
    try put("left", ".out.partial-77.old")
    try makeFolder(".out.partial-4294967295")
    try put("left", ".out.partial-4294967295/model.safetensors")
    let others = [".out.partial-x", ".out.partial-", ".other.partial-1", "out.partial-1"]
    for name in others { try put("someone's", name) }
    try write([path("out"): "new"], to: path("out"))
    #expect(try names() == (others + ["out"]).sorted())
  }

  @Test func whatAnotherProcessWritesStays() throws {
    try put("live", ".out.partial-1")
    try makeFolder(".out.partial-2")
    // Locks belong to the open file, not to the process.
    let descriptors = [".out.partial-1", ".out.partial-2"].map { open(path($0), O_RDONLY) }
    defer { for descriptor in descriptors { close(descriptor) } }
    for descriptor in descriptors { #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0) }
    try write([path("out"): "new"], to: path("out"))
    #expect(try names() == [".out.partial-1", ".out.partial-2", "out"])
  }

  @Test func twoTransactionsDoNotShareAnOutput() throws {
    let first = try OutputTransaction(path("out"), shape: .files, replaces: false)
    _ = try first.create(path("out"), byteCount: 1)
    let second = try OutputTransaction(path("out"), shape: .files, replaces: false)
    let failure = #expect(throws: Failure.self) { try second.create(path("out"), byteCount: 1) }
    #expect(failure?.kind == .cannotCreate)
    second.rollBack()
    try first.commit()
    #expect(try names() == ["out"])
  }
}
