import TensorTypes

extension Vocabulary {
  /// The vocabulary of a byte-level BPE or WordPiece tokenizer, filled up to the config's size.
  ///
  /// - Throws: `badInput` for an id beyond the config's size or one that two tokens share.
  /// - Source: llama.cpp `conversion/base.py`, `get_vocab_base`.
  init(
    _ base: BaseVocabulary, _ files: TokenizerFiles, _ warnings: inout [String]
  ) throws(Failure) {
    let named = try NamedTokens(files)
    let added = try AddedTokens(files, named)
    let idOfAdded = try Vocabulary.ids(added, base, files, &warnings)
    let size = try files.vocabularySize ?? base.count + idOfAdded.count { base[$0.key] == nil }
    self.init(paddingCount: size, score: 0)
    for token in base.tokens where added[token] == nil {
      guard let id = base[token] else { continue }
      try claim(id, token, base.file, files)
      set(id, token, .normal)
    }
    let decodesBytes = Vocabulary.decodesBytes(files, base)
    for token in added.tokens {
      guard let id = idOfAdded[token.content] else { continue }
      try claim(id, token.content, base.file, files)
      let text =
        token.isNormalized || !decodesBytes
        ? token.content : ByteLevelAlphabet.decoded(token.content)
      if token.isSpecial || Vocabulary.looksSpecial(text) {
        set(id, text, .control)
      } else {
        set(id, text.withSpaces, .userDefined)
      }
    }
  }

  /// Puts llama.cpp's mark for the start of a word before the tokens that begin one, and takes
  /// WordPiece's `##` from those that go on with one.
  ///
  /// - Source: llama.cpp `conversion/bert.py`, `set_vocab`.
  mutating func markWordStarts() {
    for id in tokens.indices where types[id] != .control {
      let token = tokens[id]
      tokens[id] =
        token.hasPrefix("##")
        ? ByteString(String(token.text.unicodeScalars.dropFirst(2)))
        : ByteString("▁" + token.text)
    }
  }

  /// Checks that an id is within the vocabulary and free.
  private func claim(
    _ id: Int, _ token: ByteString, _ file: String, _ files: TokenizerFiles
  ) throws(Failure) {
    guard id < tokens.count else {
      throw files.failure(
        "the token lies beyond the vocabulary of the config", in: file, token,
        expected: "an id below \(tokens.count)", found: "\(id)")
    }
    guard types[id] == .unused else {
      throw files.failure(
        "two tokens have the same id", in: file, token, expected: "an id of its own",
        found: "\(id), which '\(tokens[id])' has")
    }
  }

  /// The ids of the added tokens: the model's where it has the token, else the stated one, else
  /// the next free one.
  private static func ids(
    _ added: AddedTokens, _ base: BaseVocabulary, _ files: TokenizerFiles,
    _ warnings: inout [String]
  ) throws(Failure) -> [ByteString: Int] {
    let size = try files.vocabularySize
    var ids: [ByteString: Int] = [:]
    var next = base.endID
    for token in added.tokens {
      guard let id = base[token.content] ?? token.id else { continue }
      if let stated = token.id, stated != id {
        warnings.append(
          "the added token '\(token.content)' keeps the id \(id) of the vocabulary, not \(stated)")
      }
      ids[token.content] = id
      next = max(next, id + 1)
    }
    let beyond = ids.values.count { $0 >= base.endID }
    if next > base.endID + beyond {
      warnings.append(
        "the ids of the added tokens have holes, which transformers would close; they are kept")
    }
    for token in added.tokens where ids[token.content] == nil {
      guard next < size ?? .max else {
        warnings.append("the special token '\(token.content)' is not in the vocabulary")
        continue
      }
      ids[token.content] = next
      next += 1
    }
    return ids
  }

  /// Whether text is got back from tokens by the byte-level alphabet.
  private static func decodesBytes(_ files: TokenizerFiles, _ base: BaseVocabulary) -> Bool {
    guard let definition = files.definition else { return base.file == "vocab.json" }
    return definition["decoder"]?["type"]?.string == "ByteLevel"
  }
}
