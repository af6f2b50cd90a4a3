import ByteIO
import TensorTypes

/// A token that was added to a tokenizer's model: found in the text before anything else is.
struct AddedToken: Sendable {
  let content: ByteString
  /// The id that the file gives it; nil when the file gives none.
  var id: Int?
  var isSpecial: Bool
  /// Whether it is looked for in the normalized text.
  var isNormalized: Bool
}

/// The added tokens of a tokenizer, from all files that name some.
///
/// `tokenizer_config.json` has the last word on a token. Where it lists none, `added_tokens.json`
/// and then `tokenizer.json` have it. A special token that no list holds is added, as transformers
/// adds it when it opens the tokenizer.
///
/// - Source: transformers 5.24.0 `tokenization_utils_base.py`, `_from_pretrained`, and
///   `tokenization_utils_tokenizers.py`, `__init__`.
struct AddedTokens: Sendable {
  private(set) var tokens: [AddedToken] = []
  private var positions: [ByteString: Int] = [:]

  subscript(content: ByteString) -> AddedToken? { positions[content].map { tokens[$0] } }

  init(_ files: TokenizerFiles, _ named: NamedTokens) throws(Failure) {
    let listed = try AddedToken.list(in: files)
    if let settled = try AddedToken.settled(in: files) {
      for token in listed { set(token) }
      for token in settled { set(token) }
    } else {
      for token in try AddedToken.legacy(in: files, named) { set(token) }
      for token in listed { set(token) }
    }
    for content in named.all where positions[content] == nil {
      set(AddedToken(content: content, isSpecial: true, isNormalized: false))
    }
    for (_, content) in named.byRole {
      if let position = positions[content] { tokens[position].isSpecial = true }
    }
  }

  private mutating func set(_ token: AddedToken) {
    if let position = positions[token.content] {
      tokens[position] = token
    } else {
      positions[token.content] = tokens.count
      tokens.append(token)
    }
  }
}

extension AddedToken {
  /// The list in `tokenizer.json`.
  fileprivate static func list(in files: TokenizerFiles) throws(Failure) -> [AddedToken] {
    var tokens: [AddedToken] = []
    for value in files.definition?["added_tokens"]?.array ?? [] {
      let name = TokenizerFiles.definitionName
      let token = try AddedToken(value, id: nil, files, name, key: "added_tokens")
      tokens.append(
        AddedToken(
          content: token.content,
          id: try files.tokenID(value["id"], of: token.content, in: name),
          isSpecial: token.isSpecial, isNormalized: token.isNormalized))
    }
    return tokens
  }

  /// The list in `tokenizer_config.json`; nil where it has none.
  static func settled(in files: TokenizerFiles) throws(Failure) -> [AddedToken]? {
    guard let members = files.settings?["added_tokens_decoder"]?.object?.members else { return nil }
    var tokens: [AddedToken] = []
    for member in members {
      let name = TokenizerFiles.settingsName
      guard let id = Int(member.key.text), (0..<TokenizerFiles.tokenLimit).contains(id) else {
        throw files.failure(
          "the id of the token is not usable", in: name, "added_tokens_decoder",
          expected: "a number from 0 to \(TokenizerFiles.tokenLimit - 1)", found: "'\(member.key)'")
      }
      tokens.append(try AddedToken(member.value, id: id, files, name, key: "added_tokens_decoder"))
    }
    return tokens
  }

  /// The tokens of `added_tokens.json`.
  static func legacy(
    in files: TokenizerFiles, _ named: NamedTokens
  ) throws(Failure) -> [AddedToken] {
    var tokens: [AddedToken] = []
    for member in try files.folder.json("added_tokens.json")?.object?.members ?? [] {
      let isSpecial = named.all.contains(member.key)
      tokens.append(
        AddedToken(
          content: member.key,
          id: try files.tokenID(member.value, of: member.key, in: "added_tokens.json"),
          isSpecial: isSpecial, isNormalized: !isSpecial))
    }
    return tokens
  }

  private init(
    _ value: JSON, id: Int?, _ files: TokenizerFiles, _ file: String, key: ByteString
  ) throws(Failure) {
    guard let content = value["content"]?.byteString, !content.isEmpty else {
      throw files.failure(
        "an added token has no content", in: file, key, expected: "a text", found: "none")
    }
    self.content = content
    self.id = id
    isSpecial = value["special"]?.bool ?? false
    isNormalized = value["normalized"]?.bool ?? !isSpecial
  }
}
