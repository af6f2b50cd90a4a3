/// A self-contained block: a fixed number of consecutive elements of a row in a fixed number of
/// bytes, scales included. The raw value is the lower-case name that `--quantize` takes.
///
/// - Source: llama.cpp `ggml-common.h`; the table of `docs/formats/gguf.md`.
public enum BlockType: String, CaseIterable, Sendable, Hashable {
  case q4_0
  case q4_1
  case q5_0
  case q5_1
  case q8_0
  case q8_1
  case q2_k
  case q3_k
  case q4_k
  case q5_k
  case q6_k
  case q8_k
  case iq2_xxs
  case iq2_xs
  case iq3_xxs
  case iq1_s
  case iq4_nl
  case iq3_s
  case iq2_s
  case iq4_xs
  case iq1_m
  case tq1_0
  case tq2_0
  case mxfp4
  case nvfp4
  case q1_0
  case q2_0

  public static let all = allCases

  /// The row of the table with this name, in any case.
  public init?(named name: String) {
    self.init(rawValue: name.lowercased())
  }

  public var name: String { rawValue }

  /// - Units: elements of one block.
  public var elementCount: Int { extent.elementCount }

  /// - Units: bytes of one block.
  public var byteCount: Int { extent.byteCount }

  private var extent: (elementCount: Int, byteCount: Int) {
    switch self {
    case .q4_0: (32, 18)
    case .q4_1: (32, 20)
    case .q5_0: (32, 22)
    case .q5_1: (32, 24)
    case .q8_0: (32, 34)
    case .q8_1: (32, 36)
    case .q2_k: (256, 84)
    case .q3_k: (256, 110)
    case .q4_k: (256, 144)
    case .q5_k: (256, 176)
    case .q6_k: (256, 210)
    case .q8_k: (256, 292)
    case .iq2_xxs: (256, 66)
    case .iq2_xs: (256, 74)
    case .iq3_xxs: (256, 98)
    case .iq1_s: (256, 50)
    case .iq4_nl: (32, 18)
    case .iq3_s: (256, 110)
    case .iq2_s: (256, 82)
    case .iq4_xs: (256, 136)
    case .iq1_m: (256, 56)
    case .tq1_0: (256, 54)
    case .tq2_0: (256, 66)
    case .mxfp4: (32, 17)
    case .nvfp4: (64, 36)
    case .q1_0: (128, 18)
    case .q2_0: (64, 18)
    }
  }
}
