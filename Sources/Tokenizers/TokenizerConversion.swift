import ByteIO
import TensorTypes

/// How an architecture's converter reads the tokenizer.
public enum TokenizerFamily: Sendable, Hashable {
  /// SentencePiece; without its model, BPE with byte fallback; else byte-level BPE, as Llama 3 has.
  case llama
  /// SentencePiece where its model is there, else byte-level BPE.
  case qwen
  case byteLevelBPE
  case wordPiece
}

/// A tokenizer as GGUF's metadata says it.
public struct TokenizerConversion: Sendable {
  /// The keys in the reference's order.
  public var metadata = Metadata()
  /// What the user should know, one sentence each.
  public var warnings: [String] = []
}

/// Converts the tokenizer beside a checkpoint to the metadata that llama.cpp reads.
///
/// - Parameter config: the model's `config.json`, which fixes the size of the vocabulary.
/// - Throws: `missingInput` when the folder has no tokenizer, `badInput` for one that contradicts
///   itself or the config.
/// - Source: llama.cpp `conversion/base.py`, `_set_vocab_gpt2`, `_set_vocab_sentencepiece`,
///   `_set_vocab_llama_hf`; `conversion/llama.py`, `conversion/qwen.py`, `conversion/bert.py`,
///   `set_vocab`.
public func convertTokenizer(
  _ family: TokenizerFamily, in folder: Folder, config: JSON
) throws(Failure) -> TokenizerConversion {
  let files = try TokenizerFiles(folder, config: config)
  var result = TokenizerConversion()
  switch family {
  case .llama: try result.appendLlama(files)
  case .qwen where files.hasSentencePieceModel: try result.appendSentencePiece(files)
  case .qwen, .byteLevelBPE: try result.appendByteLevelBPE(files)
  case .wordPiece: try result.appendWordPiece(files)
  }
  return result
}

extension TokenizerConversion {
  fileprivate mutating func appendLlama(_ files: TokenizerFiles) throws(Failure) {
    if let addsPrefix = files.settings?["add_prefix_space"]?.bool {
      metadata.append("tokenizer.ggml.add_space_prefix", .bool(addsPrefix))
    }
    if files.hasSentencePieceModel {
      try appendSentencePiece(files)
    } else if files.definesByteFallback {
      try appendByteFallback(files)
    } else {
      try appendByteLevelBPE(files)
    }
    switch files.config["vocab_size"]?.integer {
    case 32016: try appendInfillTokens(files)
    case 49152: metadata.set("tokenizer.ggml.add_bos_token", .bool(false))
    default: break
    }
  }

  fileprivate mutating func appendSentencePiece(_ files: TokenizerFiles) throws(Failure) {
    let vocabulary = try Vocabulary(sentencePiece: files, &warnings)
    append("llama", pre: "default", vocabulary, hasScores: true)
    try append(SpecialTokens(files, tokenCount: vocabulary.tokens.count), files)
  }

  private mutating func appendByteFallback(_ files: TokenizerFiles) throws(Failure) {
    let vocabulary = try Vocabulary(byteFallback: files)
    append("llama", pre: "default", vocabulary, hasScores: true)
    try append(SpecialTokens(files, tokenCount: vocabulary.tokens.count), files)
  }

  fileprivate mutating func appendByteLevelBPE(_ files: TokenizerFiles) throws(Failure) {
    let base = try BaseVocabulary.byteLevelBPE(files)
    let vocabulary = try Vocabulary(base, files, &warnings)
    append("gpt2", pre: preTokenizerName(files), vocabulary)
    let merges = try Merges(files, base, &warnings)
    if !merges.lines.isEmpty {
      metadata.append("tokenizer.ggml.merges", .array(.string(merges.lines)))
    }
    try append(SpecialTokens(files, tokenCount: nil), files)
  }

  fileprivate mutating func appendWordPiece(_ files: TokenizerFiles) throws(Failure) {
    let base = try BaseVocabulary.wordPiece(files)
    var vocabulary = try Vocabulary(base, files, &warnings)
    vocabulary.markWordStarts()
    let types = try files.count("type_vocab_size", limit: Int(UInt32.max)) ?? 1
    metadata.append("tokenizer.ggml.token_type_count", .uint32(UInt32(types)))
    append("bert", pre: preTokenizerName(files), vocabulary)
    try append(SpecialTokens(files, tokenCount: vocabulary.tokens.count), files)
  }

  /// Code Llama's tokens for filling in, which llama.cpp's converter knows by heart. Of the four,
  /// GGUF's writer has a key for the last only.
  private mutating func appendInfillTokens(_ files: TokenizerFiles) throws(Failure) {
    var special = try SpecialTokens(
      files, kinds: ["prefix", "suffix", "middle", "eot"], tokenCount: nil)
    special.setID(32010, of: "eot")
    try append(special, files)
  }

  private mutating func preTokenizerName(_ files: TokenizerFiles) -> String {
    let definition = PreTokenizerDefinition(files)
    if let row = PreTokenizer.all.first(where: { $0.matches(definition) }) { return row.name }
    warnings.append(
      "the pre-tokenizer is unknown, so llama.cpp will use its default and may split text "
        + "otherwise: \(definition)")
    return "default"
  }

  private mutating func append(
    _ model: String, pre: String, _ vocabulary: Vocabulary, hasScores: Bool = false
  ) {
    metadata.append("tokenizer.ggml.model", .text(model))
    metadata.append("tokenizer.ggml.pre", .text(pre))
    metadata.append("tokenizer.ggml.tokens", .array(.string(vocabulary.tokens)))
    if hasScores { metadata.append("tokenizer.ggml.scores", .array(.float32(vocabulary.scores))) }
    metadata.append(
      "tokenizer.ggml.token_type", .array(.int32(vocabulary.types.map(\.rawValue))))
  }

  private mutating func append(_ special: SpecialTokens, _ files: TokenizerFiles) throws(Failure) {
    for item in special.metadata.items { metadata.set(item.key, item.value) }
    if let templates = try ChatTemplates(files) { templates.append(to: &metadata) }
    for item in special.normalization.items { metadata.set(item.key, item.value) }
    warnings += special.warnings
  }
}
