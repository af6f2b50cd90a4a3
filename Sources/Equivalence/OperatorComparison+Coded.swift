import Accelerators
import GraphRewriting
import ReferenceKernels
import TensorTypes

/// A linear layer that is stored as codes, and how its runtime multiplies with them.
struct CodedLayer: Sendable {
  let matrix: CodedMatrix
  let product: CodedProduct
  /// The numbers of tensors that only some products have.
  private var deqScale: Int?
  private var quantBias: Int?
  private var scaleBias: Int?
  /// The source's bias where the product adds it.
  private(set) var bias: NodeID?

  init(matrix: CodedMatrix, product: CodedProduct) {
    self.matrix = matrix
    self.product = product
  }

  /// The ways in which a runtime multiplies with a matrix; several where its processes differ.
  ///
  /// - Parameter bias: the source's; products with fixed activations add it.
  /// - Throws: what reading throws.
  static func all(
    _ matrix: AscendMatrix, bias: NodeID?, of tensors: CheckpointTensors
  ) throws(Failure) -> [CodedLayer] {
    let coded = try CodedMatrix(matrix, of: tensors)
    var layers: [CodedLayer] = []
    switch matrix.type {
    case .w8a8Dynamic: layers.append(CodedLayer(matrix: coded, product: .int8Dynamic))
    case .w8a8: break
    // Prompts are processed with dynamic activations, answers with fixed ones.
    case .w8a8Mix: layers.append(CodedLayer(matrix: coded, product: .int8Dynamic))
    case .float, .c8, .w8a16: layers.append(CodedLayer(matrix: coded, product: .weightOnly))
    case .w4a8Dynamic:
      var layer = CodedLayer(matrix: coded, product: .int4Halves)
      layer.scaleBias = matrix.parts[.scaleBias]
      layers.append(layer)
    case .wfp8afp8Dynamic: layers.append(CodedLayer(matrix: coded, product: .fp8Dynamic))
    case .w8a8MXFP8, .w4a8MXFP:
      layers.append(CodedLayer(matrix: coded, product: .mx(activations: .e4m3)))
    case .w4a4MXFP4:
      layers.append(CodedLayer(matrix: coded, product: .mx(activations: .e2m1)))
    }
    guard matrix.type.isStatic else { return layers }
    let scale = Float(try tensors.number(matrix.parts[.inputScale]) ?? 1)
    let offset = Float(try tensors.number(matrix.parts[.inputOffset]) ?? 0)
    var layer = CodedLayer(
      matrix: coded, product: .int8Static(scale: scale, offset: offset))
    layer.deqScale = matrix.parts[.deqScale]
    layer.quantBias = matrix.parts[.quantBias]
    layer.bias = bias
    return layers + [layer]
  }

  /// A probe as the layer's inputs may be: within the range that fixed scales have.
  func fitting(_ probe: [Double]) -> [Double] {
    guard case .int8Static(let scale, let offset) = product else { return probe }
    let least = Double((-128 - offset) * scale)
    let greatest = Double((127 - offset) * scale)
    // Four is about the largest of some thousand normal numbers.
    return probe.map { min(max($0 / 4 * max(-least, greatest), least), greatest) }
  }

  /// Some rows as they are stored.
  func weight(
    _ rows: [Int], of tensors: CheckpointTensors
  ) throws(Failure) -> CodedProduct.Weight {
    var all = ScaledRows(
      width: matrix.columnCount, groupLength: matrix.scheme.grid.columns ?? matrix.columnCount,
      codes: [], scales: [])
    for row in rows {
      let own = try matrix.rows(row..<row + 1, of: tensors)
      all.codes += own.codes
      all.scales += own.scales
    }
    var weight = CodedProduct.Weight(all)
    if let number = scaleBias {
      let slices = tensors.checkpoint.tensors[number].type.shape.axes[1]
      for row in rows {
        let parts = try tensors.values(of: number, elements: row * slices..<(row + 1) * slices)
        weight.scaleBias.append(Float(parts.reduce(0, +)))
      }
    }
    if let number = deqScale {
      for row in rows {
        let stored = try tensors.values(of: number, elements: row..<row + 1)[0]
        let encoding = tensors.checkpoint.tensors[number].type.encoding
        weight.deqScale.append(Float(CodedMatrix.scale(stored, encoding)))
      }
    }
    if let number = quantBias {
      for row in rows {
        weight.quantBias.append(Int(try tensors.values(of: number, elements: row..<row + 1)[0]))
      }
    }
    return weight
  }
}

extension CheckpointTensors {
  /// The value of a tensor of one element; nil for no tensor.
  fileprivate func number(_ tensor: Int?) throws(Failure) -> Double? {
    guard let tensor else { return nil }
    return try values(of: tensor, elements: 0..<1)[0]
  }
}

extension OperatorComparison {
  /// What the results of a runtime's operator, emulated on the bytes as stored, are off.
  func codedMetrics(
    of pair: Pair, _ layer: CodedLayer, _ rowLimit: Int, _ random: RandomNumbers
  ) throws(Failure) -> OperatorMetrics? {
    let (rowCount, columns) = (layer.matrix.shape.axes[0], layer.matrix.columnCount)
    var random = random
    let probes = Rows(
      width: columns,
      (0..<OperatorComparison.probeCount).flatMap {
        layer.fitting(random.probe(columns, isPositive: $0 % 2 == 1))
      })
    let chosen = random.spread(min(rowCount, rowLimit), below: rowCount)
    let activations = layer.product.activations(probes)
    let weight = try layer.weight(chosen, of: converted)
    let results = layer.product.result(probes, weight)
    let bias = try layer.bias.map { (node) throws(Failure) in
      try evaluation.values(node, elements: 0..<rowCount)
    }
    var stored = weight.rows
    stored.scales = stored.scales.map(layer.product.held)
    let found = Rows(width: columns, stored.values)
    let squares = activations.values.values.map { $0 * $0 }
    let halfStepSquares = activations.halfSteps.values.map { $0 * $0 }
    var sums = OperatorSums()
    var band = SourceBand(layer.matrix.scheme, pair.node)
    var usedRowCount = 0
    for (place, row) in chosen.enumerated() {
      let source = try evaluation.values(
        pair.node, elements: row * columns..<(row + 1) * columns)
      guard source.allSatisfy(\.isMultipliable) else { continue }
      usedRowCount += 1
      let noise = StoredNoise(
        source[...], source: .encoding(.f32), stored: .codes(layer.matrix.scheme),
        peaks: try band.peaks(row, rowCount, columns, evaluation))
      guard let noise else { return nil }
      let stepSquares = noise.steps.map { $0 * $0 }
      // Rounded activations meet weights as they are stored.
      let weightSquares = zip(source, stepSquares).map { $0 * $0 + $1 }
      for probe in 0..<probes.count {
        let range = probe * columns..<(probe + 1) * columns
        let y = inner(source[...], probes[probe]) + (bias?[row] ?? 0)
        let result = results[probe][results.width * probe + place]
        let rounded = activations.values[probe]
        let same = inner(source[...], rounded)
        let shared = layer.product.weightScaleShare * same
        var spread = Spread(
          weight: (inner(stepSquares[...], squares[range]) + shared * shared).squareRoot())
        spread.activation = inner(weightSquares[...], halfStepSquares[range]).squareRoot()
        spread.sharedActivation =
          activations.scaleShare * same.magnitude + OperatorComparison.resultShare
          * result.magnitude
        // Half a step of the bias, which is a whole number.
        if !weight.deqScale.isEmpty {
          spread.sharedActivation += Double(weight.deqScale[place]) / 2
        }
        sums.add(
          row: row, error: result - y,
          weightError: inner(found[place], rounded) - same, result: y, spread: spread)
      }
    }
    return sums.metrics(rowCount: usedRowCount, of: chosen.count)
  }

  /// What rounding a result to BF16 may change, with some roundings to F32 before.
  private static let resultShare = 0x1p-8 + 0x1p-20
}

/// The greatest magnitudes of the source's rows that share scales, band by band.
private struct SourceBand {
  private let scheme: QuantScheme
  private let node: NodeID
  private var current: (number: Int, peaks: [Double])?

  init(_ scheme: QuantScheme, _ node: NodeID) {
    self.scheme = scheme
    self.node = node
  }

  /// Those of the band of a row; nil where rows have scales of their own.
  mutating func peaks(
    _ row: Int, _ rowCount: Int, _ columns: Int, _ evaluation: Evaluation<CheckpointTensors>
  ) throws(Failure) -> [Double]? {
    guard let height = scheme.grid.rows, height > 1 else { return nil }
    let number = row / height
    if let current, current.number == number { return current.peaks }
    let rows = number * height..<min(rowCount, (number + 1) * height)
    let values = try evaluation.values(
      node, elements: rows.lowerBound * columns..<rows.upperBound * columns)
    let peaks = scheme.peaks(values[...], columns)
    current = (number, peaks)
    return peaks
  }
}
