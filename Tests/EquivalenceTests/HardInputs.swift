import Quantization
import ReferenceKernels
import TensorTypes

@testable import Equivalence

/// Rows that quantizers find hard: the inputs of `Fixtures/quants/ggml/README.md`.
enum HardInput {
  static let rowCount = 8
  static let rowLength = 1024
  static let names = ["normal", "constant", "tiny", "ties", "outliers"]

  static let importance: [Float] = {
    var state: UInt64 = 7
    return (0..<rowLength).map { _ in Float(1 + next(&state) >> 14) / 1024 }
  }()

  static func values(_ name: String) -> [Float] {
    var state: UInt64 = 42
    return (0..<rowCount * rowLength).map { index in
      let sum = (0..<4).reduce(0) { sum, _ in sum + next(&state) >> 12 }
      let normal = Float(sum - 8190) / 262144
      let (row, column) = index.quotientAndRemainder(dividingBy: rowLength)
      switch name {
      case "constant":
        return switch (row, column / 256) {
        case (0, 1), (2, _): 0
        case (1, 0): 0.0078125
        case (3, _): -0.0078125
        default: normal
        }
      case "tiny": return normal * Float(sign: .plus, exponent: -4 * row, significand: 1)
      case "ties": return (normal * 64).rounded(.toNearestOrEven) / 64
      case "outliers":
        if column % 8 == 3 { return 0 }
        return normal * (column % 97 == 5 ? 32 : 1) * (column % 101 == 7 ? -64 : 1)
      default: return normal
      }
    }
  }

  private static func next(_ state: inout UInt64) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 40)
  }

  /// The blocks that the converter's encoder makes of rows.
  static func encode(
    _ values: [Float], _ encoder: BlockEncoder, _ weights: [Float]?,
    _ search: BlockSearch = .reference
  ) -> [UInt8] {
    let byteCount = values.count / encoder.block.elementCount * encoder.block.byteCount
    var blocks = [UInt8](repeating: 0, count: byteCount)
    blocks.withUnsafeMutableBytes { blocks in
      values.withUnsafeBytes {
        _ = encoder($0, into: blocks, rowLength: rowLength, importance: weights, search: search)
      }
    }
    return blocks
  }

  /// What the law of a type says of blocks.
  static func compare(_ values: [Float], _ blocks: [UInt8], _ type: BlockType) -> Metrics {
    let source = values.map(Double.init)
    let decoded = Cell(.block(type)).values(ofPacked: blocks, elementCount: values.count)
    var metrics = Metrics()
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 16 * values.count, alignment: 64)
    defer { memory.deallocate() }
    let both = memory.bindMemory(to: Double.self, capacity: 2 * values.count)
    both.update(from: source, count: values.count)
    (both + values.count).update(from: decoded, count: values.count)
    let pair = Values(
      source: both, converted: both + values.count, count: values.count, start: 0)
    metrics.add(pair)
    let comparison = BlockComparison(BlockLaw.of(type))
    blocks.withUnsafeBytes { comparison.compare($0.baseAddress!, pair, into: &metrics) }
    return metrics
  }
}
