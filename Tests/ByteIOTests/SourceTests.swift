import Support
import TensorTypes
import Testing

@testable import ByteIO

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct SourceTests {
  private let folder = TemporaryFolder()

  @Test func readsStayInsideTheSource() throws {
    let path = try folder.write("f", [1, 2, 3, 4])
    for source in [MemorySource(name: "f", bytes: [1, 2, 3, 4]), try InputFile(path: path)]
      as [any ByteSource]
    {
      #expect(try source.bytes(at: 1, count: 3) == [2, 3, 4])
      #expect(try source.bytes(at: 4, count: 0) == [])
      #expect(try source.bytes(at: 2, atMost: 9) == [3, 4])
      #expect(try source.bytes(at: 9, atMost: 9) == [])
      #expect(try source.bytes(at: -1, atMost: 9) == [])
      for (offset, count) in [(0, 5), (4, 1), (5, 0), (-1, 1), (0, -1), (1, Int.max), (.max, .max)]
      {
        let failure = #expect(throws: Failure.self) {
          try source.bytes(at: offset, count: count)
        }
        #expect(failure?.offset == offset && failure?.file == source.name)
      }
    }
  }

  @Test func onlyRegularFilesAreOpened() throws {
    mkfifo(folder.path + "/fifo", 0o600)
    symlink("loop", folder.path + "/loop")
    symlink("nowhere", folder.path + "/dangling")
    for (name, found) in [
      ("fifo", "a device, pipe or socket"), (".", "a folder"), ("loop", nil), ("dangling", nil),
      ("none", nil),
    ] as [(String, String?)] {
      let failure = #expect(throws: Failure.self) { try InputFile(path: folder.path + "/" + name) }
      #expect(failure?.kind == .missingInput)
      #expect(failure?.found == found)
    }
  }

  @Test func aFileThatShrinksIsAnError() throws {
    let path = try folder.write("f", [UInt8](repeating: 1, count: 100))
    let file = try InputFile(path: path)
    #expect(throws: Never.self) { try file.checkUnchanged() }
    truncate(path, 50)
    let failure = #expect(throws: Failure.self) { try file.bytes(at: 0, count: 100) }
    #expect(
      failure?.description
        == "\(path): at byte 50: the file ends too early (expected 50 more bytes, "
        + "found the end of the file)")
    #expect(throws: Failure.self) { try file.checkUnchanged() }
  }

  @Test func concurrentResultsKeepTheirOrder() throws {
    let items = Array(0..<1000)
    #expect(try concurrentMap(items) { $0 * 2 } == items.map { $0 * 2 })
    #expect(try concurrentMap([Int]()) { $0 } == [])
    for _ in 0..<50 {
      let failure = #expect(throws: Failure.self) {
        try concurrentMap(items) { (number) throws(Failure) in
          if number % 300 == 299 { throw Failure(.usage, "\(number)") }
          return number
        }
      }
      #expect(failure?.message == "299")
    }
  }
}
