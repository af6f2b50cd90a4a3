@testable import GraphRewriting
import Quantization
import ReferenceKernels
import TensorTypes

/// A tensor as a list of atoms — elements, or blocks — that are moved one by one, by nothing but
/// the arithmetic of their indices. Views, units and buffers must give the same bytes.
struct NaiveTensor {
  let encoding: Encoding
  /// The lengths of the axes, the last in atoms.
  var axes: [Int]
  var atoms: [ArraySlice<UInt8>]

  var bytes: [UInt8] { Array(atoms.joined()) }
  var shape: Shape {
    guard let last = axes.last else { return [] }
    return Shape(axes.dropLast() + [last * encoding.unitElementCount])
  }

  init(_ bytes: [UInt8], _ type: TensorType) {
    encoding = type.encoding
    axes = type.shape.axes
    if let last = axes.last { axes[axes.count - 1] = last / encoding.unitElementCount }
    let size = encoding.unitByteCount
    atoms = stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<$0 + size] }
  }

  private init(_ encoding: Encoding, _ axes: [Int], _ atom: (_ index: [Int]) -> ArraySlice<UInt8>) {
    self.encoding = encoding
    self.axes = axes
    atoms = []
    for number in 0..<axes.reduce(1, *) {
      var rest = number
      var index = axes
      for axis in axes.indices.reversed() {
        index[axis] = rest % axes[axis]
        rest /= axes[axis]
      }
      atoms.append(atom(index))
    }
  }

  private subscript(index: [Int]) -> ArraySlice<UInt8> {
    atoms[zip(axes, index).reduce(0) { $0 * $1.0 + $1.1 }]
  }

  func permuted(_ order: [Int]) -> NaiveTensor {
    NaiveTensor(encoding, order.map { axes[$0] }) { index in
      var before = index
      for (axis, source) in order.enumerated() { before[source] = index[axis] }
      return self[before]
    }
  }

  func reshaped(_ shape: Shape) -> NaiveTensor {
    NaiveTensor(bytes, TensorType(shape: shape, encoding: encoding))
  }

  func sliced(axis: Int, start: Int, count: Int) -> NaiveTensor {
    let unit = axis == axes.count - 1 ? encoding.unitElementCount : 1
    var lengths = axes
    lengths[axis] = count / unit
    return NaiveTensor(encoding, lengths) { index in
      var before = index
      before[axis] += start / unit
      return self[before]
    }
  }

  func padded(_ shape: Shape) -> NaiveTensor {
    let zero = ArraySlice([UInt8](repeating: 0, count: encoding.unitByteCount))
    return NaiveTensor(encoding, shape.axes) { index in
      zip(index, axes).allSatisfy { $0 < $1 } ? self[index] : zero
    }
  }

  func tiled(_ rows: Int, _ columns: Int) -> NaiveTensor {
    NaiveTensor(encoding, [axes[1] / columns, axes[0] / rows, rows, columns]) { index in
      self[[index[1] * rows + index[2], index[0] * columns + index[3]]]
    }
  }

  static func concatenated(_ parts: [NaiveTensor], axis: Int) -> NaiveTensor {
    var lengths = parts[0].axes
    lengths[axis] = parts.reduce(0) { $0 + $1.axes[axis] }
    return NaiveTensor(parts[0].encoding, lengths) { index in
      var index = index
      for part in parts {
        if index[axis] < part.axes[axis] { return part[index] }
        index[axis] -= part.axes[axis]
      }
      fatalError("the lengths are the sums of the parts'")
    }
  }

  static func stacked(_ parts: [NaiveTensor]) -> NaiveTensor {
    NaiveTensor(parts[0].encoding, [parts.count] + parts[0].axes) { index in
      parts[index[0]][Array(index.dropFirst())]
    }
  }

  /// All elements at once.
  func cast(_ encoding: Encoding) -> NaiveTensor {
    let count = atoms.count * self.encoding.unitElementCount
    var result = [UInt8](repeating: 0, count: encoding.byteCount(elementCount: count)!)
    bytes.withUnsafeBytes { from in
      result.withUnsafeMutableBytes { to in
        _ = RowKernel(from: self.encoding, to: encoding)!(from, into: to, elementCount: count)
      }
    }
    return NaiveTensor(result, TensorType(shape: shape, encoding: encoding))
  }
}

extension WeightGraph {
  /// The values of every node.
  func evaluated(_ sources: [[UInt8]]) -> [NaiveTensor] {
    var values: [NaiveTensor] = []
    let evaluation = Evaluation(self, source: SourceBytes(tensors: sources))
    for (number, node) in nodes.enumerated() {
      let inputs = node.inputs.map { values[$0.index] }
      let value: NaiveTensor =
        switch node.op {
        case .load(let number): NaiveTensor(sources[number], node.type)
        case .literal(let literal):
          NaiveTensor(literal.values.withUnsafeBytes { Array($0) }, node.type)
        case .cast(let encoding): inputs[0].cast(encoding)
        case .permute(let order): inputs[0].permuted(order)
        case .reshape(let shape): inputs[0].reshaped(shape)
        case .slice(let axis, let start, let count):
          inputs[0].sliced(axis: axis, start: start, count: count)
        case .concat(let axis): .concatenated(inputs, axis: axis)
        case .stack: .stacked(inputs)
        case .pad(let shape): inputs[0].padded(shape)
        case .tile(let rows, let columns): inputs[0].tiled(rows, columns)
        case .fill, .dequantize, .quantize, .requantize:
          NaiveTensor(evaluation.bytes(of: NodeID(index: number)), node.type)
        }
      precondition(value.shape == node.type.shape && value.encoding == node.type.encoding)
      values.append(value)
    }
    return values
  }
}

/// The bytes of source tensors for the reference kernels.
private struct SourceBytes: TensorSource {
  let tensors: [[UInt8]]

  func read(
    tensor number: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    buffer.copyBytes(from: tensors[number][offset..<offset + buffer.count])
  }
}

extension Evaluation {
  /// All bytes of a node's tensor.
  fileprivate func bytes(of id: NodeID) -> [UInt8] {
    let type = graph[id].type
    var bytes = [UInt8](repeating: 0, count: type.byteCount!)
    bytes.withUnsafeMutableBytes {
      // The sources are in memory.
      try! evaluate(id, elements: 0..<type.shape.elementCount!, into: $0)
    }
    return bytes
  }
}
