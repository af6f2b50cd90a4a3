import GraphRewriting
import TensorTypes

extension Evaluation {
  /// The elements that the input has, and zeros everywhere else.
  func evaluatePadding(
    _ input: NodeID, _ box: Box, into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let type = graph[input].type
    var inner = box
    for (axis, length) in type.shape.axes.enumerated() {
      inner.ranges[axis] = box.ranges[axis].clamped(to: 0..<length)
    }
    cells.initializeMemory(as: UInt8.self, repeating: 0)
    guard inner.count > 0 else { return }
    let byteCount = Cell(type.encoding).byteCount
    var strides = [Int](repeating: 1, count: box.ranges.count)
    for axis in stride(from: strides.count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * box.ranges[axis + 1].count
    }
    let first = zip(zip(inner.ranges, box.ranges), strides).reduce(0) {
      $0 + ($1.0.0.lowerBound - $1.0.1.lowerBound) * $1.1
    }
    let rowBytes = (inner.lengths.last ?? 1) * byteCount
    try withTemporaryBytes(inner.count * byteCount) { (source) throws(Failure) in
      try evaluate(input, inner, into: source)
      var done = 0
      forEachRow(strides, inner.lengths) { start in
        cells.part((first + start) * byteCount, rowBytes).copyMemory(
          from: UnsafeRawBufferPointer(source.part(done, rowBytes)))
        done += rowBytes
      }
    }
  }

  /// Row by row of each tile from the part of the matrix that the tiles of the box cover.
  func evaluateTiles(
    _ input: NodeID, _ rows: Int, _ columns: Int, _ box: Box,
    into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let size = Cell(graph[input].type.encoding).byteCount
    let (across, down) = (box.ranges[0], box.ranges[1])
    let inner = Box(ranges: [
      down.lowerBound * rows..<down.upperBound * rows,
      across.lowerBound * columns..<across.upperBound * columns,
    ])
    let width = inner.ranges[1].count
    try withTemporaryBytes(inner.count * size) { (source) throws(Failure) in
      try evaluate(input, inner, into: source)
      var written = 0
      for tileColumn in across {
        for tileRow in down {
          for row in box.ranges[2] {
            let y = (tileRow - down.lowerBound) * rows + row
            let x = (tileColumn - across.lowerBound) * columns + box.ranges[3].lowerBound
            let byteCount = box.ranges[3].count * size
            cells.part(written, byteCount).copyMemory(
              from: UnsafeRawBufferPointer(source.part((y * width + x) * size, byteCount)))
            written += byteCount
          }
        }
      }
    }
  }
}
