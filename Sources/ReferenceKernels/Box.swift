import TensorTypes

/// A part of a tensor: a range of positions of each axis.
struct Box: Equatable {
  var ranges: [Range<Int>]

  var lengths: [Int] { ranges.map(\.count) }
  var count: Int { ranges.reduce(1) { $0 * $1.count } }

  /// The boxes that hold, one after another, the cells of a range in row-major order.
  ///
  /// - Precondition: the range is not empty and lies in a tensor of these axes.
  static func covering(_ range: Range<Int>, of axes: [Int]) -> [Box] {
    guard let length = axes.first else { return [Box(ranges: [])] }
    let rest = Array(axes.dropFirst())
    let inner = rest.reduce(1, *)
    let first = range.lowerBound / inner
    let last = (range.upperBound - 1) / inner
    func boxes(at position: Int, _ part: Range<Int>) -> [Box] {
      covering(part, of: rest).map { Box(ranges: [position..<position + 1] + $0.ranges) }
    }
    func whole(_ positions: Range<Int>) -> [Box] {
      positions.isEmpty ? [] : [Box(ranges: [positions] + rest.map { 0..<$0 })]
    }
    if range.count == length * inner { return whole(0..<length) }
    if first == last {
      let start = range.lowerBound - first * inner
      if range.count == inner { return whole(first..<first + 1) }
      return boxes(at: first, start..<start + range.count)
    }
    let head = range.lowerBound - first * inner
    let tail = range.upperBound - last * inner
    var result = head == 0 ? [] : boxes(at: first, head..<inner)
    result += whole((head == 0 ? first : first + 1)..<(tail == inner ? last + 1 : last))
    if tail != inner { result += boxes(at: last, 0..<tail) }
    return result
  }

  /// The runs of consecutive cells, in row-major order of the tensor, that make up the box.
  ///
  /// - Parameter axes: those of the tensor.
  func forEachRun(
    of axes: [Int], _ body: (_ start: Int, _ count: Int) throws(Failure) -> Void
  ) throws(Failure) {
    // Axes that are taken whole join the one before them.
    var runAxis = axes.count
    var runLength = 1
    while runAxis > 0 {
      runAxis -= 1
      runLength *= ranges[runAxis].count
      if ranges[runAxis].count != axes[runAxis] { break }
    }
    var strides = [Int](repeating: 1, count: axes.count)
    for axis in stride(from: axes.count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * axes[axis + 1]
    }
    var start = zip(ranges, strides).reduce(0) { $0 + $1.0.lowerBound * $1.1 }
    var position = [Int](repeating: 0, count: runAxis)
    let runCount = runLength == 0 ? 0 : count / runLength
    for _ in 0..<runCount {
      try body(start, runLength)
      for axis in stride(from: runAxis - 1, through: 0, by: -1) {
        position[axis] += 1
        start += strides[axis]
        if position[axis] < ranges[axis].count { break }
        start -= strides[axis] * position[axis]
        position[axis] = 0
      }
    }
  }
}
