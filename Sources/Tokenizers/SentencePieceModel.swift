import TensorTypes

/// The pieces of a SentencePiece model in the order of their ids.
///
/// - Source: sentencepiece 0.2.1 `sentencepiece_model.proto`; `model_interface.cc`,
///   `InitializePieces`.
struct SentencePieceModel: Sendable {
  /// What a piece is to SentencePiece; the values are those of the file.
  enum Kind: UInt64, Sendable {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  struct Piece: Sendable, Hashable {
    let text: ByteString
    let score: Float
    let kind: Kind
  }

  let pieces: [Piece]

  /// Reads a `tokenizer.model`.
  ///
  /// - Throws: `badInput` with the offset for bytes that are no such model, and for pieces that are
  ///   empty, come twice, or lack the one for what is unknown.
  init(parsing bytes: [UInt8], file: String) throws(Failure) {
    var reader = ProtobufReader(bytes, file: file)
    var pieces: [Piece] = []
    var offsets: [ByteString: Int] = [:]
    while let field = try reader.next() {
      guard field.number == 1, case .bytes(let range) = field.value else { continue }
      let piece = try Piece(bytes, in: range, file: file)
      if let first = offsets.updateValue(field.offset, forKey: piece.text) {
        throw Failure(
          .badInput, "a piece comes twice", file: file, subject: .key(piece.text),
          offset: field.offset, expected: "each once", found: "the same at byte \(first)")
      }
      guard pieces.count < TokenizerFiles.tokenLimit else {
        throw Failure(
          .badInput, "there are too many pieces", file: file, offset: field.offset,
          expected: "at most \(TokenizerFiles.tokenLimit)", found: "more")
      }
      pieces.append(piece)
    }
    guard pieces.count(where: { $0.kind == .unknown }) == 1 else {
      throw Failure(
        .badInput, "the file is no SentencePiece model", file: file,
        expected: "one piece for what is unknown",
        found: "\(pieces.count(where: { $0.kind == .unknown })) among \(pieces.count) pieces")
    }
    self.pieces = pieces
  }
}

extension SentencePieceModel.Piece {
  init(_ bytes: [UInt8], in range: Range<Int>, file: String) throws(Failure) {
    var text: ByteString = ""
    var score: Float = 0
    var kind = SentencePieceModel.Kind.normal
    var reader = ProtobufReader(bytes, in: range, file: file)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let place)):
        guard let valid = ByteString(validating: bytes[place]) else {
          throw Failure(
            .badInput, "the text of a piece is not valid UTF-8", file: file,
            offset: place.lowerBound, expected: "UTF-8", found: "other bytes")
        }
        text = valid
      case (2, .fixed32(let bits)): score = Float(bitPattern: bits)
      case (3, .varint(let value)):
        guard let known = SentencePieceModel.Kind(rawValue: value) else {
          throw Failure(
            .badInput, "the kind of a piece is unknown", file: file, offset: field.offset,
            expected: "1 to 6", found: "\(value)")
        }
        kind = known
      case (1...3, _):
        throw Failure(
          .badInput, "a field of a piece has the wrong kind", file: file, offset: field.offset,
          expected: "a piece of a SentencePiece model", found: "field \(field.number) of another")
      default: break
      }
    }
    guard !text.isEmpty else {
      throw Failure(
        .badInput, "a piece has no text", file: file, offset: range.lowerBound,
        expected: "at least one byte", found: "none")
    }
    self.init(text: text, score: score, kind: kind)
  }
}
