import GraphRewriting
import TensorTypes

/// Where an evaluation finds the tensors that a graph loads.
public protocol TensorSource: Sendable {
  /// Fills `buffer` with bytes of the tensor that `load` calls `number`, little-endian.
  ///
  /// - Parameter offset: in bytes from the tensor's first.
  func read(
    tensor number: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure)
}

/// Computes parts of the tensors of a graph, op by op, by the definition of each op.
///
/// Asking for part of a result asks for the parts of the inputs that it consists of, down to reads
/// of the sources, so that memory follows the part and not the tensor.
public struct Evaluation<Source: TensorSource>: Sendable {
  public let graph: WeightGraph
  public let source: Source

  public init(_ graph: WeightGraph, source: Source) {
    self.graph = graph
    self.source = source
  }

  /// The cells of consecutive elements of a node's tensor, in row-major order.
  ///
  /// - Parameters:
  ///   - elements: whole cells.
  ///   - cells: room for exactly these.
  /// - Throws: what the source throws; `defect` for a cast to blocks, which needs an encoder.
  public func evaluate(
    _ id: NodeID, elements: Range<Int>, into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let cell = Cell(graph[id].type.encoding)
    let range =
      elements.lowerBound / cell.elementCount..<elements.upperBound / cell.elementCount
    guard !range.isEmpty else { return }
    try evaluate(id, range, into: cells)
  }

  /// The values of consecutive elements of a node's tensor.
  public func values(_ id: NodeID, elements: Range<Int>) throws(Failure) -> [Double] {
    let cell = Cell(graph[id].type.encoding)
    let count = elements.count / cell.elementCount * cell.byteCount
    return try withTemporaryBytes(count) { (cells) throws(Failure) in
      try evaluate(id, elements: elements, into: cells)
      let valueCount = elements.count * cell.valuesPerElement
      return [Double](unsafeUninitializedCapacity: valueCount) { values, count in
        count = valueCount
        cell.decode(
          UnsafeRawBufferPointer(cells),
          into: UnsafeMutableBufferPointer(rebasing: values[..<count]))
      }
    }
  }

  /// The values of consecutive elements of a node's tensor, rounded to F32.
  func floats(_ id: NodeID, elements: Range<Int>) throws(Failure) -> [Float] {
    guard graph[id].type.encoding == .f32 else {
      return try values(id, elements: elements).map { Float($0) }
    }
    return try withTemporaryBytes(4 * elements.count) { (cells) throws(Failure) in
      try evaluate(id, elements: elements, into: cells)
      return [Float](unsafeUninitializedCapacity: elements.count) { floats, count in
        count = elements.count
        UnsafeMutableRawBufferPointer(floats).copyMemory(from: UnsafeRawBufferPointer(cells))
      }
    }
  }

  private func evaluate(
    _ id: NodeID, _ range: Range<Int>, into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let type = graph[id].type
    let cell = Cell(type.encoding)
    var done = 0
    for box in Box.covering(range, of: cell.axes(of: type.shape)) {
      let byteCount = box.count * cell.byteCount
      try evaluate(id, box, into: cells.part(done, byteCount))
      done += byteCount
    }
  }

  /// The cells of a part of a node's tensor, in row-major order.
  func evaluate(
    _ id: NodeID, _ box: Box, into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    guard box.count > 0 else { return }
    let node = graph[id]
    let cell = Cell(node.type.encoding)
    switch node.op {
    case .load(let number):
      var done = 0
      try box.forEachRun(of: cell.axes(of: node.type.shape)) { (start, count) throws(Failure) in
        let part = cells.part(done, count * cell.byteCount)
        try source.read(tensor: number, cells: start..<start + count, of: cell, into: part)
        done += part.count
      }
    case .literal(let literal):
      let range = box.ranges[0]
      literal.values.withUnsafeBytes {
        cells.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: $0[4 * range.lowerBound..<4 * range.upperBound]))
      }
    case .cast(let encoding):
      try evaluateCast(node.inputs[0], to: encoding, box, into: cells)
    case .permute(let order):
      try evaluatePermutation(node.inputs[0], order, box, into: cells)
    case .reshape:
      var done = 0
      try box.forEachRun(of: cell.axes(of: node.type.shape)) { (start, count) throws(Failure) in
        let part = cells.part(done, count * cell.byteCount)
        try evaluate(node.inputs[0], start..<start + count, into: part)
        done += part.count
      }
    case .slice(let axis, let start, _):
      var inner = box
      let isLast = axis == box.ranges.count - 1
      let first = isLast ? start / cell.elementCount : start
      let range = box.ranges[axis]
      inner.ranges[axis] = range.lowerBound + first..<range.upperBound + first
      try evaluate(node.inputs[0], inner, into: cells)
    case .concat(let axis):
      try evaluateConcatenation(node.inputs, axis, box, into: cells)
    case .stack:
      let inner = Box(ranges: Array(box.ranges.dropFirst()))
      let byteCount = inner.count * cell.byteCount
      for (position, part) in box.ranges[0].enumerated() {
        try evaluate(node.inputs[part], inner, into: cells.part(position * byteCount, byteCount))
      }
    case .pad: try evaluatePadding(node.inputs[0], box, into: cells)
    case .tile(let rows, let columns):
      try evaluateTiles(node.inputs[0], rows, columns, box, into: cells)
    case .fill(let value, _):
      for index in 0..<box.count {
        cells.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
      }
    case .dequantize(let grid):
      try evaluateDequantization(node, grid, box, into: cells)
    case .requantize(let grid, let scheme, let part):
      // By its definition.
      var longer = graph
      let values = try longer.add(.dequantize(grid), Array(node.inputs[..<2]))
      let same = try longer.add(.quantize(scheme, part), [values] + node.inputs[2...])
      try Evaluation(longer, source: source).evaluate(same, box, into: cells)
    case .quantize(let scheme, let part):
      try evaluateQuantization(node, scheme, part, box, into: cells)
    }
  }

  /// Decodes and rounds; whole blocks of the input around the box are decoded.
  private func evaluateCast(
    _ input: NodeID, to encoding: Encoding, _ box: Box, into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let from = Cell(graph[input].type.encoding)
    guard from.encoding != encoding else { return try evaluate(input, box, into: cells) }
    guard case .plain(let dtype) = encoding, from.valuesPerElement == 1 else {
      throw Failure(
        .defect, "the evaluation has no encoder", expected: "a cast to a plain dtype",
        found: "a cast from \(from.encoding) to \(encoding)")
    }
    var inner = box
    var columns = 0..<1
    if let last = box.ranges.last {
      let size = from.elementCount
      inner.ranges[box.ranges.count - 1] =
        last.lowerBound / size..<(last.upperBound + size - 1) / size
      columns = last.lowerBound % size..<last.lowerBound % size + last.count
    }
    let rowLength = (inner.ranges.last?.count ?? 1) * from.elementCount
    let rowCount = inner.count * from.elementCount / rowLength
    let to = Cell(encoding)
    try withTemporaryBytes(inner.count * from.byteCount) { (source) throws(Failure) in
      try evaluate(input, inner, into: source)
      let rowBytes = source.count / rowCount
      var values = [Double](repeating: 0, count: rowLength)
      for row in 0..<rowCount {
        values.withUnsafeMutableBufferPointer {
          from.decode(UnsafeRawBufferPointer(source.part(row * rowBytes, rowBytes)), into: $0)
        }
        let byteCount = columns.count * to.byteCount
        try encode(values[columns], as: dtype, into: cells.part(row * byteCount, byteCount))
      }
    }
  }

  private func evaluatePermutation(
    _ input: NodeID, _ order: [Int], _ box: Box, into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let cell = Cell(graph[input].type.encoding)
    var inner = box
    for (axis, source) in order.enumerated() { inner.ranges[source] = box.ranges[axis] }
    var innerStrides = [Int](repeating: 1, count: order.count)
    for axis in stride(from: order.count - 2, through: 0, by: -1) {
      innerStrides[axis] = innerStrides[axis + 1] * inner.ranges[axis + 1].count
    }
    let strides = order.map { innerStrides[$0] }
    try withTemporaryBytes(cells.count) { (source) throws(Failure) in
      try evaluate(input, inner, into: source)
      let from = UnsafeRawBufferPointer(source)
      switch cell.byteCount {
      case 1: gather(UInt8.self, from, strides, box.lengths, into: cells)
      case 2: gather(UInt16.self, from, strides, box.lengths, into: cells)
      case 4: gather(UInt32.self, from, strides, box.lengths, into: cells)
      case 8: gather(UInt64.self, from, strides, box.lengths, into: cells)
      default:
        // Blocks stay along the last axis.
        gatherRows(from, strides, box.lengths, cellByteCount: cell.byteCount, into: cells)
      }
    }
  }

  private func evaluateConcatenation(
    _ inputs: [NodeID], _ axis: Int, _ box: Box, into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let cell = Cell(graph[inputs[0]].type.encoding)
    let outerCount = box.ranges[..<axis].reduce(1) { $0 * $1.count }
    let innerBytes = box.ranges[(axis + 1)...].reduce(cell.byteCount) { $0 * $1.count }
    let wanted = box.ranges[axis]
    var position = 0
    for input in inputs {
      let length = cell.axes(of: graph[input].type.shape)[axis]
      let own = wanted.clamped(to: position..<position + length)
      defer { position += length }
      guard !own.isEmpty else { continue }
      var inner = box
      inner.ranges[axis] = own.lowerBound - position..<own.upperBound - position
      let partBytes = own.count * innerBytes
      try withTemporaryBytes(outerCount * partBytes) { (part) throws(Failure) in
        try evaluate(input, inner, into: part)
        for outer in 0..<outerCount {
          let start = (outer * wanted.count + own.lowerBound - wanted.lowerBound) * innerBytes
          cells.part(start, partBytes).copyMemory(
            from: UnsafeRawBufferPointer(part.part(outer * partBytes, partBytes)))
        }
      }
    }
  }
}

extension TensorSource {
  /// Some consecutive cells of a tensor.
  public func read(
    tensor number: Int, cells: Range<Int>, of cell: Cell,
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let bytes = cell.packedBytes(cells)
    guard cell.packedBitCount % 8 != 0 else {
      return try read(tensor: number, at: bytes.lowerBound, into: buffer)
    }
    try withTemporaryBytes(bytes.count) { (packed) throws(Failure) in
      try read(tensor: number, at: bytes.lowerBound, into: packed)
      cell.unpack(UnsafeRawBufferPointer(packed), cells, into: buffer)
    }
  }
}

extension Cell {
  /// A tensor's axes counted in cells.
  func axes(of shape: Shape) -> [Int] {
    guard elementCount > 1, let last = shape.axes.last else { return shape.axes }
    return shape.axes.dropLast() + [last / elementCount]
  }
}

/// Rounds values to a dtype.
///
/// - Throws: `defect` for a dtype that the evaluation cannot round to.
private func encode(
  _ values: ArraySlice<Double>, as dtype: DType, into bytes: UnsafeMutableRawBufferPointer
) throws(Failure) {
  for (index, value) in values.enumerated() {
    switch dtype {
    case .f64: bytes.storeBytes(of: value, toByteOffset: 8 * index, as: Double.self)
    case .f32:
      let rounded = Float(FloatFormat.f32.rounding(value))  // exact: a value of F32
      bytes.storeBytes(of: rounded, toByteOffset: 4 * index, as: Float.self)
    case .bf16:
      let rounded = Float(FloatFormat.bf16.rounding(value))  // exact: a value of BF16
      let bits = UInt16(rounded.bitPattern >> 16)
      bytes.storeBytes(of: bits, toByteOffset: 2 * index, as: UInt16.self)
    case .f16:
      let bits = halfBits(FloatFormat.f16.rounding(value))
      bytes.storeBytes(of: bits, toByteOffset: 2 * index, as: UInt16.self)
    default:
      throw Failure(
        .defect, "the evaluation has no rounding to this dtype", expected: "F16, BF16, F32 or F64",
        found: dtype.name)
    }
  }
}

/// The F16 with this value.
///
/// - Precondition: there is one.
private func halfBits(_ value: Double) -> UInt16 {
  let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
  if value.isNaN { return sign | 0x7E00 }
  // The numbers of the values are their bits: 0, the subnormal ones, the normal ones, infinity.
  return sign | UInt16(FloatFormat.f16.ordinal(value.magnitude))
}

/// Copies elements from where strides say they are to one after another.
private func gather<Element>(
  _: Element.Type, _ from: UnsafeRawBufferPointer, _ strides: [Int], _ lengths: [Int],
  into to: UnsafeMutableRawBufferPointer
) {
  let size = MemoryLayout<Element>.size
  let last = lengths.count - 1
  var written = 0
  forEachRow(strides, lengths) { start in
    var position = start
    for _ in 0..<lengths[last] {
      let element = from.loadUnaligned(fromByteOffset: position * size, as: Element.self)
      to.storeBytes(of: element, toByteOffset: written * size, as: Element.self)
      position += strides[last]
      written += 1
    }
  }
}

/// Copies rows of cells whose last axis keeps its place.
private func gatherRows(
  _ from: UnsafeRawBufferPointer, _ strides: [Int], _ lengths: [Int], cellByteCount: Int,
  into to: UnsafeMutableRawBufferPointer
) {
  let rowBytes = lengths[lengths.count - 1] * cellByteCount
  var written = 0
  forEachRow(strides, lengths) { start in
    let bytes = from[start * cellByteCount..<start * cellByteCount + rowBytes]
    to.part(written, rowBytes).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes))
    written += rowBytes
  }
}

/// Where each row begins, walking all axes but the last.
func forEachRow(_ strides: [Int], _ lengths: [Int], _ body: (_ start: Int) -> Void) {
  let outer = lengths.dropLast()
  var position = [Int](repeating: 0, count: outer.count)
  var start = 0
  for _ in 0..<outer.reduce(1, *) {
    body(start)
    for axis in outer.indices.reversed() {
      position[axis] += 1
      start += strides[axis]
      if position[axis] < lengths[axis] { break }
      start -= strides[axis] * position[axis]
      position[axis] = 0
    }
  }
}

extension UnsafeMutableRawBufferPointer {
  /// `count` bytes from `start` on.
  func part(_ start: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: self[start..<start + count])
  }
}

/// Room for so many bytes while `body` runs.
func withTemporaryBytes<Result>(
  _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
) throws(Failure) -> Result {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
  defer { buffer.deallocate() }
  return try body(buffer)
}
