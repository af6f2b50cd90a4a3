import TensorTypes

/// The constants of the format.
///
/// - Source: ggml `gguf.h`, `gguf.cpp`.
enum GGUF {
  static let magic = Array("GGUF".utf8)
  static let versions = 1...3
  static let writtenVersion = 3
  static let alignmentKey: ByteString = "general.alignment"
  static let defaultAlignment = 32
  /// The largest alignment that is written; what is read may have any.
  static let writtenAlignmentLimit = 1 << 20
  static let rankLimit = 4
  /// - Units: bytes; names are shorter than this.
  static let nameByteLimit = 64
  static let keyByteLimit = 65_535
  /// - Units: bytes before the first tensor; the largest vocabularies take some 50 MB.
  static let headerByteLimit = 1 << 28
  static let stringByteLimit = 1 << 30
  static let arrayElementLimit = 1 << 30

  /// The ids of metadata value types.
  enum ValueType: UInt32, CaseIterable {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array
    case uint64, int64, float64

    /// The least number of bytes that one value takes in a file.
    func leastByteCount(version: Int) -> Int {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64: 8
      case .string: version == 1 ? 4 : 8
      case .array: version == 1 ? 8 : 12
      }
    }
  }
}

/// A tensor type of GGUF: its id in files and the encoding it stands for.
///
/// - Source: ggml `ggml.h`, `enum ggml_type`; `docs/formats/gguf.md`.
public struct GGUFTensorType: Sendable {
  public let id: UInt32
  /// As ggml's tools print it: `Q8_0`.
  public let name: String
  public let encoding: Encoding

  public static let all: [GGUFTensorType] = [
    plain(0, .f32), plain(1, .f16), block(2, "Q4_0"), block(3, "Q4_1"), block(6, "Q5_0"),
    block(7, "Q5_1"), block(8, "Q8_0"), block(9, "Q8_1"), block(10, "Q2_K"), block(11, "Q3_K"),
    block(12, "Q4_K"), block(13, "Q5_K"), block(14, "Q6_K"), block(15, "Q8_K"),
    block(16, "IQ2_XXS"), block(17, "IQ2_XS"), block(18, "IQ3_XXS"), block(19, "IQ1_S"),
    block(20, "IQ4_NL"), block(21, "IQ3_S"), block(22, "IQ2_S"), block(23, "IQ4_XS"),
    plain(24, .i8), plain(25, .i16), plain(26, .i32), plain(27, .i64), plain(28, .f64),
    block(29, "IQ1_M"), plain(30, .bf16), block(34, "TQ1_0"), block(35, "TQ2_0"),
    block(39, "MXFP4"), block(40, "NVFP4"), block(41, "Q1_0"), block(42, "Q2_0"),
  ]

  /// Types that ggml once had and files can no longer hold.
  static let removed: [UInt32: String] = [
    4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
  ]

  /// The ranges of ids that only ik_llama.cpp writes; some of its types have bytes before each row.
  static let foreign: [ClosedRange<UInt32>] = [97...99, 133...158, 202...399]

  private static let byID = [UInt32: GGUFTensorType](uniqueKeysWithValues: all.map { ($0.id, $0) })
  private static let byEncoding = [Encoding: GGUFTensorType](
    uniqueKeysWithValues: all.map { ($0.encoding, $0) })

  public static func with(id: UInt32) -> GGUFTensorType? { byID[id] }
  public static func holding(_ encoding: Encoding) -> GGUFTensorType? { byEncoding[encoding] }

  private static func plain(_ id: UInt32, _ dtype: DType) -> GGUFTensorType {
    GGUFTensorType(id: id, name: dtype.name, encoding: .plain(dtype))
  }

  private static func block(_ id: UInt32, _ name: String) -> GGUFTensorType {
    // Every name here is one of `BlockType.all`.
    GGUFTensorType(id: id, name: name, encoding: .block(BlockType(named: name)!))
  }
}
