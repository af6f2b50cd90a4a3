import TensorTypes

extension Vocabulary {
  /// The vocabulary of a `tokenizer.json` that was made from a SentencePiece model. It keeps no
  /// scores, so all are alike, and is not filled up to the config's size.
  ///
  /// - Throws: `badInput` for ids that have holes or come twice.
  /// - Source: llama.cpp `gguf-py/gguf/vocab.py`, `LlamaHfVocab`.
  init(byteFallback files: TokenizerFiles) throws(Failure) {
    let name = TokenizerFiles.definitionName
    guard let definition = files.definition else {
      throw Failure(
        .missingInput, "the folder holds no tokenizer", file: files.folder.path(of: name))
    }
    let base = try BaseVocabulary.model(definition, "BPE", files)
    let named = try NamedTokens(files)
    let special = Set(named.all)
    self.init(paddingCount: base.count, score: -1000)
    for token in base.tokens {
      guard let id = base[token] else { continue }
      guard id < base.count, types[id] == .unused else {
        throw files.failure(
          "the ids of the vocabulary have holes or come twice", in: name, token,
          expected: "each of 0 to \(base.count - 1) once", found: "\(id)")
      }
      let type: TokenType =
        token.isByteSpelling ? .byte : special.contains(token) ? .control : .normal
      set(id, token, score: -1000, type)
    }
    let added = try AddedTokens(files, named).tokens.filter { base[$0.content] == nil }
    let next = (added.compactMap(\.id).max() ?? base.count - 1) + 1
    let placed = added.enumerated().sorted {
      ($0.element.id ?? next, $0.offset) < ($1.element.id ?? next, $1.offset)
    }
    for (_, token) in placed {
      guard token.id == nil || token.id == tokens.count else {
        throw files.failure(
          "the ids of the added tokens have holes or come twice", in: name, token.content,
          expected: "\(tokens.count)", found: token.id.map(String.init) ?? "none")
      }
      append(token.content, score: -1000, special.contains(token.content) ? .control : .userDefined)
    }
  }
}

extension ByteString {
  /// Whether the text is `<0x…>` with two hexadecimal digits.
  fileprivate var isByteSpelling: Bool {
    let bytes = Array(utf8)
    return bytes.count == 6 && hasPrefix("<0x") && hasSuffix(">")
      && bytes[3...4].allSatisfy { Character(UnicodeScalar($0)).isHexDigit && $0 < 0x80 }
  }
}
