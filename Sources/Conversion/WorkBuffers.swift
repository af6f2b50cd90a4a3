import TensorTypes

/// The memory of one worker: source bytes, two buffers for rearranged and half-converted elements,
/// and output bytes.
struct WorkBuffers: ~Copyable {
  /// How large each buffer must be for any unit of a plan.
  struct Sizes: Hashable {
    var source = 0
    var middle = 0
    var output = 0

    /// - Units: bytes of all buffers.
    var byteCount: Int { source + 2 * middle + output }

    init(_ tensors: [[Piece]], unitElementLimit: Int) {
      for pieces in tensors {
        for piece in pieces { add(piece, unitElementLimit) }
      }
    }

    private mutating func add(_ piece: Piece, _ limit: Int) {
      guard let first = piece.encodings.first, let last = piece.encodings.last else { return }
      var elements = piece.elementCount
      var isRearranged = false
      if case .view(let view) = piece.origin {
        elements = Tiling(view, limit: limit, multiple: piece.unitMultiple).greatestUnit
        isRearranged = !view.isSourceOrder
      }
      source = max(source, elements.bytes(first))
      output = max(output, elements.bytes(last))
      // The last encoding has the output buffer, unless elements only move.
      let between = piece.encodings.prefix(max(1, piece.encodings.count - 1))
      if piece.encodings.count > 2 || isRearranged {
        middle = max(middle, between.map { elements.bytes($0) }.max() ?? 0)
      }
    }
  }

  let source: UnsafeMutableRawBufferPointer
  let first: UnsafeMutableRawBufferPointer
  let second: UnsafeMutableRawBufferPointer
  let output: UnsafeMutableRawBufferPointer

  init(_ sizes: Sizes) {
    source = .allocate(byteCount: sizes.source, alignment: 64)
    first = .allocate(byteCount: sizes.middle, alignment: 64)
    second = .allocate(byteCount: sizes.middle, alignment: 64)
    output = .allocate(byteCount: sizes.output, alignment: 64)
  }

  deinit {
    source.deallocate()
    first.deallocate()
    second.deallocate()
    output.deallocate()
  }
}

extension Piece {
  /// Units begin at multiples of so many elements, for the blocks of every encoding on the way.
  var unitMultiple: Int {
    encodings.reduce(1) { leastCommonMultiple($0, $1.unitElementCount) }
  }
}

extension View {
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

private func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
  func divisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : divisor(b, a % b) }
  return a / divisor(a, b) * b
}
