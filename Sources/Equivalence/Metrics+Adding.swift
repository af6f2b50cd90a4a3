/// A short run of decoded values of both sides.
struct Values {
  let source: UnsafeMutablePointer<Double>
  let converted: UnsafeMutablePointer<Double>
  var count: Int
  /// The element that the first value belongs to.
  var start: Int
}

extension Metrics {
  /// Measures some pairs of values.
  ///
  /// - Precondition: the pointers are aligned for eight `Double`s.
  mutating func add(_ values: Values) {
    comparedCount += values.count
    let whole = values.count / 8
    let sums = Sums(values, groups: whole)
    guard sums.isFinite else { return addOneByOne(values, 0..<values.count) }
    squaredError += sums.squaredError.sum()
    squaredSource += sums.squaredSource.sum()
    squaredConverted += sums.squaredConverted.sum()
    product += sums.product.sum()
    source.zero += Int(sums.sourceZeros.wrappedSum())
    converted.zero += Int(sums.convertedZeros.wrappedSum())
    maximumRelativeError = Swift.max(maximumRelativeError, sums.relativeError.max())
    let largest = sums.absoluteError.max()
    if largest > maximumAbsoluteError {
      maximumAbsoluteError = largest
      for index in 0..<8 * whole
      where (values.source[index] - values.converted[index]).magnitude == largest {
        worst = place(values, index)
        break
      }
    }
    addOneByOne(values, 8 * whole..<values.count)
  }

  func place(_ values: Values, _ index: Int) -> Place {
    Place(
      element: values.start + index, source: values.source[index],
      converted: values.converted[index])
  }

  private mutating func addOneByOne(_ values: Values, _ range: Range<Int>) {
    for index in range {
      let a = values.source[index]
      let b = values.converted[index]
      source.add(a)
      converted.add(b)
      guard a.isFinite, b.isFinite else {
        if a.isFinite { saturatedCount += 1 }
        if !(a == b || a.isNaN && b.isNaN) {
          specialMismatchCount += 1
          firstSpecial = firstSpecial ?? place(values, index)
        }
        continue
      }
      let error = (a - b).magnitude
      squaredError += error * error
      squaredSource += a * a
      squaredConverted += b * b
      product += a * b
      if error > 0 { maximumRelativeError = Swift.max(maximumRelativeError, error / a.magnitude) }
      if error > maximumAbsoluteError {
        maximumAbsoluteError = error
        worst = place(values, index)
      }
    }
  }
}

extension Metrics.Counts {
  fileprivate mutating func add(_ value: Double) {
    if value == 0 { zero += 1 }
    if value.isNaN { nan += 1 }
    if value.isInfinite { infinite += 1 }
  }
}

/// Sums over eight lanes.
private struct Sums {
  var squaredError = SIMD8<Double>()
  var squaredSource = SIMD8<Double>()
  var squaredConverted = SIMD8<Double>()
  var product = SIMD8<Double>()
  var absoluteError = SIMD8<Double>()
  var relativeError = SIMD8<Double>()
  var sourceZeros = SIMD8<Int64>()
  var convertedZeros = SIMD8<Int64>()

  init(_ values: Values, groups: Int) {
    let one = SIMD8<Int64>(repeating: 1)
    let zero = SIMD8<Double>()
    let magnitude = SIMD8<UInt64>(repeating: .max >> 1)
    for group in 0..<groups {
      let a = UnsafeRawPointer(values.source + 8 * group).load(as: SIMD8<Double>.self)
      let b = UnsafeRawPointer(values.converted + 8 * group).load(as: SIMD8<Double>.self)
      let difference = a - b
      let error = SIMD8<Double>(bits: difference.bits & magnitude)
      squaredError += error * error
      squaredSource += a * a
      squaredConverted += b * b
      product += a * b
      absoluteError.replace(with: error, where: error .> absoluteError)
      // 0/0 is NaN, which is larger than nothing.
      let relative = error / SIMD8<Double>(bits: a.bits & magnitude)
      relativeError.replace(with: relative, where: relative .> relativeError)
      sourceZeros.replace(with: sourceZeros &+ one, where: a .== zero)
      convertedZeros.replace(with: convertedZeros &+ one, where: b .== zero)
    }
  }

  /// Whether no value was NaN or infinite, nor too large to square.
  var isFinite: Bool { (squaredSource.sum() + squaredConverted.sum()).isFinite }
}

extension SIMD8<Double> {
  fileprivate var bits: SIMD8<UInt64> { unsafeBitCast(self, to: SIMD8<UInt64>.self) }
  fileprivate init(bits: SIMD8<UInt64>) { self = unsafeBitCast(bits, to: SIMD8<Double>.self) }
}
