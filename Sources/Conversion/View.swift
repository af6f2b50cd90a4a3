import TensorTypes

/// A way to walk over the elements of one source tensor: axes with strides, slowest first.
///
/// The elements in this order are those of a tensor of shape `shape` in row-major order; the axes
/// that are walked may be finer or coarser than those of `shape`.
public struct View: Sendable, Hashable {
  /// The number of the source tensor.
  public let source: Int
  public private(set) var shape: Shape
  public private(set) var lengths: [Int]
  /// - Units: elements.
  public private(set) var strides: [Int]
  /// - Units: elements.
  public private(set) var offset: Int

  /// All elements in row-major order.
  init(source: Int, shape: Shape) {
    self.source = source
    self.shape = shape
    lengths = shape.axes
    strides = View.contiguousStrides(shape.axes)
    offset = 0
  }

  var elementCount: Int { lengths.reduce(1, *) }

  func reshaped(_ shape: Shape) -> View {
    var copy = self
    copy.shape = shape
    return copy
  }

  /// The view with its axes in another order; nil when the walked axes cannot follow the shape's.
  func permuted(_ order: [Int]) -> View? {
    guard let before = aligned() else { return nil }
    var copy = before
    copy.lengths = order.map { before.lengths[$0] }
    copy.strides = order.map { before.strides[$0] }
    copy.shape = Shape(copy.lengths)
    return copy
  }

  /// Some positions of one axis; nil as for `permuted`.
  func sliced(axis: Int, start: Int, count: Int) -> View? {
    guard var copy = aligned() else { return nil }
    copy.offset += start * copy.strides[axis]
    copy.lengths[axis] = count
    copy.shape = Shape(copy.lengths)
    return copy
  }

  /// The same walk with one axis for each axis of the shape; nil when strides cannot say it.
  private func aligned() -> View? {
    if lengths == shape.axes { return self }
    if elementCount == 0 {
      var copy = self
      copy.lengths = shape.axes
      copy.strides = View.contiguousStrides(shape.axes)
      return copy
    }
    let merged = simplified()
    var result: [Int] = []
    var position = merged.lengths.count - 1
    var rest = position >= 0 ? merged.lengths[position] : 1
    var stride = position >= 0 ? merged.strides[position] : 1
    for length in shape.axes.reversed() {
      if length == 1 {
        result.append(1)
        continue
      }
      if rest == 1 {
        guard position > 0 else { return nil }
        position -= 1
        rest = merged.lengths[position]
        stride = merged.strides[position]
      }
      guard rest % length == 0 else { return nil }
      result.append(stride)
      stride *= length
      rest /= length
    }
    var copy = self
    copy.lengths = shape.axes
    copy.strides = result.reversed()
    return copy
  }

  /// The same walk with as few axes as possible: none of length 1, neighbours merged where one
  /// continues the other.
  func simplified() -> View {
    var merged: [(length: Int, stride: Int)] = []
    for (length, stride) in zip(lengths, strides) where length != 1 {
      if let last = merged.last, last.stride == stride * length {
        merged[merged.count - 1] = (last.length * length, stride)
      } else {
        merged.append((length, stride))
      }
    }
    var copy = self
    copy.lengths = merged.map(\.length)
    copy.strides = merged.map(\.stride)
    return copy
  }

  /// Whether the walk takes every so many consecutive elements of the source together: blocks, or
  /// bytes of several elements.
  func keepsWhole(_ count: Int) -> Bool {
    guard count > 1, elementCount > 0 else { return true }
    let view = simplified()
    return view.strides.contains(1) && view.offset % count == 0
      && zip(view.lengths, view.strides).allSatisfy { ($1 == 1 ? $0 : $1) % count == 0 }
  }

  static func contiguousStrides(_ axes: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: axes.count)
    for axis in stride(from: axes.count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * max(1, axes[axis + 1])
    }
    return strides
  }
}
