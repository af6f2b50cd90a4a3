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
  ///   - limit: the most elements of a unit, as far as whole blocks allow.
  ///   - sourceMultiple: units begin at multiples of so many elements of the source; its contiguous
  ///     runs are such multiples too.
  ///   - multiple: units begin at multiples of so many elements of the output; the view's elements
  ///     are such a multiple too.
  init(_ view: View, limit: Int, sourceMultiple: Int, multiple: Int) {
    let view = view.simplified()
    lengths = view.lengths
    strides = view.strides
    offset = view.offset
    guard view.elementCount > 0 else {
      (axis, step, unitsPerAxis, unitCount, greatestUnit) = (0, 1, 0, 0, 0)
      return
    }
    guard !lengths.isEmpty else {
      (axis, step, unitsPerAxis, unitCount, greatestUnit) = (0, 1, 1, 1, 1)
      return
    }
    // Cutting behind the axis that is contiguous in the source would tear its runs apart.
    let contiguous = strides.lastIndex(of: 1) ?? lengths.count - 1
    var inner = 1
    var axis = lengths.count - 1
    while axis > 0,
      axis > contiguous || inner * lengths[axis] <= limit || inner * lengths[axis] % multiple != 0
    {
      inner *= lengths[axis]
      axis -= 1
    }
    // The least number of positions that makes whole blocks, here and there.
    var needed = multiple / greatestCommonDivisor(inner, multiple)
    if axis == contiguous { needed = leastCommonMultiple(needed, sourceMultiple) }
    let step = min(max(needed, limit / inner / needed * needed), lengths[axis])
    self.axis = axis
    self.step = step
    greatestUnit = inner * step
    unitsPerAxis = (lengths[axis] + step - 1) / step
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
}

func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
  b == 0 ? a : greatestCommonDivisor(b, a % b)
}

func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
  a / greatestCommonDivisor(a, b) * b
}
