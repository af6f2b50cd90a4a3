import TensorTypes

/// What the metrics of one tensor mean for the checks of its law.
struct ValueFindings {
  let pair: Comparison.Pair
  let shape: Shape
  let metrics: Metrics

  var findings: [Finding] {
    let own = lawFindings
    guard metrics.comparedCount > 0 else { return own }
    let overflowed = metrics.specialMismatchCount
    return own + [
      finding(
        .finite, overflowed == 0, measured: "\(overflowed)",
        place: metrics.firstSpecial.map(description))
    ]
  }

  private var lawFindings: [Finding] {
    if case .unknown(let reason) = pair.law {
      return [Finding(.exactValue, .tensor(pair.name), .inconclusive, measured: reason)]
    }
    guard metrics.comparedCount > 0 else {
      return [Finding(check, .tensor(pair.name), .inconclusive, measured: "nothing to compare")]
    }
    let isClean = metrics.violationCount == 0
    let place = metrics.firstViolation.map(description)
    switch pair.law {
    case .unknown: return []
    case .bitExact, .exactValue, .calibrated, .searched:
      return [finding(check, isClean, measured: "\(metrics.violationCount)", place: place)]
    case .rounded:
      return [
        finding(
          check, isClean,
          measured: isClean
            ? "0"
            : metrics.worstRatio > 0 ? "\(Int(metrics.worstRatio))" : "NaN on one side",
          place: place)
      ]
    case .blocks(let law):
      let isQuiet = metrics.relativeRMSE <= law.noiseBound && metrics.worseBlockCount == 0
      let noise = finding(
        .quantizationNoise, isQuiet,
        measured: metrics.worseBlockCount > 0
          ? "\(metrics.worseBlockCount) blocks worse than the reference's"
          : rounded(metrics.relativeRMSE),
        bound: rounded(law.noiseBound),
        place: metrics.firstWorseBlock.map { "block \($0)" } ?? worstBlock(law))
      guard law.scalar != nil else { return [noise] }
      return [
        finding(
          .nearestCode, isClean, measured: rounded(metrics.worstRatio), bound: "1",
          place: isClean ? nil : worstBlock(law)), noise,
      ]
    }
  }

  /// The check that the law asks first.
  private var check: Check.Name {
    switch pair.law {
    case .bitExact: .bitExact
    case .rounded: .correctlyRounded
    case .exactValue, .unknown: .exactValue
    case .calibrated: .calibratedSetting
    case .searched(let rows):
      switch rows.part {
      case .codes: .bitExact
      case .scales: .searchedScale
      default: .storedSum
      }
    case .blocks(let law): law.scalar == nil ? .quantizationNoise : .nearestCode
    }
  }

  private func finding(
    _ check: Check.Name, _ holds: Bool, measured: String, bound: String? = nil,
    place: String? = nil
  ) -> Finding {
    Finding(
      check, .tensor(pair.name), holds ? .pass : .fail, measured: measured, bound: bound,
      place: holds ? nil : place)
  }

  private func description(_ place: Metrics.Place) -> String {
    "row \(place.element / shape.rowLength), column \(place.element % shape.rowLength): "
      + "\(place.source) became \(place.converted)"
  }

  private func worstBlock(_ law: BlockLaw) -> String? {
    metrics.worstBlock.map {
      let start = $0.index * law.type.elementCount
      let column = start % shape.rowLength
      return "block \($0.index): row \(start / shape.rowLength), columns \(column) to "
        + "\(column + law.type.elementCount - 1)"
    }
  }
}
