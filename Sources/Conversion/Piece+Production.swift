import ByteIO
import Quantization
import TensorTypes
import WeightFormats

extension Piece {
  func unitCount(limit: Int) -> Int {
    switch origin {
    case .literal: 1
    case .view(let view): Tiling(view, limit: limit, multiple: unitMultiple).unitCount
    }
  }

  func unit(_ number: Int, limit: Int) -> Unit {
    switch origin {
    case .literal(let values):
      Unit(lengths: [values.count], strides: [1], offset: 0, start: 0)
    case .view(let view):
      Tiling(view, limit: limit, multiple: unitMultiple).unit(number)
    }
  }

  /// The output bytes of one unit, in one of the buffers.
  ///
  /// - Throws: `inputOutput`, `badInput` when the source cannot be read.
  func produce(
    _ unit: Unit, from checkpoint: Checkpoint, _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> UnsafeRawBufferPointer {
    let count = unit.elementCount
    switch origin {
    case .literal(let values):
      values.withUnsafeBytes { buffers.source.copyMemory(from: $0) }
      return try convert(buffers.source, count, encodings[...], buffers)
    case .view(let view):
      let tensor = checkpoint.tensors[view.source]
      let reading = Reading(unit)
      let bytes = UnsafeMutableRawBufferPointer(
        rebasing: buffers.source[..<count.bytes(encodings[0])])
      let file = checkpoint.files[tensor.file]
      try reading.perform(
        from: file.source, at: tensor.offset, encoding: encodings[0], into: bytes)
      if file.manifest.byteOrder == .big { bytes.swapByteOrder(of: encodings[0]) }
      if reading.isOutputOrder { return try convert(bytes, count, encodings[...], buffers) }
      return try rearrangeAndConvert(bytes, unit, reading, buffers)
    }
  }

  /// Brings elements that were read in the source's order into the output's, and converts them.
  private func rearrangeAndConvert(
    _ bytes: UnsafeMutableRawBufferPointer, _ unit: Unit, _ reading: Reading,
    _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> UnsafeRawBufferPointer {
    var encodings = self.encodings[...]
    var elements = bytes
    let count = unit.elementCount
    // Blocks move only as whole rows; their elements are decoded before they move one by one.
    if encodings[encodings.startIndex].unitElementCount > 1, !reading.keepsRows {
      let decoded = encodings[encodings.startIndex + 1]
      elements = UnsafeMutableRawBufferPointer(rebasing: buffers.first[..<count.bytes(decoded)])
      try kernel(encodings[encodings.startIndex], decoded)(
        UnsafeRawBufferPointer(bytes), into: elements, elementCount: count)
      encodings = encodings.dropFirst()
    }
    let first = encodings[encodings.startIndex]
    let gathered = UnsafeMutableRawBufferPointer(rebasing: buffers.second[..<count.bytes(first)])
    reading.gather(UnsafeRawBufferPointer(elements), into: gathered, encoding: first)
    return try convert(gathered, count, encodings, buffers)
  }

  /// Takes elements through the rest of the encodings.
  private func convert(
    _ bytes: UnsafeMutableRawBufferPointer, _ count: Int, _ encodings: ArraySlice<Encoding>,
    _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> UnsafeRawBufferPointer {
    // There is at least one encoding.
    var current = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count.bytes(encodings.first!)])
    var index = encodings.startIndex + 1
    while index < encodings.endIndex {
      let isLast = index == encodings.endIndex - 1
      let isFirstFree = current.baseAddress != buffers.first.baseAddress
      let room = isLast ? buffers.output : isFirstFree ? buffers.first : buffers.second
      let next = UnsafeMutableRawBufferPointer(rebasing: room[..<count.bytes(encodings[index])])
      try kernel(encodings[index - 1], encodings[index])(
        UnsafeRawBufferPointer(current), into: next, elementCount: count)
      current = next
      index += 1
    }
    return UnsafeRawBufferPointer(current)
  }

  private func kernel(_ from: Encoding, _ to: Encoding) throws(Failure) -> RowKernel {
    guard let kernel = RowKernel(from: from, to: to) else {
      throw Failure(.defect, "there is no conversion", expected: "\(to)", found: "\(from)")
    }
    return kernel
  }
}

/// How the elements of a unit are read: in the order of the source, in runs as long as they go.
private struct Reading {
  /// The unit's axes by descending stride, with the strides that they have once read.
  private struct Axis {
    let length: Int
    /// In the source.
    let stride: Int
    /// In the bytes read.
    var localStride = 0
  }

  /// In the order of the output.
  private let axes: [Axis]
  private let outer: [Axis]
  private let runLength: Int
  private let offset: Int

  init(_ unit: Unit) {
    let numbered = zip(unit.lengths, unit.strides).map { Axis(length: $0, stride: $1) }
    let order = numbered.indices.sorted { numbered[$0].stride > numbered[$1].stride }
    var axes = numbered
    var local = 1
    for index in order.reversed() {
      axes[index].localStride = local
      local *= axes[index].length
    }
    self.axes = axes
    var run = 1
    var sorted = order.map { axes[$0] }
    while let last = sorted.last, last.stride == run {
      run *= last.length
      sorted.removeLast()
    }
    outer = sorted
    runLength = run
    offset = unit.offset
  }

  /// Whether the bytes read are already in the order of the output.
  var isOutputOrder: Bool {
    zip(axes, axes.dropFirst()).allSatisfy { $0.localStride >= $1.localStride }
  }

  /// Whether the last axis of the output is contiguous in the source.
  var keepsRows: Bool { axes.last.map { $0.stride == 1 } ?? true }

  func perform(
    from source: any ByteSource, at start: Int, encoding: Encoding,
    into bytes: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let runByteCount = runLength.bytes(encoding)
    var position = 0
    var indices = [Int](repeating: 0, count: outer.count)
    while position < bytes.count {
      var element = offset
      for (axis, index) in zip(outer, indices) { element += index * axis.stride }
      try source.read(
        at: start + element.bytes(encoding),
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[position..<position + runByteCount]))
      position += runByteCount
      var axis = outer.count - 1
      while axis >= 0 {
        indices[axis] += 1
        if indices[axis] < outer[axis].length { break }
        indices[axis] = 0
        axis -= 1
      }
    }
  }

  /// Copies the elements from the order in which they were read into that of the output.
  func gather(
    _ source: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer,
    encoding: Encoding
  ) {
    guard let last = axes.last else { return output.copyMemory(from: source) }
    if last.localStride == 1 {
      let rowByteCount = last.length.bytes(encoding)
      walk(axes.dropLast()) { row, element in
        output.baseAddress!.advanced(by: row * rowByteCount).copyMemory(  // rows are not empty
          from: source.baseAddress! + element.bytes(encoding), byteCount: rowByteCount)
      }
      return
    }
    switch encoding.unitByteCount {
    case 1: scatter(source, output, as: UInt8.self)
    case 2: scatter(source, output, as: UInt16.self)
    case 4: scatter(source, output, as: UInt32.self)
    default: scatter(source, output, as: UInt64.self)
    }
  }

  /// Transposes in squares that fit the cache.
  private func scatter<T: BitwiseCopyable>(
    _ source: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer, as type: T.Type
  ) {
    let from = source.assumingMemoryBound(to: T.self)
    let to = output.assumingMemoryBound(to: T.self)
    guard axes.count >= 2 else {
      for index in 0..<axes[0].length { to[index] = from[index * axes[0].localStride] }
      return
    }
    let rows = axes[axes.count - 2]
    let columns = axes[axes.count - 1]
    let square = 32
    walk(axes.dropLast(2)) { plane, element in
      let base = plane * rows.length * columns.length
      for top in stride(from: 0, to: rows.length, by: square) {
        for left in stride(from: 0, to: columns.length, by: square) {
          for row in top..<min(top + square, rows.length) {
            for column in left..<min(left + square, columns.length) {
              to[base + row * columns.length + column] =
                from[element + row * rows.localStride + column * columns.localStride]
            }
          }
        }
      }
    }
  }

  /// Calls `body` for each position of the axes, with its number and its place in the bytes read.
  private func walk(_ axes: ArraySlice<Axis>, _ body: (_ number: Int, _ element: Int) -> Void) {
    let axes = Array(axes)
    let total = axes.reduce(1) { $0 * $1.length }
    for number in 0..<total {
      var rest = number
      var element = 0
      for axis in axes.reversed() {
        element += rest % axis.length * axis.localStride
        rest /= axis.length
      }
      body(number, element)
    }
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Turns the bytes of each number around.
  fileprivate func swapByteOrder(of encoding: Encoding) {
    guard case .plain(let dtype) = encoding else { return }
    switch dtype.byteOrderUnit {
    case 2: swapAll(UInt16.self)
    case 4: swapAll(UInt32.self)
    case 8: swapAll(UInt64.self)
    default: break
    }
  }

  private func swapAll<T: FixedWidthInteger>(_ type: T.Type) {
    for offset in stride(from: 0, to: count, by: MemoryLayout<T>.size) {
      storeBytes(
        of: loadUnaligned(fromByteOffset: offset, as: T.self).byteSwapped, toByteOffset: offset,
        as: T.self)
    }
  }
}
