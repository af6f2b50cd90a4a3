import TensorTypes
import WeightFormats

/// The memory of one worker: source bytes, two buffers for rearranged and half-converted elements,
/// output bytes, those on their way to the disk, the scales of one source tensor, what
/// quantizing rows takes, and tiles.
struct WorkBuffers: ~Copyable {
  /// How large each buffer must be for any unit of a plan.
  struct Sizes: Hashable {
    var source = 0
    var middle = 0
    var output = 0
    var scales = 0
    var rows = 0
    var tiles = 0

    /// What is written may be what was read.
    var staging: Int { max(source, output, tiles) }

    /// - Units: bytes of all buffers.
    var byteCount: Int { source + 2 * middle + output + staging + scales + rows + tiles }

    init(_ tensors: [[Piece]], of checkpoint: Checkpoint, unitElementLimit: Int) {
      for pieces in tensors {
        for piece in pieces { add(piece, checkpoint, unitElementLimit) }
      }
    }

    private mutating func add(_ piece: Piece, _ checkpoint: Checkpoint, _ limit: Int) {
      guard let first = piece.encodings.first, let last = piece.encodings.last else { return }
      if let number = piece.scales?.source {
        let tensor = checkpoint.tensors[number]
        // As they are stored, and as F32.
        scales = max(scales, 4 * (tensor.type.shape.elementCount ?? 0) + tensor.byteCount)
      }
      var elements = piece.elementCount
      if case .fill = piece.origin { elements = min(elements, limit) }
      // The last encoding has the output buffer.
      var between = piece.encodings.dropFirst().dropLast()
      if case .view(let view) = piece.origin {
        elements = piece.tiling(view, limit: limit).greatestUnit
        if let bands = piece.bands {
          let rowCount = (elements + bands.rowLength - 1) / max(1, bands.rowLength)
          let stored = piece.storedEncoding
          tiles = max(tiles, bands.elementCount(rowCount: rowCount).bytes(stored))
        }
        if let quantization = piece.quantization {
          return add(quantization, elementCount: elements, from: first)
        }
        if piece.scales != nil {
          between = piece.encodings.dropFirst()
        } else if !view.isSourceOrder {
          // Elements are rearranged as they are read, or blocks as they are decoded.
          let least = piece.decodesBeforeMoving ? 2 : 1
          between = piece.encodings.prefix(max(least, between.count + 1))
        }
      }
      source = max(source, elements.bytes(first))
      middle = max(middle, between.map { elements.bytes($0) }.max() ?? 0)
      output = max(output, elements.bytes(last))
    }

    private mutating func add(
      _ quantization: Piece.Quantization, elementCount: Int, from encoding: Encoding
    ) {
      source = max(source, elementCount.bytes(encoding))
      middle = max(middle, 4 * quantization.stripRowCount * quantization.columnCount)
      output = max(output, elementCount)
      let rowCount = elementCount / max(1, quantization.columnCount)
      rows = max(rows, RowBuffers(quantization, rowCount: rowCount).byteCount)
    }
  }

  let source: UnsafeMutableRawBufferPointer
  let first: UnsafeMutableRawBufferPointer
  let second: UnsafeMutableRawBufferPointer
  let output: UnsafeMutableRawBufferPointer
  let staging: UnsafeMutableRawBufferPointer
  let scales: ScaleBuffer
  let rows: UnsafeMutableRawBufferPointer
  let tiles: UnsafeMutableRawBufferPointer

  init(_ sizes: Sizes) {
    source = .allocate(byteCount: sizes.source, alignment: 64)
    first = .allocate(byteCount: sizes.middle, alignment: 64)
    second = .allocate(byteCount: sizes.middle, alignment: 64)
    output = .allocate(byteCount: sizes.output, alignment: 64)
    staging = .allocate(byteCount: sizes.staging, alignment: 4096)
    scales = ScaleBuffer(byteCount: sizes.scales)
    rows = .allocate(byteCount: sizes.rows, alignment: 64)
    tiles = .allocate(byteCount: sizes.tiles, alignment: 64)
  }

  deinit {
    source.deallocate()
    first.deallocate()
    second.deallocate()
    output.deallocate()
    staging.deallocate()
    rows.deallocate()
    tiles.deallocate()
  }
}

extension Piece {
  /// How the walk over the piece's elements is cut.
  func tiling(_ view: View, limit: Int) -> Tiling {
    // Units begin at whole blocks of every encoding on the way.
    var multiple = encodings.map(\.unitElementCount).reduce(
      wholeRowLength ?? 1, leastCommonMultiple)
    if let quantization {
      multiple = max(1, quantization.columnCount * quantization.rowMultiple)
    } else if let bands {
      multiple = leastCommonMultiple(multiple, max(1, bands.rowLength * bands.width))
    }
    // The runs in which a transposed tensor is read are as short as its units are narrow. Rows are
    // quantized strip by strip, so that more of them at once take little more memory.
    return Tiling(
      view, limit: view.keepsRows ? (quantization == nil ? limit : 4 * limit) : 16 * limit,
      sourceMultiple: encodings[0].unitElementCount, multiple: multiple)
  }

  /// Whether the elements move one by one but are stored in blocks.
  ///
  /// Blocks move only as whole rows.
  var decodesBeforeMoving: Bool {
    guard case .view(let view) = origin, encodings[0].unitElementCount > 1 else { return false }
    return !view.keepsRows
  }
}

extension View {
  /// Whether the last axis of the walk is contiguous in the source.
  var keepsRows: Bool { (simplified().strides.last ?? 1) == 1 }

  /// Whether the walk goes through the source from front to back.
  var isSourceOrder: Bool {
    let view = simplified()
    return zip(view.strides, view.strides.dropFirst()).allSatisfy { $0 >= $1 }
      && (view.strides.last ?? 1) == 1
  }
}

extension Int {
  /// - Units: bytes of so many elements, rounded up to whole blocks.
  func bytes(_ encoding: Encoding) -> Int {
    (self + encoding.unitElementCount - 1) / encoding.unitElementCount * encoding.unitByteCount
  }
}
