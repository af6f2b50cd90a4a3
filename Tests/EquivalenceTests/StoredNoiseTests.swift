import Quantization
import ReferenceKernels
import TensorTypes
import Testing

@testable import Equivalence

@Suite struct StoredNoiseTests {
  /// What an encoder leaves is no more than the prediction, and for ordinary values not far below it.
  @Test(arguments: BlockEncoder.all, HardInput.names)
  func boundsEveryEncoder(_ encoder: BlockEncoder, _ input: String) throws {
    let values = HardInput.values(input)
    for weights in [nil, HardInput.importance] {
      guard weights != nil || encoder.importance != .required else { continue }
      let blocks = HardInput.encode(values, encoder, weights)
      let decoded = Cell(.block(encoder.block)).values(
        ofPacked: blocks, elementCount: values.count)
      var error = 0.0
      var predicted = 0.0
      for row in 0..<HardInput.rowCount {
        let range = row * HardInput.rowLength..<(row + 1) * HardInput.rowLength
        let source = values[range].map(Double.init)
        let noise = try #require(
          StoredNoise(source[...], source: .f32, stored: .block(encoder.block)))
        for (index, position) in range.enumerated() {
          let group = index / noise.groupLength
          error += (decoded[position] - source[index]) * (decoded[position] - source[index])
          let scale = (noise.scale[group] + noise.blockScale) * source[index]
          predicted +=
            noise.steps[index] * noise.steps[index] + scale * scale
            + noise.offset[group] * noise.offset[group]
        }
      }
      let ratio = (error / predicted).squareRoot()
      // IQ1_M without importance is worse than nothing on rows of few different values.
      if encoder.block.name == "iq1_m", input == "ties", weights == nil { continue }
      #expect(ratio <= 1, "\(weights == nil ? "plain" : "weighted")")
      if input == "normal" { #expect(ratio > 0.15) }
    }
  }
}
