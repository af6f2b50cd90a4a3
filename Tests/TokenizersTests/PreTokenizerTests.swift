import ByteIO
import TensorTypes
import Testing

@testable import Tokenizers

@Suite struct PreTokenizerTests {
  /// The published definitions; see `Fixtures/targets`.
  static let published: [JSON] = {
    let folder = try? Folder(path: fixtures + "/targets")
    return (try? folder?.json("pre-tokenizers.json"))?.array ?? []
  }()

  private func definition(_ text: String) throws -> PreTokenizerDefinition {
    PreTokenizerDefinition(try JSON(parsing: Array(text.utf8)), settings: nil)
  }

  @Test func everyRowHasAPublishedDefinition() {
    #expect(
      PreTokenizerTests.published.compactMap { $0["name"]?.string }.sorted()
        == PreTokenizer.all.map(\.name).sorted())
  }

  /// Each published definition is recognised by its own row and by no other.
  @Test(arguments: published.indices)
  func aDefinitionHasOneRow(_ number: Int) throws {
    let row = PreTokenizerTests.published[number]
    var model = JSONObject()
    model.append("ignore_merges", try #require(row["ignore_merges"]))
    var parts = JSONObject()
    parts.append("model", .object(model))
    for key: ByteString in ["pre_tokenizer", "normalizer"] {
      parts.append(key, try #require(row[key]))
    }
    let definition = PreTokenizerDefinition(.object(parts), settings: row)
    let matching = PreTokenizer.all.filter { $0.matches(definition) }
    #expect(matching.map(\.name) == [row["name"]?.string], "\(definition)")
  }

  /// No two rows can match one definition: they differ in the steps, or in something both demand.
  @Test func rowsExcludeEachOther() {
    func differ<T: Equatable>(_ a: T?, _ b: T?) -> Bool { a != nil && b != nil && a != b }
    for (number, a) in PreTokenizer.all.enumerated() {
      for b in PreTokenizer.all.dropFirst(number + 1) {
        let excludes =
          a.steps != b.steps || differ(a.normalizers, b.normalizers)
          || differ(a.ignoresMerges, b.ignoresMerges)
          || differ(a.cleansUpSpaces, b.cleansUpSpaces)
        #expect(excludes, "\(a.name) and \(b.name)")
        #expect(a.name != b.name)
      }
    }
  }

  @Test func spellingDoesNotMatter() throws {
    func split(_ pattern: String, _ rest: String) -> String {
      #"{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\#(pattern)"},\#(rest)}}"#
    }
    let isolated = #""behavior":"Isolated","invert":false"#
    let expected = try definition(split(#"[\\r\\n]+|x"#, isolated))
    #expect(expected.steps == [.split(#"[\r\n]+|x"#)])
    #expect(try definition(split(#"[\r\n]+|x"#, isolated)) == expected)
    let inverted = split(#"[\\r\\n]+|x"#, #""behavior":"Removed","invert":true"#)
    #expect(try definition(inverted) == expected)
    let removed = split(#"[\\r\\n]+|x"#, #""behavior":"Removed","invert":false"#)
    #expect(try definition(removed) != expected)
    let nested = try definition(
      #"""
      {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        {"type": "Sequence", "pretokenizers": [{"type": "Digits"}]}, {"type": "ByteLevel"}]}}
      """#)
    #expect(nested.steps == [.digits(individually: false), .byteLevel(splits: true)])
  }

  /// The signs that look alike in Unicode are not alike in a pattern.
  @Test func patternsAreComparedByTheirBytes() throws {
    let row = try #require(PreTokenizer.all.first { $0.name == "deepseek-llm" })
    var definition = PreTokenizerDefinition(
      steps: row.steps, normalizers: [], ignoresMerges: false, cleansUpSpaces: true)
    #expect(row.matches(definition))
    guard case .split(let letters) = row.steps[1] else {
      Issue.record("the second step splits")
      return
    }
    let scalars = letters.text.unicodeScalars.map { $0 == "\u{2126}" ? "\u{3A9}" : $0 }
    let other = String(String.UnicodeScalarView(scalars))
    #expect(other == letters.text)
    definition.steps[1] = .split(ByteString(other))
    #expect(!row.matches(definition))
  }

  @Test func classesWithoutAFileHaveTheirOwnDefinition() throws {
    let cases: [(settings: String, config: String, name: String?)] = [
      (#"{"tokenizer_class":"GPT2TokenizerFast"}"#, "{}", "gpt-2"),
      ("{}", #"{"model_type":"gpt2"}"#, "gpt-2"),
      (#"{"tokenizer_class":"Qwen2Tokenizer"}"#, "{}", "qwen2"),
      ("{}", #"{"model_type":"qwen3"}"#, "qwen2"),
      (#"{"tokenizer_class":"BertTokenizer"}"#, "{}", "jina-v2-en"),
      (#"{"tokenizer_class":"BertTokenizer","do_lower_case":false}"#, "{}", nil),
      ("{}", "{}", nil),
    ]
    for (settings, config, name) in cases {
      let folder = try TokenizerFolder(["tokenizer_config.json": settings])
      let definition = PreTokenizerDefinition(try folder.files(config: config))
      #expect(PreTokenizer.all.first { $0.matches(definition) }?.name == name, "\(settings)")
    }
  }
}
