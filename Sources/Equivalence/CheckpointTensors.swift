import ByteIO
import ReferenceKernels
import TensorTypes
import WeightFormats

/// A checkpoint's tensors as an evaluation reads them.
struct CheckpointTensors: TensorSource {
  let checkpoint: Checkpoint

  func read(
    tensor number: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let tensor = checkpoint.tensors[number]
    let file = checkpoint.files[tensor.file]
    do throws(Failure) {
      try file.source.read(at: tensor.offset + offset, into: buffer)
    } catch {
      throw error.located(subject: .tensor(tensor.name))
    }
    guard file.manifest.byteOrder == .big else { return }
    guard case .plain(let dtype) = tensor.type.encoding else {
      throw Failure(
        .badInput, "blocks of big-endian files cannot be compared", file: file.source.name,
        subject: .tensor(tensor.name), expected: "a little-endian file", found: "a big-endian one")
    }
    for start in stride(from: 0, to: buffer.count, by: dtype.byteOrderUnit) {
      buffer[start..<start + dtype.byteOrderUnit].reverse()
    }
  }

  /// The cells of consecutive elements of a tensor.
  func cells(
    of number: Int, elements: Range<Int>, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let cell = Cell(checkpoint.tensors[number].type.encoding)
    let cells = elements.lowerBound / cell.elementCount..<elements.upperBound / cell.elementCount
    try read(tensor: number, cells: cells, of: cell, into: buffer)
  }

  /// The values of consecutive elements of a tensor; they must be whole cells.
  func values(of number: Int, elements: Range<Int>) throws(Failure) -> [Double] {
    let cell = Cell(checkpoint.tensors[number].type.encoding)
    let byteCount = elements.count / cell.elementCount * cell.byteCount
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
    defer { buffer.deallocate() }
    try cells(of: number, elements: elements, into: buffer)
    var values = [Double](repeating: 0, count: elements.count * cell.valuesPerElement)
    values.withUnsafeMutableBufferPointer {
      cell.decode(UnsafeRawBufferPointer(buffer), into: $0)
    }
    return values
  }
}
