import TensorTypes

/// A piece of work: some consecutive elements of one piece, read, rearranged, converted and
/// written at once.
struct Unit {
  /// The walk over the source, simplified; its last axis is contiguous unless it is transposed.
  let lengths: [Int]
  let strides: [Int]
  let offset: Int
  /// Where the unit begins in its piece.
  /// - Units: elements.
  let start: Int
  var elementCount: Int { lengths.reduce(1, *) }
}

/// How a piece is cut into units of about equal size.
struct Tiling {
  private let lengths: [Int]
  private let strides: [Int]
  private let offset: Int
  /// The axis that is cut; the axes before it are walked one position at a time.
  private let axis: Int
  /// - Units: positions of `axis` in a unit.
  private let step: Int
  private let unitsPerAxis: Int
  let unitCount: Int
  /// - Units: elements of the largest unit.
  let greatestUnit: Int

  /// - Parameters:
  ///   - limit: the most elements of a unit.
  ///   - multiple: units begin at multiples of so many elements; the innermost axis has such a
  ///     length, or is the only one.
  init(_ view: View, limit: Int, multiple: Int) {
    let view = view.simplified()
    lengths = view.lengths
    strides = view.strides
    offset = view.offset
    var inner = 1
    var axis = lengths.count - 1
    while axis > 0, inner * lengths[axis] <= limit || inner * lengths[axis] % multiple != 0 {
      inner *= lengths[axis]
      axis -= 1
    }
    self.axis = max(0, axis)
    guard axis >= 0 else {
      step = 1
      unitsPerAxis = 1
      unitCount = 1
      greatestUnit = 1
      return
    }
    var step = max(1, limit / inner)
    if step < lengths[axis], inner % multiple != 0 {
      // The least number of positions that makes whole blocks.
      let needed = multiple / Tiling.greatestCommonDivisor(inner, multiple)
      step = max(needed, step / needed * needed)
    }
    if strides[axis] == 1, step < lengths[axis] {
      // Along the source's rows, units hold whole blocks of the source, transposed or not.
      step = max(multiple, step / multiple * multiple)
    }
    self.step = min(step, max(1, lengths[axis]))
    greatestUnit = inner * self.step
    unitsPerAxis = (lengths[axis] + self.step - 1) / self.step
    unitCount = lengths[..<axis].reduce(unitsPerAxis, *)
  }

  /// The unit of this number.
  func unit(_ number: Int) -> Unit {
    guard !lengths.isEmpty else { return Unit(lengths: [], strides: [], offset: offset, start: 0) }
    var rest = number / unitsPerAxis
    let first = number % unitsPerAxis * step
    var begin = offset + first * strides[axis]
    let innerCount = lengths[(axis + 1)...].reduce(1, *)
    let start = (rest * lengths[axis] + first) * innerCount
    for outer in stride(from: axis - 1, through: 0, by: -1) {
      begin += rest % lengths[outer] * strides[outer]
      rest /= lengths[outer]
    }
    return Unit(
      lengths: [min(step, lengths[axis] - first)] + lengths[(axis + 1)...],
      strides: Array(strides[axis...]), offset: begin, start: start)
  }

  private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
  }
}
