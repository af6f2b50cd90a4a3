import Foundation
import Testing

/// The help screens, as files. After a change on purpose, write them anew with
/// `UPDATE_SNAPSHOTS=1 swift test --filter HelpTests`.
@Suite struct HelpTests {
  @Test(arguments: ["port", "inspect", "convert", "verify", "explain", "diff", "list"])
  func helpScreen(_ command: String) throws {
    let result = try Tool.run(command == "port" ? ["--help"] : ["help", command])
    #expect(result.exitCode == 0)
    #expect(result.errors == "")
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Snapshots/\(command).txt")
    if ProcessInfo.processInfo.environment["UPDATE_SNAPSHOTS"] != nil {
      try result.output.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(result.output == (try String(contentsOf: file, encoding: .utf8)))
  }

  @Test func versionIsPrinted() throws {
    let result = try Tool.run("--version")
    #expect(result.exitCode == 0)
    #expect(result.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
  }
}
