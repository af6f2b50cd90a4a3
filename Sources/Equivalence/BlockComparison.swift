import ReferenceKernels
import TensorTypes

/// Compares blocks with the values that they were made from.
///
/// Owns memory for one block at a time.
struct BlockComparison: ~Copyable {
  private let law: BlockLaw
  private let scalar: BlockLaw.Scalar?
  private let block: ScalarBlock?
  private let levels: [Double]

  init(_ law: BlockLaw) {
    self.law = law
    scalar = law.scalar
    block = law.scalar.map { ScalarBlock($0.grid) }
    levels = law.scalar?.grid.levels.map(Double.init) ?? []
  }

  deinit {
    block?.deallocate()
  }

  /// - Parameter blocks: the bytes of the blocks that `values.converted` was decoded from.
  func compare(_ blocks: UnsafeRawPointer, _ values: Values, into metrics: inout Metrics) {
    let count = law.type.elementCount
    for number in 0..<values.count / count {
      let part = Values(
        source: values.source + number * count, converted: values.converted + number * count,
        count: count, start: values.start + number * count)
      if let scalar, let block {
        scalar.grid.read(blocks + number * law.type.byteCount, block)
        check(scalar, block, part, into: &metrics)
      } else {
        measureNoise(part, into: &metrics)
      }
    }
  }

  /// Scale and offset as the plain encoder has them before it rounds them.
  private struct Exact {
    var scale: Float
    var offset: Float = 0

    init(_ formula: BlockLaw.Formula, _ values: UnsafePointer<Double>, count: Int) {
      switch formula {
      case .magnitude(let steps):
        var largest: Float = 0
        for index in 0..<count { largest = max(largest, Float(values[index]).magnitude) }
        scale = largest / steps
      case .signed(let steps):
        var largest: Float = 0
        for index in 0..<count where Float(values[index]).magnitude > largest.magnitude {
          largest = Float(values[index])
        }
        scale = largest / steps
      case .range(let steps):
        var least = Float.greatestFiniteMagnitude
        var most = -Float.greatestFiniteMagnitude
        for index in 0..<count {
          least = min(least, Float(values[index]))
          most = max(most, Float(values[index]))
        }
        scale = (most - least) / steps
        offset = least
      }
    }
  }

  /// What the scales of a group allow.
  private struct Allowance {
    /// The scale that codes were chosen with, without its sign.
    var step: Double
    /// For each unit of the level.
    var perLevel = 0.0
    var fixed = 0.0
    /// Half gaps that the nearest code may be away.
    var gaps = 1.0
    var isNegative: Bool
  }

  private func check(
    _ scalar: BlockLaw.Scalar, _ block: ScalarBlock, _ values: Values, into metrics: inout Metrics
  ) {
    let size = scalar.grid.groupElementCount
    var worst = 0.0
    for group in 0..<values.count / size {
      let scale = Double(block.scales[group])
      let offset = Double(block.offsets[group])
      let allowance: Allowance
      switch scalar.choice {
      case .afterRounding:
        // Under a scale of zero all codes are the same.
        if scale == 0 { continue }
        allowance = Allowance(step: scale.magnitude, isNegative: scale < 0)
      case .beforeRounding(let multiple):
        if scale == 0, multiple > 1 { continue }
        allowance = rounded(scale, offset, multiple)
      case .bySearch(let formula):
        let exact = Exact(formula, values.source, count: size)
        let isPlain =
          FloatFormat.f16.rounding(Double(exact.scale)) == scale
          && FloatFormat.f16.rounding(Double(exact.offset)) == offset
        if case .magnitude(let steps) = formula, !isPlain {
          allowance = rounded(scale, offset, 1)
          compareNoise(values, exact.scale, steps, into: &metrics)
        } else if isPlain, formula.hasOneScale || scale.magnitude >= 0x1p-14 {
          // Codes may come from the scale before or after rounding.
          allowance = Allowance(
            step: max(Double(exact.scale.magnitude), scale.magnitude),
            perLevel: (Double(exact.scale) - scale).magnitude,
            fixed: (Double(exact.offset) - offset).magnitude, isNegative: exact.scale < 0)
        } else {
          // Found by search; a subnormal scale may be the formula's by chance.
          var wide = rounded(scale, offset, 1)
          wide.gaps = 2
          allowance = wide
        }
      }
      let part = Values(
        source: values.source + group * size, converted: values.converted + group * size,
        count: size, start: values.start + group * size)
      let ratio = check(
        scalar, block.codes + group * size, part, allowance, offset: offset.magnitude,
        into: &metrics)
      worst = max(worst, ratio)
    }
    metrics.noteBlock(values.start / law.type.elementCount, error: worst)
  }

  /// The allowance where the scale may have been any that rounds to the stored one.
  private func rounded(_ scale: Double, _ offset: Double, _ multiple: Double) -> Allowance {
    let slack = max(scale.magnitude * 0x1p-11, multiple * 0x1p-25)
    let fixed = scalar!.grid.hasOffset ? max(offset.magnitude * 0x1p-11, 0x1p-25) : 0
    return Allowance(
      step: scale.magnitude + slack, perLevel: slack, fixed: fixed,
      isNegative: scale.sign == .minus)
  }

  /// The largest distance over what is allowed.
  private func check(
    _ scalar: BlockLaw.Scalar, _ codes: UnsafePointer<UInt8>, _ values: Values,
    _ allowance: Allowance, offset: Double, into metrics: inout Metrics
  ) -> Double {
    var worst = 0.0
    let above = allowance.isNegative ? scalar.below : scalar.above
    let below = allowance.isNegative ? scalar.above : scalar.below
    let half = allowance.step * allowance.gaps
    above.withUnsafeBufferPointer { above in
      below.withUnsafeBufferPointer { below in
        levels.withUnsafeBufferPointer { levels in
          for index in 0..<values.count {
            let x = values.source[index]
            let y = values.converted[index]
            let code = Int(codes[index])
            let error = x - y
            // Encoders compute in F32; 2^-20 is eight roundings.
            let slack =
              levels[code].magnitude * allowance.perLevel + allowance.fixed
              + (x.magnitude + y.magnitude + offset) * 0x1p-20
            let gap = error > 0 ? above[code] : below[code]
            let ratio = error.magnitude / (gap * half + slack)
            if ratio > worst { worst = ratio }
            if ratio > 1 {
              metrics.violationCount += 1
              metrics.firstViolation = metrics.firstViolation ?? metrics.place(values, index)
            }
            if gap == BlockLaw.beyond,
              error.magnitude > (error > 0 ? below[code] : above[code]) * half + slack
            {
              metrics.saturatedCount += 1
            }
            if error == 0 { metrics.equalCount += 1 }
          }
        }
      }
    }
    return worst
  }

  /// Counts a block whose error is larger than that of the plain encoder.
  private func compareNoise(
    _ values: Values, _ scale: Float, _ steps: Float, into metrics: inout Metrics
  ) {
    let stored = FloatFormat.f16.rounding(Double(scale))
    let inverse = scale == 0 ? 0 : 1 / scale
    var own = 0.0
    var reference = 0.0
    for index in 0..<values.count {
      let x = values.source[index]
      let code = Double((Float(x) * inverse).rounded(.toNearestOrAwayFromZero))
      let error = x - values.converted[index]
      own += error * error
      reference += (x - code * stored) * (x - code * stored)
    }
    if own > reference * (1 + 0x1p-20) || reference.isNaN {
      metrics.worseBlockCount += 1
      metrics.firstWorseBlock =
        metrics.firstWorseBlock ?? values.start / law.type.elementCount
    }
  }

  private func measureNoise(_ values: Values, into metrics: inout Metrics) {
    var error = 0.0
    var source = 0.0
    for index in 0..<values.count {
      let difference = values.source[index] - values.converted[index]
      error += difference * difference
      source += values.source[index] * values.source[index]
      if difference == 0 { metrics.equalCount += 1 }
    }
    metrics.hasCodebook = true
    metrics.noteBlock(
      values.start / values.count, error: error == 0 ? 0 : (error / source).squareRoot())
  }
}

extension Metrics {
  fileprivate mutating func noteBlock(_ index: Int, error: Double) {
    if blockHistogram.isEmpty { blockHistogram = [Int](repeating: 0, count: 11) }
    blockHistogram[error <= 1 ? min(9, Int(10 * error)) : 10] += 1
    worstRatio = max(worstRatio, error)
    if error > worstBlock?.error ?? -1 { worstBlock = Block(index: index, error: error) }
  }
}
