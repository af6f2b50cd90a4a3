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
      for search in BlockSearch.allCases where search == .reference || encoder.hasThoroughSearch {
        let blocks = HardInput.encode(values, encoder, weights, search)
        let metrics = HardInput.compare(values, blocks, type)
        #expect(
          metrics.violationCount == 0,
          "\(search): \(metrics.worstRatio) at \(String(describing: metrics.firstViolation))")
        #expect(metrics.worseBlockCount == 0, "\(search)")
        // IQ1_M without importance is worse than nothing on rows of few different values.
        if type.name == "iq1_m", input == "ties" { continue }
        #expect(metrics.relativeRMSE <= BlockLaw.of(type).noiseBound, "\(metrics.relativeRMSE)")
      }
    }
  }
}

/// Single bits turned in blocks, of which the law must find nearly all.
///
/// What it leaves are low bits of scales that another encoder could have chosen, codes that are as
/// near as the right one, and scales of nothing but signs, which the noise of the tensor shows.
@Suite struct BlockFlipTests {
  @Test(arguments: BlockLawTests.types.filter { BlockLaw.of($0).scalar != nil })
  func findsFlippedBits(_ type: BlockType) throws {
    let encoder = try #require(BlockEncoder(type))
    let values = HardInput.values("normal")
    let blocks = HardInput.encode(values, encoder, nil)
    var found = 0
    var total = 0
    for block in stride(from: 0, to: values.count / type.elementCount, by: 7).prefix(4) {
      let elements = block * type.elementCount..<(block + 1) * type.elementCount
      let bytes = block * type.byteCount..<(block + 1) * type.byteCount
      for bit in 0..<8 * type.byteCount {
        var own = Array(blocks[bytes])
        own[bit / 8] ^= 1 << UInt8(bit % 8)
        let metrics = HardInput.compare(Array(values[elements]), own, type)
        total += 1
        if metrics.violationCount + metrics.worseBlockCount + metrics.specialMismatchCount > 0 {
          found += 1
        }
      }
    }
    let isStrict = ["q8_0", "q4_k", "q5_k", "q6_k"].contains(type.name)
    #expect(Double(found) >= (isStrict ? 0.99 : 0.89) * Double(total), "\(found) of \(total)")
  }
}
