import ByteIO
import TensorTypes
import Testing

@testable import Tokenizers

@Suite struct SpecialTokensTests {
  private let added = #"""
    [{"id":10,"content":"<b>"},{"id":11,"content":"<e>"},{"id":12,"content":"<s>"}]
    """#

  private func special(
    post: String = "null", normalizer: String = "null", settings: String? = "{}",
    config: String = "{}", tokenCount: Int? = nil
  ) throws -> SpecialTokens {
    var files = [
      "tokenizer.json":
        #"{"added_tokens":\#(added),"post_processor":\#(post),"normalizer":\#(normalizer)}"#
    ]
    files["tokenizer_config.json"] = settings
    return try SpecialTokens(
      TokenizerFolder(files).files(config: config), tokenCount: tokenCount)
  }

  private func template(_ single: [String], _ pair: [String] = []) -> String {
    func elements(_ names: [String]) -> String {
      names.map { name in
        ["A", "B"].contains(name)
          ? #"{"Sequence":{"id":"\#(name)"}}"# : #"{"SpecialToken":{"id":"\#(name)"}}"#
      }.joined(separator: ",")
    }
    return #"{"type":"TemplateProcessing","single":[\#(elements(single))],"#
      + #""pair":[\#(elements(pair))]}"#
  }

  private func lines(_ special: SpecialTokens) -> [String] {
    special.metadata.items.map { item in
      let key = item.key.text.dropFirst("tokenizer.ggml.".count)
      return switch item.value {
      case .bool(let value): "\(key) \(value)"
      default: "\(key) \(item.value.integer ?? -1)"
      }
    }
  }

  @Test func settingsComeBeforeTheConfig() throws {
    let found = try special(
      settings: #"{"eos_token":{"content":"<e>"},"pad_token":"<none>","add_eos_token":true}"#,
      config: #"{"bos_token_id":3,"eos_token_id":4,"pad_token_id":[1],"mask_token_id":null}"#)
    #expect(lines(found) == ["eos_token_id 11", "bos_token_id 3", "add_eos_token true"])
  }

  @Test func aNestedConfigIsLookedInto() throws {
    let found = try special(config: #"{"bos_token_id":null,"text_config":{"bos_token_id":5}}"#)
    #expect(lines(found) == ["bos_token_id 5"])
  }

  @Test func idsBeyondTheVocabularyAreLeftOut() throws {
    let found = try special(config: #"{"bos_token_id":7,"eos_token_id":8}"#, tokenCount: 8)
    #expect(lines(found) == ["bos_token_id 7"])
    #expect(found.warnings.count == 1)
    for id in ["-1", "4294967296"] {
      let failure = #expect(throws: Failure.self) {
        try special(config: #"{"bos_token_id":\#(id)}"#)
      }
      #expect(failure?.subject == .key("bos_token_id"))
    }
  }

  /// Post-processors and settings with what follows from them, as the reference has it.
  @Test func templatesSayWhatIsAdded() throws {
    let both = #"{"bos_token":"<b>","eos_token":"<e>"}"#
    let ids = ["bos_token_id 10", "eos_token_id 11"]
    let cases: [(post: String, settings: String?, expected: [String])] = [
      (#"{"type":"ByteLevel"}"#, both, ids + ["add_bos_token false", "add_eos_token false"]),
      (
        #"{"type":"RobertaProcessing","cls":["<b>",10],"sep":["<e>",11]}"#, both,
        ids + ["seperator_token_id 11", "add_bos_token true", "add_eos_token true"]
          + ["add_sep_token true"]
      ),
      (template(["<b>", "A"]), both, ids + ["add_bos_token true"]),
      (template(["<x>", "A"]), both, ids + ["add_bos_token true"]),
      (
        template(["<x>", "A"]), #"{"bos_token":"<b>","cls_token":"<s>"}"#,
        ["bos_token_id 10", "add_bos_token false"]
      ),
      (template(["A"]), both, ids),
      (
        template(["<b>", "A", "<e>"], ["<b>", "A", "<e>", "B", "<e>"]), both,
        ids + ["add_bos_token true", "add_eos_token true", "add_sep_token false"]
      ),
      (
        template(["A"], ["A", "<e>", "B"]), both,
        ids + ["seperator_token_id 11", "add_sep_token true"]
      ),
      (
        template(["A"], ["A", "<x>", "<e>", "B"]), both,
        ids + ["seperator_token_id 11", "add_sep_token true"]
      ),
      (template(["A"], ["A", "<x>", "B"]), both, ids + ["add_sep_token false"]),
      (template(["A"], ["B", "A"]), both, ids),
      (
        template(["A", "<s>"]), both,
        ["bos_token_id 10", "eos_token_id 12", "eot_token_id 11", "add_eos_token true"]
      ),
      (
        template(["<b>", "A"]), #"{"x":1}"#, ["bos_token_id 10", "add_bos_token true"]
      ),
      (template(["<b>", "A", "<e>"]), nil, ["add_bos_token true", "add_eos_token true"]),
      (
        #"{"type":"Sequence","processors":[{"type":"ByteLevel"},\#(template(["<b>", "A"]))]}"#,
        both, ids + ["add_bos_token true", "add_eos_token false"]
      ),
      (
        "null", #"{"cls_token":"<b>","sep_token":"<e>"}"#,
        ["bos_token_id 10", "eos_token_id 11", "seperator_token_id 11"]
      ),
    ]
    for (post, settings, expected) in cases {
      #expect(lines(try special(post: post, settings: settings)) == expected, "\(post)")
    }
  }

  @Test func normalizersAreRead() throws {
    let found = try special(
      normalizer: #"""
        {"type":"Sequence","normalizers":[{"type":"StripAccents"},{"type":"Lowercase"}]}
        """#)
    #expect(
      found.normalization.items.map(\.key) == [
        "tokenizer.ggml.normalizer.lowercase", "tokenizer.ggml.normalizer.strip_accents",
      ])
  }
}

@Suite struct ChatTemplatesTests {
  private func templates(_ files: [String: String]) throws -> [String] {
    var metadata = Metadata()
    let folder = try TokenizerFolder(files)
    try withExtendedLifetime(folder) {
      try ChatTemplates(folder.files())?.append(to: &metadata)
    }
    return metadata.items.map { item in
      if case .array(.string(let names)) = item.value {
        return "\(item.key) \(names.map(\.text).joined(separator: ","))"
      }
      return "\(item.key) \(item.value.string?.text ?? "")"
    }
  }

  @Test func sourcesHaveTheirOrder() throws {
    let settings = "tokenizer_config.json"
    let jinja = [
      "chat_template.jinja": "J\r\nK\rL\n", "chat_template.json": #"{"chat_template":"N"}"#,
    ]
    #expect(
      try templates(jinja.merging([settings: #"{"chat_template":"S"}"#]) { a, _ in a })
        == ["tokenizer.chat_template S"])
    #expect(
      try templates(jinja.merging([settings: #"{"x":1}"#]) { a, _ in a })
        == ["tokenizer.chat_template J\nK\nL\n"])
    #expect(
      try templates([settings: #"{"x":1}"#, "chat_template.json": #"{"chat_template":"N"}"#])
        == ["tokenizer.chat_template N"])
    #expect(
      try templates(jinja.merging([settings: #"{"chat_template":null}"#]) { a, _ in a }) == [])
    #expect(try templates(jinja) == [])
  }

  @Test func namedTemplatesHaveKeysOfTheirOwn() throws {
    let text = #"""
      {"chat_template":[{"name":"tool use","template":"T"},{"name":"default","template":"D"},
        {"name":"","template":"x"},{"name":"rag"},{"template":"y"}]}
      """#
    #expect(
      try templates(["tokenizer_config.json": text]) == [
        "tokenizer.chat_template.tool_use T", "tokenizer.chat_templates tool_use",
        "tokenizer.chat_template D",
      ])
  }
}
