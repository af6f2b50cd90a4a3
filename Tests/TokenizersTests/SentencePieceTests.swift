import ByteIO
import TensorTypes
import Testing

@testable import Tokenizers

private let model = Array(
  [
    Protobuf.piece("<unk>", kind: 2), Protobuf.piece("<s>", kind: 3),
    Protobuf.piece("<0x0A>", kind: 6), Protobuf.piece("▁a", -1), Protobuf.piece("b", -2),
  ].joined())

/// A BPE whose unknown characters become bytes, as `tokenizer.json`.
private func byteFallback(
  vocab: String = #"{"<unk>":0,"<s>":1,"<0x0A>":2,"▁a":3,"<0xZZ>":4}"#, added: String = "[]",
  fallsBack: Bool = true
) -> String {
  #"""
  {"added_tokens": \#(added), "decoder": {"type": "Sequence"},
   "model": {"type": "BPE", "byte_fallback": \#(fallsBack), "vocab": \#(vocab), "merges": []}}
  """#
}

@Suite struct SentencePieceTests {
  @Test func piecesAreFilledUpAndCut() throws {
    let folder = try TokenizerFolder(sentencePiece: model)
    let found = try folder.convert(.llama, config: #"{"vocab_size":6}"#)
    #expect(found.tokens == ["<unk>", "<s>", "<0x0A>", "▁a", "b", "[PAD5]"])
    #expect(found.types == [2, 3, 6, 1, 1, 5])
    #expect(found.scores == [0, 0, 0, -1, -2, -10000])
    #expect(found.metadata["tokenizer.ggml.model"] == .text("llama"))
    #expect(try folder.convert(.llama).tokens.count == 5)
    let cut = try folder.convert(.llama, config: #"{"vocab_size":4}"#)
    #expect(cut.tokens.count == 4)
    #expect(cut.warnings.contains { $0.contains("1 pieces from 4") })
  }

  @Test func addedTokensReplaceAndFollow() throws {
    let settings = #"""
      {"added_tokens_decoder": {"3": {"content": "▁x", "special": false},
        "6": {"content": "<|y|>"}, "9": {"content": "far", "special": true}}}
      """#
    let folder = try TokenizerFolder(
      ["added_tokens.json": #"{"▁z":5,"out":8}"#, "tokenizer_config.json": settings],
      sentencePiece: model)
    let found = try folder.convert(.llama, config: #"{"vocab_size":8}"#)
    #expect(found.tokens[3...] == [" x", "b", "▁z", "<|y|>", "[PAD7]"])
    #expect(found.types[3...] == [4, 1, 4, 3, 5])
    #expect(found.scores[3...] == [-1000, -2, -1000, -1000, -10000])
    #expect(found.warnings.count == 3)
  }

  @Test(arguments: [
    ("added_tokens.json", #"{"a":-1}"#), ("added_tokens.json", #"{"a":"1"}"#),
    ("tokenizer_config.json", #"{"added_tokens_decoder":{"-1":{"content":"a"}}}"#),
    ("tokenizer_config.json", #"{"added_tokens_decoder":{"x":{"content":"a"}}}"#),
    ("tokenizer_config.json", #"{"added_tokens_decoder":{"1":{}}}"#),
  ])
  func badAddedTokensAreErrors(_ file: String, _ text: String) throws {
    let folder = try TokenizerFolder([file: text], sentencePiece: model)
    let failure = #expect(throws: Failure.self) { try folder.convert(.llama) }
    #expect(failure?.kind == .badInput)
    #expect(failure?.file?.hasSuffix(file) == true)
  }

  @Test func aModelThatIsNoneIsAnError() throws {
    for bytes in [[], Array("not a model".utf8), Array(model.dropLast())] {
      let failure = #expect(throws: Failure.self) {
        try TokenizerFolder(sentencePiece: bytes).convert(.llama)
      }
      #expect(failure?.file?.hasSuffix("tokenizer.model") == true)
    }
  }

  @Test func withoutAModelBytesFallBack() throws {
    let added = #"[{"id":5,"content":"<x>","special":true},{"id":6,"content":"<y>"}]"#
    let settings = #"{"bos_token":"<s>","unk_token":{"content":"<unk>"},"eos_token":"<x>"}"#
    let folder = try TokenizerFolder([
      "tokenizer.json": byteFallback(added: added), "tokenizer_config.json": settings,
    ])
    let found = try folder.convert(.llama, config: #"{"vocab_size":99}"#)
    #expect(found.tokens[4...] == ["<0xZZ>", "<x>", "<y>"])
    #expect(found.types == [3, 3, 6, 1, 1, 3, 4])
    #expect(found.scores == Array(repeating: -1000, count: 7))
    #expect(found.metadata["tokenizer.ggml.eos_token_id"] == .uint32(5))
    #expect(found.merges == [])
  }

  @Test(arguments: [
    (#"{"a":0,"b":2}"#, "[]"), (#"{"a":0,"b":0}"#, "[]"),
    (#"{"a":0}"#, #"[{"id":2,"content":"x"}]"#),
    (#"{"a":0}"#, #"[{"id":1,"content":"x"},{"id":1,"content":"y"}]"#),
  ])
  func holesAreErrorsWithoutAModel(_ vocab: String, _ added: String) throws {
    let folder = try TokenizerFolder(["tokenizer.json": byteFallback(vocab: vocab, added: added)])
    let failure = #expect(throws: Failure.self) { try folder.convert(.llama) }
    #expect(failure?.kind == .badInput)
  }

  @Test func withoutFallbackItIsByteLevel() throws {
    let folder = try TokenizerFolder([
      "tokenizer.json": byteFallback(fallsBack: false),
      "tokenizer_config.json": #"{"add_prefix_space": false}"#,
    ])
    let found = try folder.convert(.llama)
    #expect(found.metadata["tokenizer.ggml.model"] == .text("gpt2"))
    #expect(found.metadata.items.first?.key == "tokenizer.ggml.add_space_prefix")
  }

  @Test func qwenTakesTheModelWhereItIs() throws {
    let both = try TokenizerFolder(
      ["tokenizer.json": byteFallback(fallsBack: false)], sentencePiece: model)
    #expect(try both.convert(.qwen).metadata["tokenizer.ggml.model"] == .text("llama"))
    #expect(try both.convert(.byteLevelBPE).metadata["tokenizer.ggml.model"] == .text("gpt2"))
  }

  @Test func sizesThatTheReferenceKnows() throws {
    let folder = try TokenizerFolder(sentencePiece: model)
    let code = try folder.convert(.llama, config: #"{"vocab_size":32016}"#)
    #expect(code.metadata["tokenizer.ggml.eot_token_id"] == .uint32(32010))
    let granite = try folder.convert(.llama, config: #"{"vocab_size":49152}"#)
    #expect(granite.metadata["tokenizer.ggml.add_bos_token"] == .bool(false))
  }
}

@Suite struct WordPieceTests {
  @Test func wordStartsAreMarked() throws {
    let json = #"""
      {"added_tokens": [{"id":0,"content":"[PAD]","special":true},{"id":4,"content":"new"}],
       "pre_tokenizer": {"type": "BertPreTokenizer"},
       "normalizer": {"type": "BertNormalizer", "lowercase": true},
       "model": {"type": "WordPiece", "vocab": {"[PAD]":0,"a":1,"##b":2,"##":3}}}
      """#
    let folder = try TokenizerFolder(["tokenizer.json": json])
    let found = try folder.convert(.wordPiece, config: #"{"type_vocab_size":2,"vocab_size":6}"#)
    #expect(found.tokens == ["[PAD]", "▁a", "b", "", "▁new", "▁[PAD5]"])
    #expect(found.types == [3, 1, 1, 1, 4, 5])
    #expect(found.pre == "jina-v2-en")
    #expect(found.metadata.items.first?.key == "tokenizer.ggml.token_type_count")
    #expect(found.metadata["tokenizer.ggml.normalizer.lowercase"] == .bool(true))
  }

  /// In `vocab.txt` the last line of a token counts, and lines may end in CR and LF.
  @Test func textFilesAreRead() throws {
    for text in ["[PAD]\na\n##b\na\n", "[PAD]\r\na\r\n##b\r\na"] {
      let folder = try TokenizerFolder([
        "vocab.txt": text, "tokenizer_config.json": #"{"tokenizer_class":"BertTokenizer"}"#,
      ])
      let found = try folder.convert(.wordPiece, config: #"{"vocab_size":4}"#)
      #expect(found.tokens == ["[PAD]", "▁[PAD1]", "b", "▁a"])
      #expect(found.types == [3, 5, 1, 1])
    }
    let none = #expect(throws: Failure.self) { try TokenizerFolder().convert(.wordPiece) }
    #expect(none?.kind == .missingInput)
  }
}
