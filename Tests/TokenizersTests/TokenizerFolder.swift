import ByteIO
import Support
import TensorTypes

@testable import Tokenizers

/// A folder with tokenizer files that is removed when the value dies.
struct TokenizerFolder {
  private let folder = TemporaryFolder()

  init(_ files: [String: String] = [:], sentencePiece: [UInt8]? = nil) throws {
    for (name, text) in files { try folder.write(name, text) }
    if let sentencePiece { try folder.write("tokenizer.model", sentencePiece) }
  }

  func files(config: String = "{}") throws -> TokenizerFiles {
    try TokenizerFiles(Folder(path: folder.path), config: JSON(parsing: Array(config.utf8)))
  }

  func convert(_ family: TokenizerFamily, config: String = "{}") throws -> TokenizerConversion {
    try convertTokenizer(
      family, in: Folder(path: folder.path), config: JSON(parsing: Array(config.utf8)))
  }
}

extension TokenizerConversion {
  var tokens: [ByteString] {
    if case .array(.string(let tokens))? = metadata["tokenizer.ggml.tokens"] { tokens } else { [] }
  }

  var types: [Int32] {
    if case .array(.int32(let types))? = metadata["tokenizer.ggml.token_type"] { types } else { [] }
  }

  var scores: [Float] {
    if case .array(.float32(let all))? = metadata["tokenizer.ggml.scores"] { all } else { [] }
  }

  var merges: [ByteString] {
    if case .array(.string(let merges))? = metadata["tokenizer.ggml.merges"] { merges } else { [] }
  }

  var pre: String? { metadata["tokenizer.ggml.pre"]?.string?.text }
}

/// The `Fixtures` folder.
let fixtures: String = {
  let parts = #filePath.utf8.split(separator: UInt8(ascii: "/"))
  return "/" + parts.dropLast(3).map { String(Substring($0)) }.joined(separator: "/") + "/Fixtures"
}()
