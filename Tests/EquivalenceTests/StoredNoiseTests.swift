import Quantization
import TensorTypes
import Testing

@testable import Equivalence
@testable import ReferenceKernels

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

  /// Codes with scales beside them leave no more than the prediction, and not far less.
  @Test(arguments: QuantScheme.all, HardInput.names)
  func boundsEveryScheme(_ scheme: QuantScheme, _ input: String) throws {
    let values = HardInput.values(input)
    let length = HardInput.rowLength
    let matrix = QuantizedMatrix(values, columnCount: length, scheme)
    let band = values.map(Double.init)
    let peaks = scheme.peaks(band[...], length)
    for row in 0..<HardInput.rowCount {
      let source = Array(band[row * length..<(row + 1) * length])
      let noise = try #require(
        StoredNoise(
          source[...], source: .encoding(.f32), stored: .codes(scheme),
          peaks: (scheme.grid.rows ?? 1) > 1 ? peaks : nil))
      var (error, predicted) = (0.0, 0.0)
      for (column, value) in source.enumerated() {
        let place =
          (scheme.grid.rows == 1 ? row * matrix.scalesAcross : 0)
          + column / (scheme.grid.columns ?? length)
        let stored = Double(matrix.codes[row * length + column]) * Double(matrix.scales[place])
        let difference = (stored - value).magnitude
        error += difference * difference
        predicted += noise.steps[column] * noise.steps[column]
        // A scale that is searched for leaves less in all, and more in some places.
        if scheme.code != .int4 {
          #expect(difference <= noise.steps[column] * (1 + 0x1p-12) + value.magnitude * 0x1p-20)
        }
      }
      #expect(error <= predicted)
      if input == "normal" { #expect(error > predicted / 16) }
    }
  }

  @Test func codesThatAreKeptDoNotMove() throws {
    let noise = try #require(
      StoredNoise([1, 2], source: .codes(.fp8Channel), stored: .codes(.fp8Channel)))
    #expect(noise.steps == [0, 0])
    let blocks = StoredNoise([1, 448], source: .encoding(.f32), stored: .codes(.fp8Block128))
    #expect(blocks?.steps == [0.0625, 16])
    let shared = StoredNoise(
      [1, 448], source: .encoding(.f32), stored: .codes(.fp8Block128), peaks: [896])
    #expect(shared?.steps == [0.0625, 16])
  }
}
