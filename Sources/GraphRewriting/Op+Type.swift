import TensorTypes

extension Op {
  /// The type of the result.
  ///
  /// - Throws: `badInput` when the inputs do not fit the op.
  func resultType(of inputs: [TensorType], sources: [TensorType]) throws(Failure) -> TensorType {
    switch self {
    case .load(let number):
      try require(
        inputs.isEmpty && sources.indices.contains(number), "a known source tensor", inputs)
      return sources[number]
    case .literal(let literal):
      try require(inputs.isEmpty, "no input", inputs)
      return TensorType(shape: [literal.values.count], encoding: .f32)
    case .cast(let encoding):
      try require(inputs.count == 1, "one input", inputs)
      let type = inputs[0].with(encoding: encoding)
      try require(
        type.byteCount != nil, "rows of a multiple of \(encoding.unitElementCount) elements", inputs
      )
      return type
    case .permute(let order):
      try require(inputs.count == 1, "one input", inputs)
      let axes = inputs[0].shape.axes
      try require(
        order.sorted() == Array(axes.indices), "\(order.count) axes", inputs)
      try require(
        inputs[0].encoding.unitElementCount == 1
          || order.last == axes.count - 1 && inputs[0].hasWholeRows,
        "elements of whole bytes, or whole rows that stay along the last axis", inputs)
      return inputs[0].with(shape: Shape(order.map { axes[$0] }))
    case .reshape(let shape):
      try require(inputs.count == 1, "one input", inputs)
      try require(
        shape.elementCount != nil && shape.elementCount == inputs[0].shape.elementCount,
        "the elements of \(shape)", inputs)
      try require(
        inputs[0].encoding.isPlain || shape.rowLength == inputs[0].shape.rowLength,
        "rows of the same length", inputs)
      return inputs[0].with(shape: shape)
    case .slice(let axis, let start, let count):
      try require(inputs.count == 1, "one input", inputs)
      var axes = inputs[0].shape.axes
      try require(
        axes.indices.contains(axis) && start >= 0 && count >= 0 && count <= axes[axis] - start,
        "\(count) positions of axis \(axis) from \(start) on", inputs)
      axes[axis] = count
      let type = inputs[0].with(shape: Shape(axes))
      let unit = axis == axes.count - 1 ? type.encoding.unitElementCount : 1
      try require(
        start % unit == 0 && type.hasWholeRows && inputs[0].hasWholeRows,
        "slices of whole blocks or bytes", inputs)
      return type
    case .concat(let axis):
      try require(!inputs.isEmpty, "at least one input", inputs)
      var axes = inputs[0].shape.axes
      try require(axes.indices.contains(axis), "axis \(axis)", inputs)
      try require(
        axis == 0 || inputs.allSatisfy(\.hasWholeRows), "rows of whole blocks or bytes", inputs)
      for input in inputs.dropFirst() {
        var other = input.shape.axes
        try require(
          input.encoding == inputs[0].encoding && other.count == axes.count, "equal types", inputs)
        let (sum, overflow) = axes[axis].addingReportingOverflow(other[axis])
        other[axis] = axes[axis]
        try require(!overflow && other == axes, "axes that are equal but for \(axis)", inputs)
        axes[axis] = sum
      }
      return inputs[0].with(shape: Shape(axes))
    case .stack:
      try require(
        !inputs.isEmpty && inputs.allSatisfy { $0 == inputs[0] }, "inputs of one type", inputs)
      return inputs[0].with(shape: Shape([inputs.count] + inputs[0].shape.axes))
    case .pad(let shape):
      try require(inputs.count == 1, "one input", inputs)
      let axes = inputs[0].shape.axes
      try require(
        axes.count == shape.rank && zip(axes, shape.axes).allSatisfy { $0 <= $1 }
          && shape.elementCount != nil,
        "no more elements than \(shape) has", inputs)
      try require(inputs[0].encoding.hasZeroBytes, "elements of whole bytes with a zero", inputs)
      return inputs[0].with(shape: shape)
    case .tile(let rows, let columns):
      try require(inputs.count == 1, "one input", inputs)
      let axes = inputs[0].shape.axes
      try require(
        axes.count == 2 && rows > 0 && columns > 0 && axes[0] % rows == 0
          && axes[1] % columns == 0, "a matrix of whole tiles", inputs)
      try require(inputs[0].encoding.hasZeroBytes, "elements of whole bytes", inputs)
      return inputs[0].with(shape: [axes[1] / columns, axes[0] / rows, rows, columns])
    case .fill(_, let shape):
      try require(inputs.isEmpty && shape.elementCount != nil, "no input", inputs)
      return TensorType(shape: shape, encoding: .f32)
    case .dequantize(let grid):
      try require(inputs.count == 2, "codes and scales", inputs)
      guard let (down, across) = grid.counts(of: inputs[0].shape) else {
        throw misfit("a matrix of codes", inputs)
      }
      let (count, overflow) = down.multipliedReportingOverflow(by: across)
      try require(
        !overflow && inputs[1].shape.elementCount == count, "scales of shape [\(down), \(across)]",
        inputs)
      return TensorType(shape: inputs[0].shape, encoding: .f32)
    case .requantize(let grid, let scheme, let part):
      try require(inputs.count >= 2, "codes and scales", inputs)
      let values = try Op.dequantize(grid).resultType(of: Array(inputs[..<2]), sources: sources)
      return try Op.quantize(scheme, part).resultType(
        of: [values] + inputs[2...], sources: sources)
    case .quantize(let scheme, let part):
      let takesBias = if case .quantBias = part { inputs.count == 2 } else { false }
      try require(inputs.count == 1 || takesBias, "a matrix", inputs)
      guard let type = part.type(of: inputs[0].shape, scheme), type.byteCount != nil else {
        throw misfit("a matrix that \(scheme) divides", inputs)
      }
      try require(
        !takesBias || inputs[1].shape.axes == [inputs[0].shape.axes[0]], "a bias for each row",
        inputs)
      return type
    }
  }

  private func require(
    _ condition: Bool, _ expected: String, _ inputs: [TensorType]
  ) throws(Failure) {
    if !condition { throw misfit(expected, inputs) }
  }

  private func misfit(_ expected: String, _ inputs: [TensorType]) -> Failure {
    let shown = inputs.prefix(4).map(\.description).joined(separator: ", ")
    return Failure(
      .badInput, "the shapes do not fit '\(kind.rawValue)'", expected: expected,
      found: inputs.count > 4 ? "\(shown) and \(inputs.count - 4) more" : shown)
  }
}

extension TensorType {
  /// Whether every row begins and ends with a whole block or byte.
  fileprivate var hasWholeRows: Bool { shape.rowLength % encoding.unitElementCount == 0 }
}

extension Encoding {
  /// Whether elements are whole bytes, and zeros are bytes of zero.
  fileprivate var hasZeroBytes: Bool {
    guard case .plain(let dtype) = self, unitElementCount == 1 else { return false }
    return dtype.kind != .exponent
  }

  var isPlain: Bool { if case .plain = self { true } else { false } }
}
