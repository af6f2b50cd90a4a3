import ByteIO
import TensorTypes

/// The tokens that a tokenizer's model learned, without those added to it later.
struct BaseVocabulary {
  /// Each token once, in the order of the file.
  private(set) var tokens: [ByteString] = []
  private var ids: [ByteString: Int] = [:]
  /// The name of the file it was read from, for messages.
  let file: String

  private init(file: String) {
    self.file = file
  }

  var count: Int { tokens.count }

  /// The id after the last one.
  var endID: Int { (ids.values.max() ?? -1) + 1 }

  subscript(token: ByteString) -> Int? { ids[token] }

  /// Reads `tokenizer.json`, or `vocab.json` where there is none.
  ///
  /// - Throws: `missingInput` without either, `badInput` for another kind of model or for ids that
  ///   are no ids.
  static func byteLevelBPE(_ files: TokenizerFiles) throws(Failure) -> BaseVocabulary {
    if let definition = files.definition { return try model(definition, "BPE", files) }
    if let tokens = try files.folder.json("vocab.json") {
      var vocabulary = BaseVocabulary(file: "vocab.json")
      try vocabulary.read(tokens, files)
      return vocabulary
    }
    let other = files.folder.contains("tekken.json") ? "tekken.json, which is not supported" : nil
    throw Failure(
      .missingInput, "the folder holds no tokenizer", file: files.folder.path,
      expected: "tokenizer.json, tokenizer.model or vocab.json", found: other ?? "none of them")
  }

  /// Reads `tokenizer.json`, or `vocab.txt` where there is none: a token a line, and where one
  /// comes twice its last line counts.
  ///
  /// - Throws: as `byteLevelBPE`.
  static func wordPiece(_ files: TokenizerFiles) throws(Failure) -> BaseVocabulary {
    if let definition = files.definition { return try model(definition, "WordPiece", files) }
    guard let bytes = try files.folder.bytes(of: "vocab.txt") else {
      throw Failure(
        .missingInput, "the folder holds no tokenizer", file: files.folder.path,
        expected: "tokenizer.json or vocab.txt", found: "none of them")
    }
    var vocabulary = BaseVocabulary(file: "vocab.txt")
    for (id, line) in bytes.lines.enumerated() {
      guard let token = ByteString(validating: line) else {
        throw files.failure(
          "the text is not valid UTF-8", in: vocabulary.file, offset: line.startIndex,
          expected: "UTF-8", found: "other bytes")
      }
      vocabulary.set(token, id)
    }
    return vocabulary
  }

  /// Reads the model in `tokenizer.json`, which must be of the given type.
  static func model(
    _ definition: JSON, _ type: String, _ files: TokenizerFiles
  ) throws(Failure) -> BaseVocabulary {
    var vocabulary = BaseVocabulary(file: TokenizerFiles.definitionName)
    if let other = files.modelType, other != type {
      throw files.failure(
        "the kind of tokenizer does not fit the architecture", in: vocabulary.file, "model.type",
        expected: type, found: other)
    }
    guard let tokens = definition["model"]?["vocab"] else {
      throw files.failure(
        "the tokenizer has no vocabulary", in: vocabulary.file, "model.vocab",
        expected: "tokens with ids", found: "nothing")
    }
    try vocabulary.read(tokens, files)
    return vocabulary
  }

  private mutating func read(_ vocabulary: JSON, _ files: TokenizerFiles) throws(Failure) {
    guard let members = vocabulary.object?.members else {
      throw files.failure(
        "the vocabulary is not usable", in: file, "vocab", expected: "an object of tokens with ids",
        found: vocabulary.summary)
    }
    ids.reserveCapacity(members.count)
    for member in members {
      set(member.key, try files.tokenID(member.value, of: member.key, in: file))
    }
  }

  private mutating func set(_ token: ByteString, _ id: Int) {
    if ids.updateValue(id, forKey: token) == nil { tokens.append(token) }
  }
}

extension TokenizerFiles {
  /// The id that a file gives a token.
  func tokenID(_ value: JSON?, of token: ByteString, in file: String) throws(Failure) -> Int {
    guard let id = value?.integer, (0..<TokenizerFiles.tokenLimit).contains(id) else {
      throw failure(
        "the id of the token is not usable", in: file, token,
        expected: "a number from 0 to \(TokenizerFiles.tokenLimit - 1)",
        found: value?.summary ?? "nothing")
    }
    return id
  }
}

extension [UInt8] {
  /// The lines of a text, which end in LF, CR or both; the last may lack its end.
  var lines: [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var start = 0
    var index = 0
    while index < count {
      let byte = self[index]
      if byte == 0x0A || byte == 0x0D {
        lines.append(self[start..<index])
        if byte == 0x0D, index + 1 < count, self[index + 1] == 0x0A { index += 1 }
        start = index + 1
      }
      index += 1
    }
    if start < count { lines.append(self[start..<count]) }
    return lines
  }
}
