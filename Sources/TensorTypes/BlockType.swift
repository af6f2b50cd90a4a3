/// A self-contained block: a fixed number of consecutive elements of a row in a fixed number of
/// bytes, scales included.
///
/// - Source: llama.cpp `ggml-common.h`; the table of `docs/formats/gguf.md`.
public struct BlockType: Sendable, Hashable {
  /// The lower-case name that `--quantize` takes: `q8_0`.
  public let name: String
  /// - Units: elements of one block.
  public let elementCount: Int
  /// - Units: bytes of one block.
  public let byteCount: Int

  /// The row of the table with this name, in any case.
  public init?(named name: String) {
    guard let row = BlockType.all.first(where: { $0.name == name.lowercased() }) else {
      return nil
    }
    self = row
  }

  private init(_ name: String, _ elementCount: Int, _ byteCount: Int) {
    self.name = name
    self.elementCount = elementCount
    self.byteCount = byteCount
  }

  public static let q4_0 = BlockType("q4_0", 32, 18)
  public static let q4_1 = BlockType("q4_1", 32, 20)
  public static let q5_0 = BlockType("q5_0", 32, 22)
  public static let q5_1 = BlockType("q5_1", 32, 24)
  public static let q8_0 = BlockType("q8_0", 32, 34)
  public static let q2_k = BlockType("q2_k", 256, 84)
  public static let q3_k = BlockType("q3_k", 256, 110)
  public static let q4_k = BlockType("q4_k", 256, 144)
  public static let q5_k = BlockType("q5_k", 256, 176)
  public static let q6_k = BlockType("q6_k", 256, 210)
  public static let iq2_xxs = BlockType("iq2_xxs", 256, 66)
  public static let iq2_s = BlockType("iq2_s", 256, 82)
  public static let iq3_xxs = BlockType("iq3_xxs", 256, 98)
  public static let iq3_s = BlockType("iq3_s", 256, 110)
  public static let iq4_nl = BlockType("iq4_nl", 32, 18)

  public static let all: [BlockType] = [
    q4_0,
    q4_1,
    q5_0,
    q5_1,
    q8_0,
    BlockType("q8_1", 32, 36),
    q2_k,
    q3_k,
    q4_k,
    q5_k,
    q6_k,
    BlockType("q8_k", 256, 292),
    iq2_xxs,
    BlockType("iq2_xs", 256, 74),
    iq3_xxs,
    BlockType("iq1_s", 256, 50),
    iq4_nl,
    iq3_s,
    iq2_s,
    BlockType("iq4_xs", 256, 136),
    BlockType("iq1_m", 256, 56),
    BlockType("tq1_0", 256, 54),
    BlockType("tq2_0", 256, 66),
    BlockType("mxfp4", 32, 17),
    BlockType("nvfp4", 64, 36),
    BlockType("q1_0", 128, 18),
    BlockType("q2_0", 64, 18),
  ]
}
