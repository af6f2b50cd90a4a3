import ReferenceKernels
import TensorTypes

/// What holds for the blocks of one type, whoever encoded them.
struct BlockLaw: Sendable {
  /// When an encoder chooses codes.
  enum Choice: Sendable, Hashable {
    /// After the scales have been rounded to what is stored.
    case afterRounding
    /// With the scale before it is rounded to F16, of which a group's scale is a multiple.
    case beforeRounding(multiple: Double)
    /// As before, and some encoders search for a scale that is none of the formula's.
    case bySearch(Formula)
  }

  /// How the plain encoder gets scale and offset.
  enum Formula: Sendable, Hashable {
    /// The largest magnitude over a number.
    case magnitude(Float)
    /// The value of largest magnitude, with its sign, over a number.
    case signed(Float)
    /// Largest less smallest over a number; the smallest is the offset.
    case range(Float)

    /// Whether every encoder uses this formula.
    var hasOneScale: Bool { if case .magnitude = self { true } else { false } }
  }

  /// Of a type whose elements have codes of their own.
  struct Scalar: Sendable {
    let grid: ScalarGrid
    let choice: Choice
    /// Half the gap from a code's level to the next one below and above, in units of the scale;
    /// `BlockLaw.beyond` where there is none.
    let below: [Double]
    let above: [Double]
  }

  /// More than any gap.
  static let beyond = 1e300

  let type: BlockType
  /// nil for codebooks.
  let scalar: Scalar?
  /// The largest RMS of the error over the RMS of the source.
  let noiseBound: Double

  private init(_ decoder: BlockDecoder) {
    type = decoder.type
    let bits = 8 * Double(type.byteCount) / Double(type.elementCount)
    var limit = 8.0
    for _ in 0..<Int(bits) { limit /= 2 }
    // The fraction of a bit, linearly: a little more than the power.
    limit *= 1 - (bits - bits.rounded(.down)) / 2
    noiseBound = min(0.99, limit)
    guard case .scalar(let grid) = decoder.kind else {
      scalar = nil
      return
    }
    let levels = grid.levels.map(Double.init)
    scalar = Scalar(
      grid: grid, choice: BlockLaw.choice(type),
      below: levels.map { level in
        levels.filter { $0 < level }.max().map { (level - $0) / 2 } ?? BlockLaw.beyond
      },
      above: levels.map { level in
        levels.filter { $0 > level }.min().map { ($0 - level) / 2 } ?? BlockLaw.beyond
      })
  }

  private static func choice(_ type: BlockType) -> Choice {
    switch type.name {
    case "q8_0": .bySearch(.magnitude(127))
    case "q4_0": .bySearch(.signed(-8))
    case "q5_0": .bySearch(.signed(-16))
    case "q4_1": .bySearch(.range(15))
    case "q5_1": .bySearch(.range(31))
    case "iq4_nl", "tq1_0", "tq2_0", "q1_0", "q2_0", "q8_1": .beforeRounding(multiple: 1)
    case "iq4_xs": .beforeRounding(multiple: 32)
    default: .afterRounding
    }
  }

  private static let rows = [BlockType: BlockLaw](
    uniqueKeysWithValues: BlockDecoder.all.map { ($0.type, BlockLaw($0)) })

  /// The law of a type; every type of the table has one.
  static func of(_ type: BlockType) -> BlockLaw { rows[type]! }
}
