import TensorTypes

/// What a token is to llama.cpp.
///
/// - Source: llama.cpp `include/llama.h`, `llama_token_type`.
enum TokenType: Int32, Sendable {
  case normal = 1
  case unknown, control, userDefined, unused, byte
}

/// All tokens of a tokenizer by id, without holes.
struct Vocabulary: Sendable {
  var tokens: [ByteString]
  var scores: [Float]
  var types: [TokenType]

  /// So many tokens that nothing stands for.
  init(paddingCount: Int, score: Float) {
    tokens = (0..<paddingCount).map(Vocabulary.padding)
    scores = [Float](repeating: score, count: paddingCount)
    types = [TokenType](repeating: .unused, count: paddingCount)
  }

  mutating func set(_ id: Int, _ token: ByteString, score: Float = 0, _ type: TokenType) {
    tokens[id] = token
    scores[id] = score
    types[id] = type
  }

  mutating func append(_ token: ByteString, score: Float, _ type: TokenType) {
    tokens.append(token)
    scores.append(score)
    types.append(type)
  }

  /// The text of an id that no token has.
  static func padding(_ id: Int) -> ByteString { ByteString("[PAD\(id)]") }

  /// Whether an added token is one that models use for control, though its file does not say so.
  ///
  /// - Source: llama.cpp `conversion/base.py`, `does_token_look_special`.
  static func looksSpecial(_ token: ByteString) -> Bool {
    ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(token)
      || token.hasPrefix("<|") && token.hasSuffix("|>")
      || token.hasPrefix("<｜") && token.hasSuffix("｜>")
      || token.hasPrefix("<unused") && token.hasSuffix(">")
  }
}

extension ByteString {
  /// The text with SentencePiece's mark for a space, U+2581, turned into spaces.
  var withSpaces: ByteString {
    guard text.unicodeScalars.contains("▁") else { return self }
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { scalars.append(scalar == "▁" ? " " : scalar) }
    return ByteString(String(scalars))
  }
}
