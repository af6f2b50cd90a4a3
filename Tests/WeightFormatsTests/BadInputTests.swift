import ByteIO
import TensorTypes
import Testing

@testable import WeightFormats

/// One row of `Fixtures/bad/cases.json`.
struct BadInput: CustomTestStringConvertible, Sendable {
  static let folder =
    String(#filePath.split(separator: "Tests/WeightFormatsTests")[0])
    + "Fixtures/bad"

  /// Under `folder`: a file or a folder.
  let path: String
  /// `must-accept`, `must-reject`, or `policy` where readers differ.
  let verdict: String
  /// Whether it is read: for a policy, what this reader has decided.
  let reads: Bool
  /// What the error must say; nil where the row leaves it open.
  let subject: String?
  let offset: Int?
  let error: String?

  init?(_ row: JSON) {
    guard let path = row["path"]?.string, let verdict = row["verdict"]?.string,
      let reads = row["reads"]?.bool
    else { return nil }
    self.path = path
    self.verdict = verdict
    self.reads = reads
    subject = row["subject"]?.string
    offset = row["offset"]?.integer
    error = row["error"]?.string
  }

  var testDescription: String { path }

  static let all: [BadInput] = {
    let rows = (try? Folder(path: folder).json("cases.json"))?.array ?? []
    return rows.compactMap(BadInput.init)
  }()

  /// Opens it and checks it to its end, as `inspect --check` does.
  func open() throws(Failure) {
    for file in try Checkpoint.open(BadInput.folder + "/" + path).files { try file.checkComplete() }
  }
}

@Suite struct BadInputTests {
  @Test(.timeLimit(.minutes(1)), arguments: BadInput.all)
  func theVerdictIsAsTheTableSays(_ input: BadInput) {
    #expect(input.reads == (input.verdict == "must-accept") || input.verdict == "policy")
    do throws(Failure) {
      try input.open()
      #expect(input.reads, "it was read")
    } catch {
      #expect(!input.reads, "\(error)")
      #expect(error.kind == .badInput || error.kind == .missingInput, "\(error)")
      let text = error.description
      // The file, and where the row says so the tensor or key, the byte and the reason.
      #expect(error.file?.hasPrefix(BadInput.folder) == true, "\(text)")
      if let subject = input.subject { #expect(text.contains(": \(subject): "), "\(text)") }
      if let offset = input.offset { #expect(error.offset == offset, "\(text)") }
      if let reason = input.error { #expect(text.contains(reason), "\(text)") }
      #expect(error.expected != nil || error.kind == .missingInput || input.isAboutZstd, "\(text)")
    }
  }

  @Test func theTableIsWhole() throws {
    #expect(
      BadInput.all.count == (try Folder(path: BadInput.folder).json("cases.json"))?.array?.count)
    #expect(BadInput.all.count > 400)
    #expect(Set(BadInput.all.map(\.verdict)) == ["must-accept", "must-reject", "policy"])
    for folder in ["safetensors", "index", "gguf", "split", "zstd"] {
      let present = try Folder(path: BadInput.folder + "/" + folder).names.map { folder + "/" + $0 }
      let listed = BadInput.all.map(\.path).filter { $0.hasPrefix(folder + "/") }
      #expect(Set(present) == Set(listed))
    }
  }
}

extension BadInput {
  /// libzstd says what is wrong, not what it expected.
  fileprivate var isAboutZstd: Bool { path.hasPrefix("zstd/") }
}
