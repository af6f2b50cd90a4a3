import GraphRewriting
import Quantization
import TensorTypes
import WeightFormats

extension Piece.Quantization {
  /// What is computed together.
  struct Source: Hashable {
    let matrix: NodeID
    let scheme: QuantScheme
  }

  var source: Source { Source(matrix: matrix, scheme: scheme) }

  var rowCount: Int { shape.axes[0] }
  var columnCount: Int { shape.axes[1] }

  private var quantizer: MatrixQuantizer { MatrixQuantizer(scheme, columnCount: columnCount) }

  /// - Units: bytes of this part in the output.
  var byteCount: Int { part.type(of: shape, scheme)!.byteCount! }  // the graph has checked it

  /// - Units: rows that are decoded at once, so that their values stay in a core's cache.
  var stripRowCount: Int {
    let multiple = scheme.rowMultiple
    return multiple * max(1, (1 << 15) / max(1, columnCount * multiple))
  }

  /// Where some rows stand in the part.
  ///
  /// - Units: bytes.
  func extent(firstRow: Int, rowCount: Int) -> (offset: Int, byteCount: Int) {
    switch part {
    case .codes:
      return (
        quantizer.codeByteCount(rowCount: firstRow), quantizer.codeByteCount(rowCount: rowCount)
      )
    case .scales:
      let height = scheme.grid.rows ?? self.rowCount
      let width = quantizer.scalesAcross * (scheme.rule == .powerOfTwo ? 1 : 4)
      return (firstRow / height * width, (rowCount + height - 1) / height * width)
    case .scaleBias(let slices): return (4 * slices * firstRow, 4 * slices * rowCount)
    case .deqScale(_, let asBits):
      return (firstRow * (asBits ? 8 : 4), rowCount * (asBits ? 8 : 4))
    case .quantBias: return (4 * firstRow, 4 * rowCount)
    }
  }

  /// Slices of a row whose codes are summed; 0 for none.
  var sumSliceCount: Int {
    switch part {
    case .codes, .scales, .deqScale: 0
    case .scaleBias(let slices): slices
    case .quantBias: 1
    }
  }
}

/// Where the small results of quantizing rows lie in one buffer.
struct RowBuffers {
  /// - Units: bytes from the start of the buffer.
  let scales, sums, derived, bias, scratch: Int
  let byteCount: Int

  init(_ quantization: Piece.Quantization, rowCount: Int) {
    let quantizer = MatrixQuantizer(quantization.scheme, columnCount: quantization.columnCount)
    let slices = max(16, quantization.sumSliceCount)
    scales = 0
    sums = 4 * rowCount * quantizer.scalesAcross
    derived = sums + 8 * rowCount * slices
    bias = derived + 8 * rowCount * slices
    scratch = bias + 12 * rowCount
    byteCount = scratch + quantizer.scratchByteCount
  }
}

extension Piece {
  /// Quantizes the rows of one unit, and hands the bytes of each part to `write` with its place in
  /// the part.
  ///
  /// - Parameters:
  ///   - parts: pieces with the matrix and the scheme of this one.
  ///   - rows: the unit's place in the matrix.
  /// - Throws: `inputOutput`, `badInput` when the source cannot be read or not be quantized.
  func quantize(
    _ unit: Unit, into parts: [Piece.Quantization], from checkpoint: Checkpoint,
    _ rows: RowQuantizer, _ buffers: borrowing WorkBuffers,
    _ write: (_ part: Int, _ bytes: UnsafeRawBufferPointer, _ offset: Int) throws(Failure) -> Void
  ) throws(Failure) {
    guard let quantization, case .view(let view) = origin, unit.elementCount > 0 else { return }
    let columns = quantization.columnCount
    let rowCount = unit.elementCount / columns
    let firstRow = unit.start / columns
    let bytes = try read(Reading(unit), view, unit.elementCount, from: checkpoint, buffers)
    let decoder = try StripDecoder(self, checkpoint, buffers)
    let quantizer = MatrixQuantizer(quantization.scheme, columnCount: columns)
    let layout = RowBuffers(quantization, rowCount: rowCount)
    let room = buffers.rows.baseAddress!  // there are rows
    let sums = (room + layout.sums).assumingMemoryBound(to: Int64.self)
    let slices = parts.map(\.sumSliceCount).max() ?? 0
    for start in stride(from: 0, to: rowCount, by: quantization.stripRowCount) {
      let count = min(quantization.stripRowCount, rowCount - start)
      decoder.decode(
        bytes.baseAddress! + (start * columns).bytes(encodings[0]),  // there are elements
        from: unit.offset + start * columns, count: count * columns,
        into: buffers.first.baseAddress!)
      let scales = quantization.scaleExtent(firstRow: start, rowCount: count).offset
      let refusal = quantizer.quantize(
        UnsafePointer(buffers.first.baseAddress!.assumingMemoryBound(to: Float.self)),
        rowCount: count,
        codes: buffers.output.baseAddress! + quantizer.codeByteCount(rowCount: start),
        scales: room + layout.scales + scales,
        sums: slices > 0 ? (sums + start * slices, slices) : nil, scratch: room + layout.scratch)
      if rows.refuses { try rows.accept(refusal?.moved(by: start * columns)) }
    }
    let floats = UnsafePointer((room + layout.scales).assumingMemoryBound(to: Float.self))
    for (number, part) in parts.enumerated() {
      let (offset, count) = part.extent(firstRow: firstRow, rowCount: rowCount)
      let start: UnsafeRawPointer
      switch part.part {
      case .codes: start = UnsafeRawPointer(buffers.output.baseAddress!)
      case .scales: start = UnsafeRawPointer(room + layout.scales)
      default:
        try part.derive(
          firstRow: firstRow, rowCount: rowCount, scales: floats, sums: UnsafePointer(sums),
          bias: room + layout.bias, from: checkpoint, into: room + layout.derived,
          refuses: rows.refuses)
        start = UnsafeRawPointer(room + layout.derived)
      }
      try write(number, UnsafeRawBufferPointer(start: start, count: count), offset)
    }
  }
}

extension Piece.Quantization {
  fileprivate func scaleExtent(firstRow: Int, rowCount: Int) -> (offset: Int, byteCount: Int) {
    Piece.Quantization(scheme: scheme, part: .scales, matrix: matrix, shape: shape, bias: nil)
      .extent(firstRow: firstRow, rowCount: rowCount)
  }

  /// Computes a vector that follows from the scales and the sums of codes.
  ///
  /// - Throws: `badInput` for biases that I32 cannot hold; what reading the bias throws.
  fileprivate func derive(
    firstRow: Int, rowCount: Int, scales: UnsafePointer<Float>, sums: UnsafePointer<Int64>,
    bias: UnsafeMutableRawPointer, from checkpoint: Checkpoint, into room: UnsafeMutableRawPointer,
    refuses: Bool
  ) throws(Failure) {
    switch part {
    case .codes, .scales: break
    case .scaleBias(let slices):
      let values = room.assumingMemoryBound(to: Float.self)
      for row in 0..<rowCount {
        for slice in row * slices..<(row + 1) * slices {
          values[slice] = Float(8 * sums[slice]) * scales[row]
        }
      }
    case .deqScale(let inputScale, let asBits):
      for row in 0..<rowCount {
        let value = inputScale * scales[row]
        if asBits {
          room.assumingMemoryBound(to: Int64.self)[row] = Int64(value.bitPattern)
        } else {
          room.assumingMemoryBound(to: Float.self)[row] = value
        }
      }
    case .quantBias(let inputScale, let inputOffset):
      let biases = try readBias(firstRow, rowCount, checkpoint, bias)
      let values = room.assumingMemoryBound(to: Int32.self)
      for row in 0..<rowCount {
        let shift = Float(sums[row]) * inputOffset
        let value = (biases?[row] ?? 0) / (inputScale * scales[row]) - shift
        guard !refuses || value.magnitude < 0x1p31 else {
          throw Failure(
            .badInput,
            "the calibration is too narrow for the layer; --allow-nonfinite uses it all the same",
            expected: "a quant_bias that I32 holds", found: "\(value) in row \(firstRow + row)")
        }
        values[row] = Int32(saturating: value.rounded(.toNearestOrEven))
      }
    }
  }

  /// The biases of some rows as F32; nil when there are none.
  private func readBias(
    _ firstRow: Int, _ rowCount: Int, _ checkpoint: Checkpoint, _ room: UnsafeMutableRawPointer
  ) throws(Failure) -> UnsafePointer<Float>? {
    guard let bias else { return nil }
    let tensor = checkpoint.tensors[bias]
    let file = checkpoint.files[tensor.file]
    let values = UnsafeMutableRawBufferPointer(start: room, count: 4 * rowCount)
    let stored = UnsafeMutableRawBufferPointer(
      start: room + 4 * rowCount, count: rowCount.bytes(tensor.type.encoding))
    guard let kernel = RowKernel(from: tensor.type.encoding, to: .f32) else {
      throw Failure(
        .defect, "there is no conversion", expected: "F32", found: "\(tensor.type.encoding)")
    }
    try file.source.read(at: tensor.offset + firstRow.bytes(tensor.type.encoding), into: stored)
    if file.manifest.byteOrder == .big { stored.swapByteOrder(of: tensor.type.encoding) }
    kernel(UnsafeRawBufferPointer(stored), into: values, elementCount: rowCount)
    return UnsafePointer(room.assumingMemoryBound(to: Float.self))
  }
}

extension Int32 {
  /// The nearest value; 0 for NaN.
  fileprivate init(saturating value: Float) {
    if value.isNaN {
      self = 0
    } else {
      self = value >= 0x1p31 ? .max : value < -0x1p31 ? .min : Int32(value)
    }
  }
}
