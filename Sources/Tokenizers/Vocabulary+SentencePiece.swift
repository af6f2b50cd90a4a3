import ByteIO
import TensorTypes

extension Vocabulary {
  /// The vocabulary of a SentencePiece model with the tokens that other files add or replace,
  /// filled up to the config's size.
  ///
  /// - Throws: `badInput` for a model or a list of added tokens that cannot be used.
  /// - Source: llama.cpp `conversion/base.py`, `_create_vocab_sentencepiece`.
  init(sentencePiece files: TokenizerFiles, _ warnings: inout [String]) throws(Failure) {
    let name = TokenizerFiles.sentencePieceName
    guard let bytes = try files.folder.bytes(of: name) else {
      throw Failure(
        .missingInput, "the folder holds no SentencePiece model", file: files.folder.path(of: name))
    }
    let model = try SentencePieceModel(parsing: bytes, file: files.folder.path(of: name))
    let size = try files.vocabularySize.flatMap { $0 == 0 ? nil : $0 } ?? model.pieces.count
    self.init(paddingCount: size, score: -10000)
    for (id, piece) in model.pieces.prefix(size).enumerated() {
      set(id, piece.text, score: piece.score, TokenType(piece.kind))
    }
    if model.pieces.count > size {
      warnings.append(
        "\(name): the \(model.pieces.count - size) pieces from \(size) on are left out, for the "
          + "config has no room for them")
    }
    for member in try files.folder.json("added_tokens.json")?.object?.members ?? [] {
      let id = try files.tokenID(member.value, of: member.key, in: "added_tokens.json")
      guard hasRoom(id, "added_tokens.json", &warnings) else { continue }
      set(id, member.key, score: -1000, .userDefined)
    }
    for token in try AddedToken.settled(in: files) ?? [] {
      guard let id = token.id, hasRoom(id, TokenizerFiles.settingsName, &warnings) else { continue }
      if types[id] != .unused, tokens[id] != token.content {
        warnings.append("token \(id) is '\(token.content)', no longer '\(tokens[id])'")
      }
      if token.isSpecial || Vocabulary.looksSpecial(token.content) {
        set(id, token.content, score: -1000, .control)
      } else {
        set(id, token.content.withSpaces, score: -1000, .userDefined)
      }
    }
  }

  private func hasRoom(_ id: Int, _ file: String, _ warnings: inout [String]) -> Bool {
    if id < tokens.count { return true }
    warnings.append(
      "\(file): token \(id) is left out, for the config has room for \(tokens.count)")
    return false
  }
}

extension TokenType {
  /// SentencePiece's user-defined pieces are normal tokens to the reference.
  init(_ kind: SentencePieceModel.Kind) {
    self =
      switch kind {
      case .normal, .userDefined: .normal
      case .unknown: .unknown
      case .control: .control
      case .unused: .unused
      case .byte: .byte
      }
  }
}
