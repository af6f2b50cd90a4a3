import TensorTypes
import Testing

@testable import Quantization

/// The search for better scales never loses to the reference, and always gives the same bytes.
@Suite struct ThoroughSearchTests {
  static let names = BlockSearch.thoroughTypes.map(\.name)

  @Test func theTypesAreThoseOfTheDocumentation() {
    #expect(
      ThoroughSearchTests.names == [
        "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl",
        "iq4_xs",
      ])
  }

  /// Σ weight · (decoded − value)² of each block.
  private func errors(
    _ bytes: [UInt8], _ values: [Float], _ weights: [Float]?, _ encoder: BlockEncoder
  ) -> [Double] {
    let decoded = encoder.decoded(bytes, .available[0])
    return stride(from: 0, to: values.count, by: encoder.rowMultiple).map { start in
      (start..<start + encoder.rowMultiple).reduce(0) { sum, index in
        let difference = Double(decoded[index]) - Double(values[index])
        let weight = weights.map { Double($0[index % $0.count]) } ?? 1
        return sum + weight * difference * difference
      }
    }
  }

  @Test(arguments: names, PathTests.Data.allCases)
  func noBlockIsWorseThanTheReferences(_ name: String, _ data: PathTests.Data) throws {
    let encoder = try #require(BlockType(named: name).flatMap { BlockEncoder($0) })
    let seed: UInt64 = 21
    var generator = Generator(state: seed)
    let rowLength = encoder.rowMultiple * (encoder.rowMultiple < 256 ? 17 : 3)
    let values = (0..<3 * rowLength).map { _ in data.value(&generator) }
    // Some inputs do not matter at all.
    let weights = (0..<rowLength).map { _ in
      generator.next() % 8 == 0 ? 0 : Float(generator.next()) / 0x1p24
    }
    for weights in encoder.importance == .ignored ? [nil] : [nil, weights] {
      let reference = encoder.encoded(values, rowLength, weights, .best)
      let results = Kernels.available.map {
        encoder.encoded(values, rowLength, weights, $0, search: .thorough)
      }
      // Paths may differ in the reference's bytes of values that are not finite.
      guard data != .notFinite else { continue }
      #expect(Set(results).count == 1, "seed \(seed), \(weights != nil)")
      let before = errors(reference, values, weights, encoder)
      let after = errors(results[0], values, weights, encoder)
      #expect(zip(after, before).allSatisfy { $0 <= $1 }, "seed \(seed), \(weights != nil)")
      // Blocks change for the better only.
      let size = encoder.block.byteCount
      for (number, (old, new)) in zip(before, after).enumerated() where old == new {
        let range = number * size..<(number + 1) * size
        #expect(results[0][range] == reference[range], "seed \(seed), block \(number)")
      }
      if data == .noise {
        #expect(after.reduce(0, +) < 0.98 * before.reduce(0, +), "seed \(seed)")
      }
    }
  }

  /// The first half of the SHA-256 of the golden input "normal" as bytes, without and with importance.
  static let digests: [String: (plain: String, weighted: String)] = [
    "q4_0": ("c9af668ff9a568a8accb2c1c07882188", "322445e52f9756177e5d650eba83d072"),
    "q4_1": ("b5cccf96f022bcb134dc2e75f7400826", "1282f38c79bfeec0ac0cb17ad33b8bbc"),
    "q5_0": ("ffc4487bfbdb5cea22f5c3feef86abff", "b0324c9b9d0313fce5ad686c860d9d56"),
    "q5_1": ("b212e45e3a74ad5f980eb189f65cdd94", "a1cf33808c58645a4c0f76b797bc83fa"),
    "q8_0": ("c4d35c12531295e3c688fd1839a8a4a5", "c4d35c12531295e3c688fd1839a8a4a5"),
    "q2_k": ("9347dc475141f0c1a707a0c03ed36525", "abc0ae0d9b68a032bbf2b20159f6c83c"),
    "q3_k": ("09151ee8b1e71196edf29b268e3a18ef", "165d964bdbd8f582df664e70168caba2"),
    "q4_k": ("4e3936a32f4d358a0453c6480ec17e56", "76a03c1e05b63543c86d4593c50f7b37"),
    "q5_k": ("5bda8166f509f98a5dd53813f0472066", "f2131010ac14fc804db14765e982aaea"),
    "q6_k": ("80aeb0227f05a8d81e0d151732d1d6e8", "185c923cac0af8ed1d0f8fab13e7860d"),
    "iq4_nl": ("25406c1d6173b6514ebbaa5434672e86", "b333d25041fb00c8112645ac0b0dc544"),
    "iq4_xs": ("2a169b9035309a79e14573fc4f405602", "3520c3bed33be7dc86999d5f1712e4fe"),
  ]

  @Test(arguments: names)
  func bytesStayTheSame(_ name: String) throws {
    let encoder = try #require(BlockType(named: name).flatMap { BlockEncoder($0) })
    let expected = try #require(ThoroughSearchTests.digests[name])
    let input = try #require(GoldenInputs.all["normal"])
    for (importance, digest) in [
      (nil, expected.plain), (GoldenInputs.importance, expected.weighted),
    ] {
      let bytes = encoder.encoded(
        input, GoldenInputs.rowLength, importance, .best, search: .thorough)
      #expect(bytes.withUnsafeBytes { sha256($0) }.prefix(32) == digest)
    }
  }

  /// Conversions by rows and by the importance's whole rows take the same search.
  @Test(arguments: names)
  func rowKernelsSearchToo(_ name: String) throws {
    let encoder = try #require(BlockType(named: name).flatMap { BlockEncoder($0) })
    let input = Array(try #require(GoldenInputs.all["outliers"]).prefix(2048))
    let expected = encoder.encoded(input, input.count, nil, .best, search: .thorough)
    let kernel = try #require(RowKernel(from: .f32, to: .block(encoder.block), search: .thorough))
    var bytes = [UInt8](repeating: 0, count: expected.count)
    bytes.withUnsafeMutableBytes { bytes in
      input.withUnsafeBytes { _ = kernel($0, into: bytes, elementCount: input.count) }
    }
    #expect(bytes == expected)
    #expect(bytes != encoder.encoded(input, input.count, nil, .best))
  }
}
