import TensorTypes

/// Which encoding llama.cpp's converter gives each tensor of a GGUF file.
///
/// - Source: llama.cpp `conversion/base.py`, `prepare_tensors`.
public struct GGUFTypeRule: Sendable {
  /// The encoding of matrices; nil to keep what each tensor has.
  public let matrices: Encoding?

  /// - Parameter sources: the encodings and ranks of the source tensors in the order of
  ///   conversion; for `auto`, the first matrix in F16 or BF16 decides.
  public init(_ scheme: Scheme, sources: some Sequence<TensorType>) {
    switch scheme {
    case .lossless, .mix, .fp8Block128, .ascend: matrices = nil
    case .uniform(let encoding): matrices = encoding
    case .auto:
      let deciding = sources.first {
        $0.shape.rank >= 2 && ($0.encoding == .f16 || $0.encoding == .bf16)
      }
      matrices = deciding?.encoding ?? .f16
    }
  }

  /// The encoding of one tensor.
  ///
  /// - Parameters:
  ///   - type: the tensor's shape, and the encoding of its source.
  public func encoding(of name: ByteString, _ type: TensorType) -> Encoding {
    // Integers are positions or indices, not weights.
    if case .plain(let dtype) = type.encoding, dtype.kind == .signed { return type.encoding }
    guard !GGUFTypeRule.staysF32(name, rank: type.shape.rank) else { return .f32 }
    return GGUFTypeRule.fitting(matrices ?? GGUFTypeRule.lossless(type.encoding), type.shape)
  }

  /// The encoding, or F16 where rows are no multiple of its blocks.
  public static func fitting(_ encoding: Encoding, _ shape: Shape) -> Encoding {
    shape.rowLength % encoding.unitElementCount == 0 ? encoding : .f16
  }

  /// Vectors, norms, routers, position and token type embeddings, and whatever is no weight.
  static func staysF32(_ name: ByteString, rank: Int) -> Bool {
    rank <= 1 || name.hasSuffix("_norm.weight") || !name.hasSuffix(".weight")
      || name.hasSuffix(".ffn_gate_inp.weight") || name == "position_embd.weight"
      || name == "token_types.weight"
  }

  /// The narrowest encoding of GGUF that holds every value.
  public static func lossless(_ encoding: Encoding) -> Encoding {
    switch encoding {
    case .block, .f32, .f16, .bf16: encoding
    case .plain(.f8e4m3), .plain(.f8e5m2): .f16
    case .plain(.f64), .plain(.i8), .plain(.i16), .plain(.i32), .plain(.i64): encoding
    default: .f32
    }
  }

}

extension Scheme {
  /// `general.file_type`: the type of most matrices; nil for one that has no number.
  ///
  /// - Source: llama.cpp `include/llama.h`, `llama_ftype`.
  public func fileType(matrices: Encoding) -> UInt32? {
    if case .mix(let mix) = self { return mix.fileType }
    return switch matrices {
    case .f32: 0
    case .f16: 1
    case .bf16: 32
    case .q8_0: 7
    default: nil
    }
  }
}
