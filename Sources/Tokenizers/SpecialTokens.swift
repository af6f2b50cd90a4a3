import ByteIO
import TensorTypes

/// Which tokens have a role, and which of them are put around a text.
///
/// - Source: llama.cpp `gguf-py/gguf/vocab.py`, `SpecialVocab`.
struct SpecialTokens {
  /// The roles that are looked up, as `tokenizer_config.json` spells them without `_token`.
  var kinds: [String]
  private var ids: [(kind: String, id: UInt32)] = []
  /// Whether a token of the kind is added to a text.
  private(set) var isAdded: [(kind: String, value: Bool)] = []
  var warnings: [String] = []
  /// `tokenizer_config.json`, as the post-processor of `tokenizer.json` amends it.
  var settings: [ByteString: JSON] = [:]
  let hasSettings: Bool
  private var lowercases: Bool?
  private var stripsAccents: Bool?
  /// Ids from here on are refused; nil for no limit.
  private let tokenCount: Int?

  static let allKinds = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]

  /// - Throws: `badInput` for an id that is negative or beyond 32 bits.
  init(
    _ files: TokenizerFiles, kinds: [String] = allKinds, tokenCount: Int?
  ) throws(Failure) {
    self.kinds = kinds
    self.tokenCount = tokenCount
    let members = files.settings?.object?.members ?? []
    hasSettings = !members.isEmpty
    for member in members { settings[member.key] = member.value }
    if let definition = files.definition {
      readNormalizer(definition["normalizer"] ?? .null)
      readPostProcessor(definition["post_processor"] ?? .null)
    }
    if hasSettings { try readSettings(files) }
    for kind in self.kinds {
      let key = ByteString("\(kind)_token_id")
      var id = files.config[key] ?? .null
      if id.isNull { id = files.config["text_config"]?[key] ?? .null }
      try setID(id, of: kind, files, file: "config.json")
    }
  }

  /// The keys of GGUF for what is known, in the reference's order. There are none for some kinds.
  var metadata: Metadata {
    var metadata = Metadata()
    for (kind, id) in ids {
      if let key = SpecialTokens.idKeys[kind] { metadata.append(key, .uint32(id)) }
    }
    for (kind, value) in isAdded where ["bos", "eos", "sep"].contains(kind) {
      metadata.append(ByteString("tokenizer.ggml.add_\(kind)_token"), .bool(value))
    }
    return metadata
  }

  /// The keys of GGUF for what the normalizer does to a text.
  var normalization: Metadata {
    var metadata = Metadata()
    if let lowercases { metadata.append("tokenizer.ggml.normalizer.lowercase", .bool(lowercases)) }
    if let stripsAccents {
      metadata.append("tokenizer.ggml.normalizer.strip_accents", .bool(stripsAccents))
    }
    return metadata
  }

  /// - Source: llama.cpp `gguf-py/gguf/constants.py`, `Keys.Tokenizer`, with its spelling.
  private static let idKeys: [String: ByteString] = [
    "bos": "tokenizer.ggml.bos_token_id", "eos": "tokenizer.ggml.eos_token_id",
    "unk": "tokenizer.ggml.unknown_token_id", "sep": "tokenizer.ggml.seperator_token_id",
    "pad": "tokenizer.ggml.padding_token_id", "mask": "tokenizer.ggml.mask_token_id",
    "eot": "tokenizer.ggml.eot_token_id", "eom": "tokenizer.ggml.eom_token_id",
  ]

  /// Sets the id of a kind that has none yet.
  mutating func setID(_ id: UInt32, of kind: String) {
    if !ids.contains(where: { $0.kind == kind }) { ids.append((kind, id)) }
  }

  /// Says whether a token of the kind is added, in the place where it was said first.
  mutating func setAdded(_ kind: String, _ value: Bool) {
    if let position = isAdded.firstIndex(where: { $0.kind == kind }) {
      isAdded[position].value = value
    } else {
      isAdded.append((kind, value))
    }
  }

  private mutating func setID(
    _ value: JSON, of kind: String, _ files: TokenizerFiles, file: String
  ) throws(Failure) {
    guard let id = value.integer else { return }
    guard let valid = UInt32(exactly: id) else {
      throw files.failure(
        "the id of a special token is not usable", in: file, ByteString("\(kind)_token_id"),
        expected: "0 to \(UInt32.max)", found: "\(id)")
    }
    guard id < tokenCount ?? .max else {
      warnings.append(
        "\(file): the id \(id) of the \(kind) token is left out, for there are \(tokenCount ?? 0) "
          + "tokens")
      return
    }
    setID(valid, of: kind)
  }

  private mutating func readSettings(_ files: TokenizerFiles) throws(Failure) {
    let added = files.definition?["added_tokens"]?.array ?? []
    for kind in kinds {
      if let value = settings[ByteString("add_\(kind)_token")]?.bool {
        let settled = isAdded.first { $0.kind == kind }?.value
        if settled == nil {
          isAdded.append((kind, value))
        } else if settled != value {
          warnings.append(
            "tokenizer_config.json says add_\(kind)_token is \(value), tokenizer.json that it is "
              + "\(!value), which counts")
        }
      }
      guard let content = settings[ByteString("\(kind)_token")]?.tokenContent else { continue }
      let token = added.first { $0["content"]?.byteString == content }
      try setID(token?["id"] ?? .null, of: kind, files, file: TokenizerFiles.definitionName)
    }
  }

  private mutating func readNormalizer(_ value: JSON) {
    switch value["type"]?.string {
    case "Lowercase": lowercases = true
    case "StripAccents": stripsAccents = true
    case "BertNormalizer":
      lowercases = value["lowercase"]?.bool ?? lowercases
      stripsAccents = value["strip_accents"]?.bool ?? stripsAccents
    case "Sequence":
      for step in value["normalizers"]?.array ?? [] { readNormalizer(step) }
    default: break
    }
  }
}
