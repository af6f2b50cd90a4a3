import GraphRewriting
import TensorTypes

extension WeightGraph {
  /// The pieces, one after another, whose elements make up a node's tensor.
  ///
  /// - Throws: `defect` for a graph that is not in canonical form.
  func pieces(of id: NodeID) throws(Failure) -> [Piece] {
    let node = self[id]
    let found = try assembled(node)
    // A lone piece is walked further by the axes of the node.
    guard found.count == 1, found[0].quantization == nil, found[0].bands == nil,
      case .view(let view) = found[0].origin
    else { return found }
    return [found[0].with(view.reshaped(node.type.shape))]
  }

  private func assembled(_ node: Node) throws(Failure) -> [Piece] {
    switch node.op {
    case .load(let source):
      let view = View(source: source, shape: node.type.shape)
      return [Piece(origin: .view(view), encodings: [node.type.encoding])]
    case .literal(let literal):
      return [Piece(origin: .literal(literal.values), encodings: [.f32])]
    case .cast(let encoding):
      let inner = try pieces(of: node.inputs[0])
      // A block never holds elements of two pieces.
      guard
        inner.allSatisfy({
          $0.quantization == nil && $0.elementCount % encoding.unitElementCount == 0
        })
      else { throw unplanned(node) }
      return inner.map { $0.converted(to: encoding) }
    case .pad: throw unplanned(node)
    case .tile(_, let columns): return [try tiled(node, columns)]
    case .fill(let value, let shape):
      // The graph has checked the shape.
      return [Piece(origin: .fill(value, count: shape.elementCount!), encodings: [.f32])]
    case .dequantize(let grid):
      return [try dequantized(node, grid)]
    case .quantize(let scheme, let part):
      let inner = try pieces(of: node.inputs[0])
      guard inner.count == 1 else { throw unplanned(node) }
      return [try quantized(node, inner[0], scheme, part, bias: node.inputs.dropFirst().first)]
    case .requantize(let grid, let scheme, let part):
      let values = try dequantized(node, grid)
      return [try quantized(node, values, scheme, part, bias: node.inputs.dropFirst(2).first)]
    case .stack:
      return try joined(node.inputs)
    case .concat(let axis):
      guard axis == 0 else { throw unplanned(node) }
      return try joined(node.inputs)
    case .reshape:
      return try pieces(of: node.inputs[0])
    case .permute(let order):
      let inner = try pieces(of: node.inputs[0])
      guard inner.count == 1 else { throw unplanned(node) }
      return [try rearranged(inner[0], node) { $0.permuted(order) }]
    case .slice(let axis, let start, let count):
      let inner = try pieces(of: node.inputs[0])
      guard inner.allSatisfy({ $0.bands == nil }) else { throw unplanned(node) }
      if inner.count == 1 {
        return [
          try rearranged(inner[0], node) { $0.sliced(axis: axis, start: start, count: count) }
        ]
      }
      guard axis == 0 else { throw unplanned(node) }
      let row = self[node.inputs[0]].type.shape.axes.dropFirst().reduce(1, *)
      return try cut(inner, from: start * row, count: count * row, node)
    }
  }

  /// The values of a matrix of codes, in the order of the source.
  private func dequantized(_ node: Node, _ grid: ScaleGrid) throws(Failure) -> Piece {
    guard case .load(let codes) = self[node.inputs[0]].op,
      case .load(let scales) = self[node.inputs[1]].op
    else { throw unplanned(node) }
    let shape = self[node.inputs[0]].type.shape
    return Piece(
      origin: .view(View(source: codes, shape: shape)),
      scales: Piece.Scales(source: scales, grid: grid, shape: shape),
      encodings: [self[node.inputs[0]].type.encoding, .f32])
  }

  /// One part of quantizing a matrix that lies in one run of the source.
  ///
  /// - Parameter values: what the first input of the node stands for.
  private func quantized(
    _ node: Node, _ values: Piece, _ scheme: QuantScheme, _ part: QuantPart, bias: NodeID?
  ) throws(Failure) -> Piece {
    guard values.quantization == nil, values.bands == nil, case .view(let view) = values.origin,
      values.encodings.count <= 2, view.simplified().strides.allSatisfy({ $0 == 1 })
    else { throw unplanned(node) }
    var source: Int?
    if let bias {
      guard case .load(let number) = self[bias].op else { throw unplanned(node) }
      source = number
    }
    let matrix = values.encodings.last == .f32 ? values : values.converted(to: .f32)
    return Piece(
      origin: matrix.origin, scales: matrix.scales, encodings: matrix.encodings,
      quantization: Piece.Quantization(
        scheme: scheme, part: part, matrix: node.inputs[0],
        shape: self[node.inputs[0]].type.shape, bias: source))
  }

  /// The transpose of a matrix of whole rows in tiles, `columns` wide.
  private func tiled(_ node: Node, _ columns: Int) throws(Failure) -> Piece {
    let turned = self[node.inputs[0]]
    guard case .permute([1, 0]) = turned.op else { throw unplanned(node) }
    var matrix = turned.inputs[0]
    if case .pad = self[matrix].op { matrix = self[matrix].inputs[0] }
    let inner = try pieces(of: matrix)
    let shape = self[matrix].type.shape
    guard inner.count == 1, inner[0].bands == nil, case .view(let view) = inner[0].origin,
      view.simplified().strides.allSatisfy({ $0 == 1 }),
      inner[0].storedEncoding == node.type.encoding
    else { throw unplanned(node) }
    return inner[0].inBands(
      Bands(
        rowCount: shape.axes[0], rowLength: shape.axes[1], width: columns,
        height: turned.type.shape.axes[0]))
  }

  private func joined(_ inputs: [NodeID]) throws(Failure) -> [Piece] {
    var all: [Piece] = []
    for input in inputs { all += try pieces(of: input) }
    return all
  }

  private func rearranged(
    _ piece: Piece, _ node: Node, _ change: (View) -> View?
  ) throws(Failure) -> Piece {
    guard piece.quantization == nil, piece.bands == nil, case .view(let view) = piece.origin,
      let changed = change(view), changed.keepsWhole(piece.encodings[0].unitElementCount)
    else { throw unplanned(node) }
    return piece.with(changed)
  }

  /// The pieces between two elements; they must begin and end there.
  private func cut(
    _ pieces: [Piece], from start: Int, count: Int, _ node: Node
  ) throws(Failure) -> [Piece] {
    var position = 0
    var chosen: [Piece] = []
    for piece in pieces {
      let end = position + piece.elementCount
      if position >= start, end <= start + count {
        chosen.append(piece)
      } else if end > start, position < start + count {
        throw unplanned(node)
      }
      position = end
    }
    return chosen
  }

  private func unplanned(_ node: Node) -> Failure {
    Failure(
      .defect, "the planner has no way to compute '\(node.op)'",
      expected: "casts of joined views of sources", found: "\(node.type)")
  }
}
