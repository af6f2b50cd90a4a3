import TensorTypes

/// One operation on tensors. Each has one result, whose type follows from the op and the types of
/// its inputs.
public enum Op: Sendable, Hashable {
  /// The source tensor of this number.
  case load(Int)
  /// Values that no source tensor holds.
  case literal(Literal)
  /// The same values in another encoding, rounded or quantized where it cannot hold them.
  case cast(Encoding)
  /// Axis `i` of the result is axis `order[i]` of the input.
  case permute([Int])
  /// The same elements in row-major order under another shape.
  case reshape(Shape)
  /// `count` positions of one axis from `start` on.
  case slice(axis: Int, start: Int, count: Int)
  /// The inputs one after another along an axis.
  case concat(axis: Int)
  /// The inputs one after another along a new first axis.
  case stack
  /// Zeros behind the elements of each axis, up to this shape.
  case pad(Shape)
  /// A matrix of whole tiles as `[columns of tiles, rows of tiles, rows, columns]`: one column of
  /// tiles after another, each tile row-major.
  case tile(rows: Int, columns: Int)
  /// One F32 value everywhere.
  case fill(Float, Shape)
  /// Codes times the scales of their rectangles, in F32: inputs are the codes, a matrix, and the
  /// scales in row-major order.
  case dequantize(ScaleGrid)
  /// One of the tensors that quantizing a matrix gives. The parts of one matrix belong together and
  /// are computed together; the bias is a second input of `quantBias`, if there is one.
  case quantize(QuantScheme, QuantPart)
  /// `quantize` of what `dequantize` gives: inputs are those of `dequantize`, and the bias.
  case requantize(ScaleGrid, QuantScheme, QuantPart)

  /// The op without its parameters, for patterns and for finding rules.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case load, literal, cast, permute, reshape, slice, concat, stack
    case pad, tile, fill, dequantize, quantize, requantize
  }

  public var kind: Kind {
    switch self {
    case .load: .load
    case .literal: .literal
    case .cast: .cast
    case .permute: .permute
    case .reshape: .reshape
    case .slice: .slice
    case .concat: .concat
    case .stack: .stack
    case .pad: .pad
    case .tile: .tile
    case .fill: .fill
    case .dequantize: .dequantize
    case .quantize: .quantize
    case .requantize: .requantize
    }
  }
}

/// A small constant tensor of F32 values.
public struct Literal: Sendable, Hashable {
  /// Where the values come from, for people: `llama3 RoPE factors`.
  public let name: String
  public let values: [Float]

  public init(name: String, values: [Float]) {
    self.name = name
    self.values = values
  }
}

extension Op: CustomStringConvertible {
  public var description: String {
    switch self {
    case .load(let number): "load #\(number)"
    case .literal(let literal): "literal \(literal.name)"
    case .cast(let encoding): "cast \(encoding)"
    case .permute(let order): "permute \(Shape(order))"
    case .reshape(let shape): "reshape \(shape)"
    case .slice(let axis, let start, let count):
      "slice axis \(axis) from \(start) to \(start + count)"
    case .concat(let axis): "concat axis \(axis)"
    case .stack: "stack"
    case .pad(let shape): "pad to \(shape)"
    case .tile(let rows, let columns): "tile by \(rows)×\(columns)"
    case .fill(let value, let shape): "fill \(shape) with \(value)"
    case .dequantize(let grid): "dequantize by \(grid)"
    case .quantize(let scheme, let part): "quantize \(scheme), \(part)"
    case .requantize(let grid, let scheme, let part):
      "requantize from \(grid) to \(scheme), \(part)"
    }
  }
}
