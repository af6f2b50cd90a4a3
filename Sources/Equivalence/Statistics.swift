import Dispatch
import ReferenceKernels
import Synchronization
import TensorTypes
import WeightFormats

/// What the values of one tensor are like.
public struct Statistics: Sendable, Hashable {
  /// Values, two for a complex element.
  public private(set) var count = 0
  public private(set) var nanCount = 0
  public private(set) var infiniteCount = 0
  public private(set) var zeroCount = 0
  /// Over finite values, like all that follows; nil without one.
  public private(set) var minimum: Double?
  public private(set) var maximum: Double?
  public private(set) var mean = 0.0
  /// Finite values that are not zero, by the exponent of the power of two below their magnitude.
  public private(set) var exponents: [Int: Int] = [:]

  private var finiteCount = 0
  /// The sum of the squares of the differences from the mean.
  private var spread = 0.0

  /// Of the population, not of a sample.
  public var standardDeviation: Double {
    finiteCount > 0 ? (spread / Double(finiteCount)).squareRoot() : 0
  }

  /// The greatest magnitude; nil without a finite value.
  public var absoluteMaximum: Double? {
    minimum.flatMap { low in maximum.map { max(low.magnitude, $0.magnitude) } }
  }

  init() {}

  init(_ values: UnsafeBufferPointer<Double>) {
    count = values.count
    var sum = 0.0
    var low = Double.infinity
    var high = -Double.infinity
    var counts = [Int](repeating: 0, count: 2048)
    for value in values {
      // The exponent field, which is 0 for zeros alone: subnormal doubles do not occur.
      let field = Int(value.bitPattern >> 52 & 0x7FF)
      counts[field] += 1
      guard field < 2047 else {
        if value.isNaN { nanCount += 1 }
        continue
      }
      sum += value
      low = min(low, value)
      high = max(high, value)
    }
    infiniteCount = counts[2047] - nanCount
    zeroCount = counts[0]
    finiteCount = count - counts[2047]
    guard finiteCount > 0 else { return }
    minimum = low
    maximum = high
    mean = sum / Double(finiteCount)
    for value in values where value.isFinite { spread += (value - mean) * (value - mean) }
    for field in 1..<2047 where counts[field] > 0 { exponents[field - 1023] = counts[field] }
  }

  /// Adds what a later part of the tensor is like.
  ///
  /// - Source: Chan, Golub and LeVeque, updating formulae for sample variances (1979).
  mutating func merge(_ other: Statistics) {
    count += other.count
    nanCount += other.nanCount
    infiniteCount += other.infiniteCount
    zeroCount += other.zeroCount
    exponents.merge(other.exponents, uniquingKeysWith: +)
    guard other.finiteCount > 0 else { return }
    let total = finiteCount + other.finiteCount
    let difference = other.mean - mean
    let share = Double(other.finiteCount) / Double(total)
    spread += other.spread + difference * difference * Double(finiteCount) * share
    mean += difference * share
    finiteCount = total
    minimum = Swift.min(minimum ?? .infinity, other.minimum ?? .infinity)
    maximum = Swift.max(maximum ?? -.infinity, other.maximum ?? -.infinity)
  }
}

extension Checkpoint {
  /// What the values of some tensors are like, in the order given.
  ///
  /// The figures do not depend on the number of workers: parts of fixed size are summed up on
  /// their own and added in order.
  ///
  /// - Parameters:
  ///   - numbers: positions in `tensors`.
  ///   - progress: called from any thread with the bytes read since the last call.
  /// - Throws: `badInput`, `inputOutput`; `usage` for compressed files.
  public func statistics(
    of numbers: [Int], jobs: Int,
    progress: @escaping @Sendable (_ byteCount: Int) -> Void = { _ in }
  ) throws(Failure) -> [Statistics] {
    if let file = files.first(where: \.isCompressed) {
      throw Failure(
        .usage, "the values of compressed files cannot be read; decompress it first",
        file: file.source.name)
    }
    var results = [Statistics](repeating: Statistics(), count: numbers.count)
    var parts: [Part] = []
    for (position, number) in numbers.enumerated() {
      let elementCount = tensors[number].type.shape.elementCount ?? 0  // its bytes were counted
      for start in stride(from: 0, to: elementCount, by: Part.elementCount) {
        let end = min(elementCount, start + Part.elementCount)
        parts.append(Part(position: position, number: number, elements: start..<end))
        if parts.count == Part.batch {
          try measure(parts, jobs, progress, into: &results)
          parts.removeAll(keepingCapacity: true)
        }
      }
    }
    try measure(parts, jobs, progress, into: &results)
    return results
  }

  /// Some elements of a tensor that are summed up on their own.
  private struct Part: Sendable {
    let position: Int
    let number: Int
    let elements: Range<Int>

    /// A multiple of every block.
    static let elementCount = 1 << 16
    static let batch = 512
  }

  private func measure(
    _ parts: [Part], _ jobs: Int, _ progress: @escaping @Sendable (Int) -> Void,
    into results: inout [Statistics]
  ) throws(Failure) {
    let source = CheckpointTensors(checkpoint: self)
    let next = Atomic<Int>(0)
    let found = Mutex<[Statistics?]>(Array(repeating: nil, count: parts.count))
    let failure = Mutex<Failure?>(nil)
    DispatchQueue.concurrentPerform(iterations: min(jobs, parts.count)) { _ in
      while failure.withLock({ $0 == nil }) {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < parts.count else { return }
        let part = parts[index]
        do throws(Failure) {
          let values = try source.values(of: part.number, elements: part.elements)
          let own = values.withUnsafeBufferPointer { Statistics($0) }
          found.withLock { $0[index] = own }
          progress(tensors[part.number].type.encoding.byteCount(of: part.elements))
        } catch {
          failure.withLock { $0 = $0 ?? error }
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
    for (part, own) in zip(parts, found.withLock({ $0 })) {
      results[part.position].merge(own ?? Statistics())
    }
  }
}

extension Encoding {
  /// - Units: bytes, rounded down.
  fileprivate func byteCount(of elements: Range<Int>) -> Int {
    elements.count / unitElementCount * unitByteCount
  }
}
