import ByteIO
import TensorTypes

/// The small files that define a tokenizer, each parsed once.
struct TokenizerFiles {
  let folder: Folder
  /// `tokenizer.json`; nil without one.
  let definition: JSON?
  /// `tokenizer_config.json`; nil without one.
  let settings: JSON?
  /// The model's `config.json`.
  let config: JSON

  /// The most tokens a vocabulary may have; published ones stay below 300,000.
  static let tokenLimit = 1 << 22

  static let definitionName = "tokenizer.json"
  static let settingsName = "tokenizer_config.json"
  static let sentencePieceName = "tokenizer.model"

  init(_ folder: Folder, config: JSON) throws(Failure) {
    self.folder = folder
    self.config = config
    definition = try folder.json(TokenizerFiles.definitionName)
    settings = try folder.json(TokenizerFiles.settingsName)
  }

  var hasSentencePieceModel: Bool { folder.contains(TokenizerFiles.sentencePieceName) }

  /// `BPE`, `WordPiece` …; nil without `tokenizer.json`.
  var modelType: String? { definition?["model"]?["type"]?.string }

  /// Whether `tokenizer.json` holds a BPE over text whose unknown characters become bytes, as
  /// SentencePiece's models do.
  ///
  /// - Source: llama.cpp `gguf-py/gguf/vocab.py`, `LlamaHfVocab`.
  var definesByteFallback: Bool {
    guard let model = definition?["model"], modelType == "BPE" else { return false }
    return model["byte_fallback"]?.bool == true
      && definition?["decoder"]?["type"]?.string == "Sequence"
  }

  /// The class of transformers that reads the tokenizer, without `Fast`: the one that its settings
  /// name, or where they name none in particular, the one of the model's type; nil for neither.
  ///
  /// - Source: transformers 5.24.0 `tokenization_auto.py`, `TOKENIZER_MAPPING_NAMES` and
  ///   `from_pretrained`.
  var className: String? {
    let stated = settings?["tokenizer_class"]?.string ?? ""
    let name = stated.hasSuffix("Fast") ? String(stated.dropLast(4)) : stated
    guard ["", "PreTrainedTokenizer", "TokenizersBackend"].contains(name) else { return name }
    return switch config["model_type"]?.string {
    case "gpt2": "GPT2Tokenizer"
    case "qwen2", "qwen3", "qwen3_moe": "Qwen2Tokenizer"
    case "bert": "BertTokenizer"
    default: nil
    }
  }

  /// The size that the config gives the vocabulary; nil where it gives none.
  var vocabularySize: Int? {
    get throws(Failure) { try count("vocab_size", limit: TokenizerFiles.tokenLimit) }
  }

  /// A key of the model's config as a whole number; nil when it is absent or `null`.
  func count(_ key: ByteString, limit: Int) throws(Failure) -> Int? {
    guard let value = config[key], !value.isNull else { return nil }
    guard let count = value.integer, (0...limit).contains(count) else {
      throw failure(
        "the value is not usable", in: "config.json", key, expected: "a number from 0 to \(limit)",
        found: value.summary)
    }
    return count
  }

  func failure(
    _ message: String, in file: String, _ key: ByteString? = nil, offset: Int? = nil,
    expected: String? = nil, found: String? = nil
  ) -> Failure {
    Failure(
      .badInput, message, file: folder.path(of: file), subject: key.map { .key($0) },
      offset: offset, expected: expected, found: found)
  }
}
