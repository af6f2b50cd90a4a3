import ReferenceKernels

extension Metrics {
  /// Checks that each converted value is the source's, correctly rounded.
  mutating func checkRounding(_ values: Values, _ format: FloatFormat, viaF32: Bool) {
    if ulpHistogram.isEmpty {
      ulpHistogram = [Int](repeating: 0, count: Metrics.ulpBuckets.count)
    }
    var equal = 0
    for index in 0..<values.count {
      let x = values.source[index]
      let y = values.converted[index]
      if format.rounding(x).bitPattern == y.bitPattern {
        equal += 1
      } else if x.isNaN && y.isNaN
        || viaF32 && format.rounding(FloatFormat.f32.rounding(x)).bitPattern == y.bitPattern
      {
        equal += 1
      } else {
        noteRounding(values, index, format)
      }
    }
    equalCount += equal
    ulpHistogram[0] += equal
  }

  private mutating func noteRounding(_ values: Values, _ index: Int, _ format: FloatFormat) {
    violationCount += 1
    firstViolation = firstViolation ?? place(values, index)
    let x = values.source[index]
    let y = values.converted[index]
    guard !x.isNaN, !y.isNaN else {
      ulpHistogram[Metrics.ulpBuckets.count - 1] += 1
      return
    }
    // Zeros that differ in sign are one value, yet not the one asked for.
    let distance = max(1, (format.ordinal(format.rounding(x)) - format.ordinal(y)).magnitude)
    worstRatio = max(worstRatio, Double(distance))
    let bucket =
      switch distance {
      case 1: 1
      case 2: 2
      case ...4: 3
      case ...16: 4
      default: 5
      }
    ulpHistogram[bucket] += 1
  }

  /// Checks each converted value alone.
  mutating func checkEach(_ values: Values, _ isAllowed: (Double) -> Bool) {
    for index in 0..<values.count where !isAllowed(values.converted[index]) {
      violationCount += 1
      firstViolation = firstViolation ?? place(values, index)
    }
  }

  /// Checks that both sides hold the same numbers.
  mutating func checkEqual(_ values: Values) {
    for index in 0..<values.count {
      let x = values.source[index]
      let y = values.converted[index]
      if x == y || x.isNaN && y.isNaN {
        equalCount += 1
      } else {
        violationCount += 1
        firstViolation = firstViolation ?? place(values, index)
      }
    }
  }
}
