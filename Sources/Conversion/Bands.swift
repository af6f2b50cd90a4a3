import TensorTypes

/// How the rows of a matrix become its transpose in tiles: the rows of a band make one column of
/// tiles, whose elements are contiguous.
public struct Bands: Sendable, Hashable {
  /// Of the matrix.
  public let rowCount: Int
  /// Of the matrix.
  public let rowLength: Int
  /// Rows of a band: the columns of a tile.
  public let width: Int
  /// Rows of the transpose, those of zeros included.
  public let height: Int

  /// The place of the first element of a band.
  ///
  /// - Units: elements.
  func offset(ofRow row: Int) -> Int { row / width * width * height }

  /// The elements that so many rows from the first of a band on become, zeros included.
  func elementCount(rowCount: Int) -> Int { (rowCount + width - 1) / width * width * height }

  /// Transposes some rows band by band.
  ///
  /// - Parameters:
  ///   - rows: from the first of a band on.
  ///   - size: bytes of an element: 1, 2, 4 or 8.
  ///   - tiles: room for exactly what they become.
  func arrange(
    _ rows: UnsafeRawBufferPointer, size: Int, into tiles: UnsafeMutableRawBufferPointer
  ) {
    switch size {
    case 1: arrange(rows, into: tiles, as: UInt8.self)
    case 2: arrange(rows, into: tiles, as: UInt16.self)
    case 4: arrange(rows, into: tiles, as: UInt32.self)
    default: arrange(rows, into: tiles, as: UInt64.self)
    }
  }

  private func arrange<T: FixedWidthInteger>(
    _ rows: UnsafeRawBufferPointer, into tiles: UnsafeMutableRawBufferPointer, as type: T.Type
  ) {
    let from = rows.assumingMemoryBound(to: T.self)
    let to = tiles.bindMemory(to: T.self)
    guard rowLength > 0 else { return to.update(repeating: 0) }
    let count = from.count / rowLength
    for first in stride(from: 0, to: count, by: width) {
      let band = to.baseAddress! + offset(ofRow: first)  // there are rows
      let filled = min(width, count - first)
      for column in 0..<rowLength {
        let line = band + column * width
        for row in 0..<filled { line[row] = from[(first + row) * rowLength + column] }
        for row in filled..<width { line[row] = 0 }
      }
      (band + rowLength * width).update(repeating: 0, count: (height - rowLength) * width)
    }
  }
}

extension Piece {
  /// The bytes of whole rows as they stand in the output, and where they stand in the piece.
  ///
  /// - Parameters:
  ///   - start: the place of the first byte, if rows stayed where they are.
  /// - Units: bytes.
  func arranged(
    _ bytes: UnsafeRawBufferPointer, at start: Int, _ buffers: borrowing WorkBuffers
  ) -> (bytes: UnsafeRawBufferPointer, offset: Int) {
    guard let bands, bands.rowLength > 0 else { return (bytes, start) }
    let size = storedEncoding.unitByteCount
    let rowByteCount = bands.rowLength * size
    let count = bands.elementCount(rowCount: bytes.count / rowByteCount)
    let tiles = UnsafeMutableRawBufferPointer(rebasing: buffers.tiles[..<(count * size)])
    bands.arrange(bytes, size: size, into: tiles)
    return (UnsafeRawBufferPointer(tiles), bands.offset(ofRow: start / rowByteCount) * size)
  }
}

extension [[Piece]] {
  /// Lets parts of quantizing one matrix have the same units, which fit the tiles of each.
  mutating func alignParts() {
    var multiples: [Piece.Quantization.Source: Int] = [:]
    for piece in joined() {
      guard let bands = piece.bands, let quantization = piece.quantization else { continue }
      // Codes of several rows may share a row of bytes.
      let rowsPerRow = quantization.rowCount / Swift.max(1, bands.rowCount)
      let own = leastCommonMultiple(quantization.rowMultiple, bands.width * rowsPerRow)
      let other = multiples[quantization.source] ?? 1
      multiples[quantization.source] = leastCommonMultiple(own, other)
    }
    guard !multiples.isEmpty else { return }
    for tensor in indices {
      self[tensor] = self[tensor].map { piece in
        guard let multiple = piece.quantization.flatMap({ multiples[$0.source] }) else {
          return piece
        }
        return piece.quantizing(rowsBy: multiple)
      }
    }
  }
}
