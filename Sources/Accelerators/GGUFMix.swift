import TensorTypes

/// A file type of llama.cpp's quantizer: a block type for most matrices, and rules that give some
/// of them another one.
///
/// - Source: llama.cpp `include/llama.h`, `enum llama_ftype`; `src/llama-quant.cpp`,
///   `llama_ftype_get_default_type`.
public struct GGUFMix: Sendable, Hashable {
  /// As `--quantize` takes it: `q4_k_m`.
  public let name: Name
  /// `general.file_type`.
  public let fileType: UInt32
  public let defaultType: BlockType

  public enum Name: String, Sendable, CaseIterable {
    case q4_0, q4_1, q5_0, q5_1, q1_0, q2_0
    case q2_k, q2_k_s, q3_k_s, q3_k_m, q3_k_l, q4_k_s, q4_k_m, q5_k_s, q5_k_m, q6_k
    case iq1_s, iq1_m, iq2_xxs, iq2_xs, iq2_s, iq2_m, iq3_xxs, iq3_xs, iq3_s, iq3_m
    case iq4_nl, iq4_xs, tq1_0, tq2_0, mxfp4_moe
  }

  private init(_ name: Name, _ fileType: UInt32, _ type: String) {
    self.name = name
    self.fileType = fileType
    defaultType = BlockType(named: type)!  // the names below are those of the table
  }

  /// Names that stand for the usual mix of a type.
  static let aliases = ["q3_k": "q3_k_m", "q4_k": "q4_k_m", "q5_k": "q5_k_m"]

  public static let all: [GGUFMix] = [
    GGUFMix(.q4_0, 2, "q4_0"), GGUFMix(.q4_1, 3, "q4_1"), GGUFMix(.q5_0, 8, "q5_0"),
    GGUFMix(.q5_1, 9, "q5_1"), GGUFMix(.q2_k, 10, "q2_k"), GGUFMix(.q2_k_s, 21, "q2_k"),
    GGUFMix(.q3_k_s, 11, "q3_k"), GGUFMix(.q3_k_m, 12, "q3_k"), GGUFMix(.q3_k_l, 13, "q3_k"),
    GGUFMix(.q4_k_s, 14, "q4_k"), GGUFMix(.q4_k_m, 15, "q4_k"), GGUFMix(.q5_k_s, 16, "q5_k"),
    GGUFMix(.q5_k_m, 17, "q5_k"), GGUFMix(.q6_k, 18, "q6_k"), GGUFMix(.iq1_s, 24, "iq1_s"),
    GGUFMix(.iq1_m, 31, "iq1_m"), GGUFMix(.iq2_xxs, 19, "iq2_xxs"),
    GGUFMix(.iq2_xs, 20, "iq2_xs"), GGUFMix(.iq2_s, 28, "iq2_xs"), GGUFMix(.iq2_m, 29, "iq2_s"),
    GGUFMix(.iq3_xxs, 23, "iq3_xxs"), GGUFMix(.iq3_xs, 22, "iq3_s"), GGUFMix(.iq3_s, 26, "iq3_s"),
    GGUFMix(.iq3_m, 27, "iq3_s"), GGUFMix(.iq4_nl, 25, "iq4_nl"), GGUFMix(.iq4_xs, 30, "iq4_xs"),
    GGUFMix(.tq1_0, 36, "tq1_0"), GGUFMix(.tq2_0, 37, "tq2_0"),
    GGUFMix(.mxfp4_moe, 38, "mxfp4"), GGUFMix(.q1_0, 40, "q1_0"), GGUFMix(.q2_0, 41, "q2_0"),
  ]
}

/// What the quantizer's caller may change about a mix.
public struct GGUFMixOptions: Sendable, Hashable {
  /// Every matrix gets the default type.
  public var isPure = false
  /// The type of the output matrix, which is the token embedding where both are one.
  public var outputType: Encoding?
  public var embeddingType: Encoding?
  /// Whether there is an importance matrix.
  public var hasImportance = false

  public init() {}
}
