import GraphRewriting
import TensorTypes

/// A graph of random ops over random sources, with the bytes of the sources.
struct RandomGraph {
  private(set) var graph: WeightGraph
  private(set) var sources: [[UInt8]] = []
  private var random: SplitMix64
  private let hasTiles: Bool

  /// - Parameter hasTiles: whether tensors are padded and tiled, which not every plan can hold.
  init(seed: UInt64, hasTiles: Bool = false) throws {
    self.hasTiles = hasTiles
    var random = SplitMix64(seed: seed)
    var types: [TensorType] = []
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let encoding: Encoding = [.f32, .f16, .bf16, .q8_0, .plain(.i8)].randomElement(
        using: &random)!
      var axes = (0..<Int.random(in: 0...4, using: &random)).map { _ in
        [0, 1, 2, 3, 4, 5, 6, 8].randomElement(using: &random)!
      }
      if encoding == .q8_0 { axes.append(32 * Int.random(in: 1...3, using: &random)) }
      if encoding != .q8_0, Bool.random(using: &random) { axes.append(32) }
      types.append(TensorType(shape: Shape(axes), encoding: encoding))
    }
    sources = types.map { RandomGraph.bytes(of: $0, &random) }
    graph = WeightGraph(sources: types)
    self.random = random
    var pool: [NodeID] = []
    for number in types.indices { pool.append(try graph.add(.load(number))) }
    pool.append(try graph.add(.literal(Literal(name: "values", values: [1, 2.5, -3, 0.1]))))
    for _ in 0..<12 {
      // Mostly go on from the newest, so that chains get long.
      let node =
        Bool.random(using: &self.random) ? pool.last! : pool.randomElement(using: &self.random)!
      if let next = step(node, pool) { pool.append(next) }
    }
    graph.outputs = pool.suffix(6).enumerated().map {
      WeightGraph.Output(name: ByteString("t\($0.offset)"), node: $0.element)
    }
  }

  /// Another node; nil when the op that was drawn does not fit.
  private mutating func step(_ x: NodeID, _ pool: [NodeID]) -> NodeID? {
    let axes = graph[x].type.shape.axes
    let op: Op
    var inputs = [x]
    switch Int.random(in: 0..<(hasTiles ? 9 : 7), using: &random) {
    case 0 where graph[x].type.encoding != .plain(.i8):
      op = .cast([.f32, .f16, .bf16, .q8_0].randomElement(using: &random)!)
    case 1, 2:
      op = .permute(axes.indices.shuffled(using: &random))
    case 3:
      op = .reshape(reshaping(axes))
    case 4 where !axes.isEmpty:
      let axis = axes.indices.randomElement(using: &random)!
      let unit = axis == axes.count - 1 ? graph[x].type.encoding.unitElementCount : 1
      let start = Int.random(in: 0...axes[axis] / unit, using: &random) * unit
      let count = Int.random(in: 0...(axes[axis] - start) / unit, using: &random) * unit
      op = .slice(axis: axis, start: start, count: count)
    case 7:
      op = .pad(Shape(axes.map { $0 + Int.random(in: 0...1, using: &random) }))
    case 8 where axes.count == 2:
      let divisors = axes.map { length in (1...4).filter { length % $0 == 0 } }
      // 1 divides every length.
      op = .tile(
        rows: divisors[0].randomElement(using: &random)!,
        columns: divisors[1].randomElement(using: &random)!)
    case 5:
      op = .stack
      inputs += pool.filter { graph[$0].type == graph[x].type && $0 != x }.prefix(2)
    default:
      op = .concat(axis: 0)
      inputs += pool.filter {
        let type = graph[$0].type
        return type.encoding == graph[x].type.encoding && type.shape.rank == axes.count
          && type.shape.axes.dropFirst() == axes.dropFirst()
      }.prefix(2)
    }
    return try? graph.add(op, inputs)
  }

  /// Another shape with as many elements.
  private mutating func reshaping(_ axes: [Int]) -> Shape {
    var rest = axes.reduce(1, *)
    guard rest > 0 else { return Shape(axes.shuffled(using: &random)) }
    var result: [Int] = []
    for divisor in [2, 32, 3, 5, 2] where rest % divisor == 0 && Bool.random(using: &random) {
      result.append(divisor)
      rest /= divisor
    }
    result.append(rest)
    return Shape(Bool.random(using: &random) ? result : result.reversed())
  }

  /// Finite values, small enough that most casts keep them finite.
  private static func bytes(of type: TensorType, _ random: inout SplitMix64) -> [UInt8] {
    var bytes: [UInt8] = []
    let unit = type.encoding.unitElementCount
    for _ in 0..<type.shape.elementCount! / unit {
      let value = Float.random(in: -4...4, using: &random)
      switch type.encoding {
      case .f32: withUnsafeBytes(of: value) { bytes += $0 }
      case .f16: withUnsafeBytes(of: UInt16.random(in: 0...0x7BFF, using: &random)) { bytes += $0 }
      case .bf16: withUnsafeBytes(of: UInt16(value.bitPattern >> 16)) { bytes += $0 }
      case .q8_0:
        withUnsafeBytes(of: UInt16.random(in: 0...0x3C00, using: &random)) { bytes += $0 }
        bytes += (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
      default: bytes.append(UInt8.random(in: 0...255, using: &random))
      }
    }
    return bytes
  }
}
