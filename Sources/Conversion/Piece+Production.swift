import ByteIO
import Quantization
import TensorTypes
import WeightFormats

extension Piece {
  func unitCount(limit: Int) -> Int {
    switch origin {
    case .literal: 1
    case .view(let view): tiling(view, limit: limit).unitCount
    case .fill(_, let count): (count + limit - 1) / limit
    }
  }

  func unit(_ number: Int, limit: Int) -> Unit {
    switch origin {
    case .literal(let values):
      Unit(lengths: [values.count], strides: [1], offset: 0, start: 0)
    case .view(let view):
      tiling(view, limit: limit).unit(number)
    case .fill(_, let count):
      Unit(
        lengths: [min(limit, count - number * limit)], strides: [1], offset: 0,
        start: number * limit)
    }
  }

  /// The output bytes of one unit, in one of the buffers.
  ///
  /// - Parameter rows: how rows become blocks, from the unit's first on.
  /// - Throws: `inputOutput`, `badInput` when the source cannot be read or not be quantized.
  func produce(
    _ unit: Unit, from checkpoint: Checkpoint, _ rows: RowQuantizer,
    _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> UnsafeRawBufferPointer {
    let count = unit.elementCount
    switch origin {
    case .literal(let values):
      values.withUnsafeBytes { buffers.source.copyMemory(from: $0) }
      return try convert(buffers.source, count, encodings[...], rows, buffers)
    case .fill(let value, _):
      let bytes = UnsafeMutableRawBufferPointer(rebasing: buffers.source[..<count.bytes(.f32)])
      bytes.bindMemory(to: Float.self).update(repeating: value)
      return try convert(bytes, count, encodings[...], rows, buffers)
    case .view(let view):
      let reading = Reading(unit)
      let bytes = try read(reading, view, count, from: checkpoint, buffers)
      if scales != nil {
        return try scaleAndConvert(bytes, unit, reading, checkpoint, rows, buffers)
      }
      if reading.isOutputOrder { return try convert(bytes, count, encodings[...], rows, buffers) }
      return try rearrangeAndConvert(bytes, unit, reading, rows, buffers)
    }
  }

  /// The elements of a unit as they stand in the source.
  func read(
    _ reading: Reading, _ view: View, _ count: Int, from checkpoint: Checkpoint,
    _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> UnsafeMutableRawBufferPointer {
    let tensor = checkpoint.tensors[view.source]
    let bytes = UnsafeMutableRawBufferPointer(
      rebasing: buffers.source[..<count.bytes(encodings[0])])
    let file = checkpoint.files[tensor.file]
    try reading.perform(from: file.source, at: tensor.offset, encoding: encodings[0], into: bytes)
    if file.manifest.byteOrder == .big { bytes.swapByteOrder(of: encodings[0]) }
    return bytes
  }

  /// Multiplies codes with their scales, brings the values into the output's order and converts
  /// them.
  private func scaleAndConvert(
    _ bytes: UnsafeMutableRawBufferPointer, _ unit: Unit, _ reading: Reading,
    _ checkpoint: Checkpoint, _ rows: RowQuantizer, _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> UnsafeRawBufferPointer {
    let count = unit.elementCount
    var values = UnsafeMutableRawBufferPointer(rebasing: buffers.first[..<count.bytes(.f32)])
    let decoder = try StripDecoder(self, checkpoint, buffers)
    var done = 0
    if count > 0 {
      try reading.forEachRun { (element, length) throws(Failure) in
        decoder.decode(
          bytes.baseAddress! + done, from: element, count: length,  // there are elements
          into: values.baseAddress! + 4 * done)
        done += length
      }
    }
    if !reading.isOutputOrder {
      let gathered = UnsafeMutableRawBufferPointer(rebasing: buffers.second[..<count.bytes(.f32)])
      reading.gather(UnsafeRawBufferPointer(values), into: gathered, encoding: .f32)
      values = gathered
    }
    return try convert(values, count, encodings.dropFirst(), rows, buffers)
  }

  /// Brings elements that were read in the source's order into the output's, and converts them.
  private func rearrangeAndConvert(
    _ bytes: UnsafeMutableRawBufferPointer, _ unit: Unit, _ reading: Reading,
    _ rows: RowQuantizer, _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> UnsafeRawBufferPointer {
    var encodings = self.encodings[...]
    var elements = bytes
    let count = unit.elementCount
    if decodesBeforeMoving {
      let decoded = encodings[encodings.startIndex + 1]
      elements = UnsafeMutableRawBufferPointer(rebasing: buffers.first[..<count.bytes(decoded)])
      try kernel(encodings[encodings.startIndex], decoded, rows.search)(
        UnsafeRawBufferPointer(bytes), into: elements, elementCount: count)
      encodings = encodings.dropFirst()
    }
    let first = encodings[encodings.startIndex]
    let gathered = UnsafeMutableRawBufferPointer(rebasing: buffers.second[..<count.bytes(first)])
    reading.gather(UnsafeRawBufferPointer(elements), into: gathered, encoding: first)
    return try convert(gathered, count, encodings, rows, buffers)
  }

  /// Takes elements through the rest of the encodings.
  private func convert(
    _ bytes: UnsafeMutableRawBufferPointer, _ count: Int, _ encodings: ArraySlice<Encoding>,
    _ rows: RowQuantizer, _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> UnsafeRawBufferPointer {
    // There is at least one encoding.
    var current = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count.bytes(encodings.first!)])
    var index = encodings.startIndex + 1
    while index < encodings.endIndex {
      let isLast = index == encodings.endIndex - 1
      let isFirstFree = current.baseAddress != buffers.first.baseAddress
      let room = isLast ? buffers.output : isFirstFree ? buffers.first : buffers.second
      let next = UnsafeMutableRawBufferPointer(rebasing: room[..<count.bytes(encodings[index])])
      if isLast, wholeRowLength != nil {
        try rows.encode(UnsafeRawBufferPointer(current), into: next)
      } else {
        let kernel = try kernel(encodings[index - 1], encodings[index], rows.search)
        try rows.accept(
          kernel(
            UnsafeRawBufferPointer(current), into: next, elementCount: count,
            refuses: rows.refuses))
      }
      current = next
      index += 1
    }
    return UnsafeRawBufferPointer(current)
  }

  func kernel(
    _ from: Encoding, _ to: Encoding, _ search: BlockSearch = .reference
  ) throws(Failure) -> RowKernel {
    guard let kernel = RowKernel(from: from, to: to, search: search) else {
      throw Failure(.defect, "there is no conversion", expected: "\(to)", found: "\(from)")
    }
    return kernel
  }
}
