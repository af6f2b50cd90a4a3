import Quantization
import TensorTypes
import Testing

@testable import Equivalence

/// The laws of block types, on what the encoders make of hard inputs.
@Suite struct BlockLawTests {
  static let types = BlockType.all.filter { BlockEncoder($0) != nil }

  @Test(arguments: types, HardInput.names)
  func encodersKeepTheLaw(_ type: BlockType, _ input: String) throws {
    let encoder = try #require(BlockEncoder(type))
    let values = HardInput.values(input)
    for weights in [nil, HardInput.importance] {
      guard weights != nil || encoder.importance != .required else { continue }
      let blocks = HardInput.encode(values, encoder, weights)
      let metrics = HardInput.compare(values, blocks, type)
      #expect(
        metrics.violationCount == 0,
        "\(metrics.worstRatio) at \(String(describing: metrics.firstViolation))")
      #expect(metrics.worseBlockCount == 0)
      // IQ1_M without importance is worse than nothing on rows of few different values.
      if type.name == "iq1_m", input == "ties" { continue }
      #expect(metrics.relativeRMSE <= BlockLaw.of(type).noiseBound, "\(metrics.relativeRMSE)")
    }
  }
}
