import ByteIO
import TensorTypes

/// The special tokens that have a role, such as `bos_token`, or are listed as special.
///
/// - Source: transformers 5.24.0 `tokenization_utils_base.py`, `__init__` and `_from_pretrained`.
struct NamedTokens: Sendable {
  /// Role and token, each role once.
  private(set) var byRole: [(role: ByteString, content: ByteString)] = []
  private var extra: [ByteString] = []

  /// All of them, each once.
  var all: [ByteString] {
    var seen = Set<ByteString>()
    return (byRole.map(\.content) + extra).filter { seen.insert($0).inserted }
  }

  /// What the classes of transformers take where no file says otherwise.
  static let defaults: [String: [(role: ByteString, content: ByteString)]] = [
    "GPT2Tokenizer": [
      ("unk_token", "<|endoftext|>"), ("bos_token", "<|endoftext|>"),
      ("eos_token", "<|endoftext|>"),
    ],
    "Qwen2Tokenizer": [
      ("unk_token", "<|endoftext|>"), ("eos_token", "<|endoftext|>"),
      ("pad_token", "<|endoftext|>"),
    ],
    "BertTokenizer": [
      ("unk_token", "[UNK]"), ("sep_token", "[SEP]"), ("pad_token", "[PAD]"),
      ("cls_token", "[CLS]"), ("mask_token", "[MASK]"),
    ],
    "LlamaTokenizer": [("unk_token", "<unk>"), ("bos_token", "<s>"), ("eos_token", "</s>")],
  ]

  init(_ files: TokenizerFiles) throws(Failure) {
    byRole = files.className.flatMap { NamedTokens.defaults[$0] } ?? []
    // A byte-level tokenizer under the name of Llama's class is opened as what it is.
    if files.className == "LlamaTokenizer", !files.definesByteFallback { byRole = [] }
    read(files.settings)
    if files.settings?["added_tokens_decoder"] == nil {
      read(try files.folder.json("special_tokens_map.json"))
    }
  }

  private mutating func read(_ values: JSON?) {
    for member in values?.object?.members ?? [] {
      if member.key.hasSuffix("_token") {
        set(member.key, member.value)
      } else if ["additional_special_tokens", "extra_special_tokens"].contains(member.key) {
        let listed = member.value.array ?? member.value.object?.members.map(\.value) ?? []
        extra += listed.compactMap(\.tokenContent)
      }
    }
  }

  private mutating func set(_ role: ByteString, _ value: JSON) {
    guard value.isNull || value.tokenContent != nil else { return }  // such as `add_bos_token`
    byRole.removeAll { $0.role == role }
    if let content = value.tokenContent { byRole.append((role, content)) }
  }
}

extension JSON {
  /// The text of a token, which is spelt as a string or as an object with a `content`.
  var tokenContent: ByteString? { byteString ?? self["content"]?.byteString }
}
