import ByteIO
import TensorTypes

/// How the elements of a unit are read: in the order of the source, in runs as long as they go.
struct Reading {
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

  /// Fills `bytes` with the unit's elements in the order of the source.
  func perform(
    from source: any ByteSource, at start: Int, encoding: Encoding,
    into bytes: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let runByteCount = runLength.bytes(encoding)
    var position = 0
    guard !bytes.isEmpty else { return }
    try forEachRun { (element, _) throws(Failure) in
      try source.read(
        at: start + element.bytes(encoding),
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[position..<position + runByteCount]))
      position += runByteCount
    }
  }

  /// Calls `body` with the first element and the length of each run, in the order of the source.
  func forEachRun(
    _ body: (_ element: Int, _ count: Int) throws(Failure) -> Void
  ) throws(Failure) {
    var indices = [Int](repeating: 0, count: outer.count)
    while true {
      var element = offset
      for (axis, index) in zip(outer, indices) { element += index * axis.stride }
      try body(element, runLength)
      var axis = outer.count - 1
      while axis >= 0 {
        indices[axis] += 1
        if indices[axis] < outer[axis].length { break }
        indices[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
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
