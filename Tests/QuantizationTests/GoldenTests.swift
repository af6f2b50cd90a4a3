import TensorTypes
import Testing

@testable import Quantization

/// Every block type gives the reference's bytes and values, on every path that the CPU has.
@Suite struct GoldenTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let block: String
    let input: String
    let isPlain: Bool
    var testDescription: String { "\(block).\(input).\(isPlain ? "plain" : "imatrix")" }

    /// None when the file cannot be read, which `everyTypeIsCovered` notices.
    static let all: [Case] = Golden.keys.map { key in
      let parts = key.split(separator: ".").map(String.init)
      return Case(block: parts[0], input: parts[1], isPlain: parts[2] == "plain")
    }
  }

  @Test(arguments: GoldenInputs.names + ["imatrix"])
  func inputsAreThoseOfTheReference(_ name: String) throws {
    let values = name == "imatrix" ? GoldenInputs.importance : GoldenInputs.all[name]!
    #expect(try values.withUnsafeBytes { sha256($0) } == Golden.input(name))
  }

  @Test func everyTypeIsCovered() throws {
    for encoder in BlockEncoder.all {
      let name = encoder.block.name
      let plain = try Golden.result("\(name).normal.plain")
      let weighted = try #require(try Golden.result("\(name).normal.imatrix"))
      switch encoder.importance {
      case .required: #expect(plain == nil, "\(name)")
      case .optional: #expect(plain != nil && plain!.encoded != weighted.encoded, "\(name)")
      case .ignored: #expect(plain?.encoded == weighted.encoded, "\(name)")
      }
    }
    #expect(BlockEncoder.all.count == 25)
    #expect(Set(Case.all.map(\.block)) == Set(BlockEncoder.all.map(\.block.name)))
  }

  @Test(arguments: Case.all)
  func bytesAndValuesAreThoseOfTheReference(_ item: Case) throws {
    let encoder = try #require(BlockType(named: item.block).flatMap { BlockEncoder($0) })
    let golden = try #require(try Golden.result(item.testDescription))
    let input = try #require(GoldenInputs.all[item.input])
    let importance = item.isPlain ? nil : GoldenInputs.importance
    for kernels in Kernels.available {
      let encoded = encoder.encoded(input, GoldenInputs.rowLength, importance, kernels)
      #expect(encoded.withUnsafeBytes { sha256($0) } == golden.encoded, "\(kernels.name)")
      let decoded = encoder.decoded(encoded, kernels)
      #expect(decoded.withUnsafeBytes { sha256($0) } == golden.decoded, "\(kernels.name)")
    }
  }
}
