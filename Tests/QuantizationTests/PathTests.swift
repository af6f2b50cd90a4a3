import TensorTypes
import Testing

@testable import Quantization

/// Every path gives the bytes and values of the portable one, also for data and row lengths that fill
/// no whole vector, and none of them minds values that are not finite.
@Suite struct PathTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let block: String
    let data: Data
    var testDescription: String { "\(block), \(data)" }

    static let all: [Case] = BlockEncoder.all.flatMap { encoder in
      Data.allCases.map { Case(block: encoder.block.name, data: $0) }
    }
  }

  enum Data: CaseIterable, Sendable {
    case noise, fewValues, sparse, manyScales, tiny, notFinite

    func value(_ generator: inout Generator) -> Float {
      let uniform = Float(generator.next() - 1 << 23) / 0x1p23
      let choice = generator.next() >> 8
      switch self {
      case .noise: return uniform
      case .fewValues: return Float(choice % 5 - 2) / 2
      case .sparse: return choice % 16 == 0 ? uniform : choice % 2 == 0 ? 0 : -0.0
      case .manyScales: return uniform * Float(sign: .plus, exponent: -choice % 24, significand: 1)
      case .tiny: return uniform * 0x1p-60
      case .notFinite: return choice % 9 == 0 ? .nan : choice % 9 == 1 ? -.infinity : uniform
      }
    }
  }

  @Test(arguments: Case.all)
  func pathsAgree(_ item: Case) throws {
    let encoder = try #require(BlockType(named: item.block).flatMap { BlockEncoder($0) })
    let seed: UInt64 = 20
    var generator = Generator(state: seed)
    // One block more than a power of two, in an odd number of rows.
    let rowLength = encoder.rowMultiple * (encoder.rowMultiple < 256 ? 17 : 3)
    let values = (0..<3 * rowLength).map { _ in item.data.value(&generator) }
    let weights = (0..<rowLength).map { _ in Float(generator.next()) / 0x1p24 }
    for importance in [nil, weights] where importance != nil || encoder.importance != .required {
      let results = Kernels.available.map { kernels in
        let bytes = encoder.encoded(values, rowLength, importance, kernels)
        return (kernels.name, bytes, encoder.decoded(bytes, kernels))
      }
      guard item.data != .notFinite else { continue }
      for (name, bytes, decoded) in results.dropFirst() {
        #expect(bytes == results[0].1, "\(name), seed \(seed), \(importance != nil)")
        #expect(decoded.map(\.bitPattern) == results[0].2.map(\.bitPattern), "\(name)")
      }
    }
  }
}

extension BlockEncoder {
  func encoded(
    _ values: [Float], _ rowLength: Int, _ importance: [Float]?, _ kernels: Kernels,
    search: BlockSearch = .reference
  ) -> [UInt8] {
    let byteCount = values.count / rowMultiple * block.byteCount
    return [UInt8](unsafeUninitializedCapacity: byteCount) { bytes, count in
      values.withUnsafeBytes {
        encode(
          $0, into: UnsafeMutableRawBufferPointer(bytes), rowLength: rowLength,
          importance: importance, search: search, on: kernels)
      }
      count = byteCount
    }
  }

  func decoded(_ bytes: [UInt8], _ kernels: Kernels) -> [Float] {
    let elementCount = bytes.count / block.byteCount * block.elementCount
    return [Float](unsafeUninitializedCapacity: elementCount) { values, count in
      bytes.withUnsafeBytes {
        // There is at least one block.
        decoder.run(
          kernels, $0.baseAddress!, UnsafeMutableRawPointer(values.baseAddress!), elementCount)
      }
      count = elementCount
    }
  }
}
