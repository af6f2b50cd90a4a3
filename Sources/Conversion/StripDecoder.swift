import Quantization
import TensorTypes
import WeightFormats

/// Reads the elements of a piece's source as F32, multiplied with their scales where it has some.
struct StripDecoder {
  private let kernel: RowKernel?
  private let scaled: (rows: ScaledRows, scales: UnsafePointer<Float>)?
  private let encoding: Encoding

  /// - Precondition: the piece's second encoding is F32, or its only one.
  init(
    _ piece: Piece, _ checkpoint: Checkpoint, _ buffers: borrowing WorkBuffers
  ) throws(Failure) {
    encoding = piece.encodings[0]
    if let scales = piece.scales {
      kernel = nil
      scaled = (
        ScaledRows(scales.grid, shape: scales.shape),
        try buffers.scales.values(of: scales.source, in: checkpoint)
      )
    } else {
      kernel = try piece.kernel(piece.encodings[0], .f32)
      scaled = nil
    }
  }

  /// Decodes `count` elements.
  ///
  /// - Parameter start: the number of the first one in the source tensor.
  func decode(
    _ bytes: UnsafeRawPointer, from start: Int, count: Int, into values: UnsafeMutableRawPointer
  ) {
    if let (rows, scales) = scaled {
      rows.decode(
        bytes.assumingMemoryBound(to: UInt8.self), from: start, count: count, scales: scales,
        into: values.assumingMemoryBound(to: Float.self))
    } else {
      kernel?(
        UnsafeRawBufferPointer(start: bytes, count: count.bytes(encoding)),
        into: UnsafeMutableRawBufferPointer(start: values, count: 4 * count), elementCount: count)
    }
  }
}

/// The scales of one source tensor as F32: those that were asked for last.
final class ScaleBuffer {
  private let memory: UnsafeMutableRawBufferPointer
  private var source: Int?

  /// - Parameter byteCount: room for the scales as they are stored and as F32.
  init(byteCount: Int) {
    memory = .allocate(byteCount: byteCount, alignment: 64)
  }

  deinit { memory.deallocate() }

  /// All scales of a source tensor.
  func values(of number: Int, in checkpoint: Checkpoint) throws(Failure) -> UnsafePointer<Float> {
    let tensor = checkpoint.tensors[number]
    let count = tensor.type.shape.elementCount ?? 0
    let values = UnsafeMutableRawBufferPointer(rebasing: memory[..<(4 * count)])
    // The memory is allocated.
    let pointer = UnsafePointer(values.baseAddress!.assumingMemoryBound(to: Float.self))
    if source == number { return pointer }
    source = nil
    let stored = UnsafeMutableRawBufferPointer(
      rebasing: memory[(4 * count)..<(4 * count + tensor.byteCount)])
    let file = checkpoint.files[tensor.file]
    try file.source.read(at: tensor.offset, into: stored)
    if file.manifest.byteOrder == .big { stored.swapByteOrder(of: tensor.type.encoding) }
    guard let kernel = RowKernel(from: tensor.type.encoding, to: .f32) else {
      throw Failure(
        .defect, "there is no conversion", expected: "F32", found: "\(tensor.type.encoding)")
    }
    kernel(UnsafeRawBufferPointer(stored), into: values, elementCount: count)
    source = number
    return pointer
  }
}
