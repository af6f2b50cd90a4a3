import CKernels
import TensorTypes

/// Why elements cannot be quantized.
public enum Refusal: Sendable, Hashable {
  /// The element at this position is infinite or NaN.
  case notFinite(position: Int, value: Float)
  /// So many blocks have a scale beyond the greatest of their type; the first begins here.
  case overflow(position: Int, blockCount: Int)

  /// The same, so many elements further on.
  public func moved(by elementCount: Int) -> Refusal {
    switch self {
    case .notFinite(let position, let value):
      .notFinite(position: position + elementCount, value: value)
    case .overflow(let position, let blockCount):
      .overflow(position: position + elementCount, blockCount: blockCount)
    }
  }
}

/// How large values are that are to be quantized.
enum Magnitude {
  case usual
  /// So large that a scale may overflow.
  case large
  case notFinite(position: Int, value: Float)

  /// - Parameter values: F32 at any address.
  init(_ values: UnsafeRawPointer, _ count: Int) {
    // No scale exceeds the greatest magnitude, and F16 ends a little above this.
    guard port_greatest_magnitude(values, count) >= Float(65_000).bitPattern else {
      self = .usual
      return
    }
    for position in 0..<count {
      let value = values.loadUnaligned(fromByteOffset: 4 * position, as: Float.self)
      if !value.isFinite {
        self = .notFinite(position: position, value: value)
        return
      }
    }
    self = .large
  }

  /// What is wrong with blocks that were made of the values.
  ///
  /// - Parameter start: where the values begin.
  func refusal(
    _ block: BlockType, _ blocks: UnsafeRawPointer, _ count: Int, _ start: Int
  ) -> Refusal? {
    switch self {
    case .usual: nil
    case .notFinite(let position, let value):
      .notFinite(position: start + position, value: value)
    case .large: overflow(block, blocks, count).map { $0.moved(by: start) }
    }
  }

  /// Looks for blocks whose values are not finite, as those with an infinite scale are.
  private func overflow(
    _ block: BlockType, _ blocks: UnsafeRawPointer, _ count: Int
  ) -> Refusal? {
    let decoder = Decoder.all.first { $0.encoding == .block(block) }
    guard let decoder else { return nil }
    var first: Int?
    var found = 0
    withUnsafeTemporaryAllocation(of: Float.self, capacity: block.elementCount) { values in
      for number in 0..<count / block.elementCount {
        decoder.run(
          .best, blocks + number * block.byteCount, UnsafeMutableRawPointer(values.baseAddress!),
          block.elementCount)  // a block has elements
        if !values.allSatisfy(\.isFinite) {
          first = first ?? number * block.elementCount
          found += 1
        }
      }
    }
    return first.map { .overflow(position: $0, blockCount: found) }
  }
}
