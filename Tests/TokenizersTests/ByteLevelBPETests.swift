import ByteIO
import TensorTypes
import Testing

@testable import Tokenizers

/// The parts of a small byte-level BPE tokenizer.
private func bpe(
  vocab: String = #"{"a":0,"b":1,"Ġ":2,"ab":3,"Ġa":4}"#,
  merges: String = #"["a b","Ġ a"]"#, added: String = "[]", more: String = ""
) -> String {
  #"""
  {"added_tokens": \#(added), "pre_tokenizer": {"type": "ByteLevel"},
   "decoder": {"type": "ByteLevel"}, \#(more)
   "model": {"type": "BPE", "vocab": \#(vocab), "merges": \#(merges)}}
  """#
}

@Suite struct ByteLevelBPETests {
  private func convert(
    _ files: [String: String], config: String = #"{"vocab_size":8}"#
  ) throws -> TokenizerConversion {
    try TokenizerFolder(files).convert(.byteLevelBPE, config: config)
  }

  @Test func tokensAreFilledUpToTheConfigsSize() throws {
    let found = try convert(["tokenizer.json": bpe()])
    #expect(found.tokens == ["a", "b", "Ġ", "ab", "Ġa", "[PAD5]", "[PAD6]", "[PAD7]"])
    #expect(found.types == [1, 1, 1, 1, 1, 5, 5, 5])
    #expect(found.pre == "gpt-2")
    #expect(found.warnings == [])
    #expect(
      found.metadata.items.map(\.key)
        == ["model", "pre", "tokens", "token_type", "merges"].map {
          ByteString("tokenizer.ggml.\($0)")
        })
    #expect(try convert(["tokenizer.json": bpe()], config: "{}").tokens.count == 5)
  }

  @Test func allSpellingsOfMergesAreOne() throws {
    let expected: [ByteString] = ["a b", "Ġ a"]
    #expect(try convert(["tokenizer.json": bpe()]).merges == expected)
    let pairs = bpe(merges: #"[["a","b"],["Ġ","a"]]"#)
    #expect(try convert(["tokenizer.json": pairs]).merges == expected)
    for text in [
      "#version: 0.2\na b\nĠ a\n", "a b\nĠ a", "a b\r\n\r\nĠ\ta \r\n", "# x\n  a   b\nĠ a\n",
    ] {
      let files = ["vocab.json": #"{"a":0,"b":1,"Ġ":2,"ab":3,"Ġa":4}"#, "merges.txt": text]
      #expect(try convert(files).merges == expected, "\(text)")
      let both = ["tokenizer.json": bpe(merges: "[]"), "merges.txt": text]
      #expect(try convert(both).merges == expected)
    }
  }

  @Test func spacesInPairsAreWrittenAsBytes() throws {
    let vocab = #"{"a":0," ":1,"a ":2}"#
    let found = try convert(["tokenizer.json": bpe(vocab: vocab, merges: #"[["a"," "]]"#)])
    #expect(found.merges == ["a Ġ"])
  }

  @Test func linesThatAreNoMergesAreLeftOut() throws {
    let files = [
      "vocab.json": #"{"a":0,"b":1,"ab":2}"#, "merges.txt": "a b\na\na b ab\n",
    ]
    let found = try convert(files)
    #expect(found.merges == ["a b"])
    #expect(found.warnings.filter { $0.contains("no merge") }.count == 2)
    let without = try convert(["vocab.json": #"{"a":0,"b":1}"#])
    #expect(without.warnings.contains { $0.contains("has no merges") })
  }

  @Test(arguments: [
    #"["a c"]"#, #"["b a"]"#, #"[["a","c"]]"#, #"["ab"]"#, #"["a  b"]"#, #"["a b c"]"#, "[1]",
    #"[["a"]]"#, #"[["a","b","c"]]"#, #"["a b",7]"#,
  ])
  func mergesOfUnknownTokensAreErrors(_ merges: String) {
    let failure = #expect(throws: Failure.self) {
      try convert(["tokenizer.json": bpe(merges: merges)])
    }
    #expect(failure?.kind == .badInput)
    #expect(failure?.subject == .key("model.merges"))
    #expect(failure?.file?.hasSuffix("tokenizer.json") == true)
  }

  @Test func addedTokensHaveTheirTypes() throws {
    let added = #"""
      [{"id":5,"content":"<s>","special":true,"normalized":false},
       {"id":6,"content":"<|x|>","special":false,"normalized":true},
       {"id":7,"content":"ĠÃ©▁","special":false,"normalized":true},
       {"id":8,"content":"ĠÃ©","special":false,"normalized":false},
       {"id":9,"content":"é","special":false,"normalized":false},
       {"id":10,"content":"[ 1","special":false,"normalized":false},
       {"id":0,"content":"a","special":true,"normalized":false}]
      """#
    let found = try convert(
      ["tokenizer.json": bpe(added: added)], config: #"{"vocab_size":11}"#)
    #expect(found.tokens[5...] == ["<s>", "<|x|>", "ĠÃ© ", " é", "é", "[ 1"])
    #expect(found.types == [3, 1, 1, 1, 1, 3, 3, 4, 4, 4, 4])
  }

  @Test func settingsHaveTheLastWordOnAnAddedToken() throws {
    let added = #"[{"id":5,"content":"<s>","special":false,"normalized":true}]"#
    let settings = #"{"added_tokens_decoder":{"5":{"content":"<s>","special":true}}}"#
    let files = ["tokenizer.json": bpe(added: added), "tokenizer_config.json": settings]
    #expect(try convert(files).types[5] == 3)
    let more = #"{"added_tokens_decoder":{"6":{"content":"<t>","special":true}}}"#
    let both = ["tokenizer.json": bpe(added: added), "tokenizer_config.json": more]
    #expect(try convert(both).tokens[5...6] == ["<s>", "<t>"])
    #expect(try convert(both).types[5...6] == [4, 3])
  }

  @Test func aNamedTokenIsSpecial() throws {
    let files = ["tokenizer.json": bpe(), "tokenizer_config.json": #"{"eos_token":"ab"}"#]
    #expect(try convert(files).types[3] == 3)
    let absent = ["tokenizer.json": bpe(), "tokenizer_config.json": #"{"eos_token":"<e>"}"#]
    #expect(try convert(absent).tokens[5] == "<e>")
    let full = try convert(absent, config: #"{"vocab_size":5}"#)
    #expect(full.tokens.count == 5)
    #expect(full.warnings.contains { $0.contains("'<e>'") })
  }

  @Test func holesAreFilled() throws {
    let found = try convert(["tokenizer.json": bpe(vocab: #"{"a":0,"b":4}"#, merges: "[]")])
    #expect(found.tokens[..<5] == ["a", "[PAD1]", "[PAD2]", "[PAD3]", "b"])
    let added = #"[{"id":7,"content":"<s>","special":true}]"#
    let kept = try convert(["tokenizer.json": bpe(added: added)])
    #expect(kept.tokens[5...] == ["[PAD5]", "[PAD6]", "<s>"])
    #expect(kept.warnings.contains { $0.contains("holes") })
  }

  /// Tokenizers that contradict themselves or the config, with the key that the error names.
  @Test(arguments: [
    (#"{"a":0,"b":0}"#, "[]", "b"), (#"{"a":0,"b":8}"#, "[]", "b"), (#"{"a":-1}"#, "[]", "a"),
    (#"{"a":1.5}"#, "[]", "a"), (#"{"a":4611686018427387904}"#, "[]", "a"), ("[]", "[]", "vocab"),
    (#"{"a":0}"#, #"[{"id":0,"content":"x"}]"#, "x"), (#"{"a":0}"#, #"[{"content":"x"}]"#, "x"),
    (#"{"a":0}"#, #"[{"id":1}]"#, "added_tokens"), (#"{"a":0}"#, #"[{"id":9,"content":"x"}]"#, "x"),
  ])
  func contradictionsAreErrors(_ vocab: String, _ added: String, _ key: String) {
    let failure = #expect(throws: Failure.self) {
      try convert(["tokenizer.json": bpe(vocab: vocab, merges: "[]", added: added)])
    }
    #expect(failure?.kind == .badInput)
    #expect(failure?.subject == .key(ByteString(key)))
  }

  @Test func otherOrMissingTokenizersAreErrors() throws {
    let none = #expect(throws: Failure.self) { try convert([:]) }
    #expect(none?.kind == .missingInput)
    #expect(throws: Failure.self) { try convert(["tokenizer.json": #"{"model":{"type":"BPE"}}"#]) }
    let unigram = #"{"model":{"type":"Unigram","vocab":[["a",0]]}}"#
    let failure = #expect(throws: Failure.self) { try convert(["tokenizer.json": unigram]) }
    #expect(failure?.expected == "BPE")
    #expect(failure?.found == "Unigram")
    for size in ["-1", "1.5", "\"8\"", "4294967295"] {
      let size = #expect(throws: Failure.self) {
        try convert(["tokenizer.json": bpe()], config: #"{"vocab_size":\#(size)}"#)
      }
      #expect(size?.subject == .key("vocab_size"))
    }
  }

  @Test func anUnknownPreTokenizerIsNamed() throws {
    let json = #"""
      {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated"},
       "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
      """#
    let found = try convert(["tokenizer.json": json])
    #expect(found.pre == "default")
    #expect(found.warnings.contains { $0.contains("/x+/") })
  }

  @Test func theAlphabetHoldsEveryByteOnce() {
    var seen = Set<ByteString>()
    for scalar in (UInt32(0x21)...0x143).compactMap(Unicode.Scalar.init) {
      let decoded = ByteLevelAlphabet.decoded(ByteString(String(scalar)))
      if decoded.utf8.count == 1 { seen.insert(decoded) }
    }
    #expect(seen.count == 128)
    #expect(ByteLevelAlphabet.decoded("ĠĊĉ!") == " \n\t!")
    #expect(ByteLevelAlphabet.decoded("ðŁĺĢ") == "😀")
    #expect(ByteLevelAlphabet.decoded("é") == "é")
    #expect(ByteLevelAlphabet.decoded("Ġ ") == "Ġ ")
  }
}
