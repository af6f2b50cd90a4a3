import Foundation

/// An axis on which equal factors have equal lengths. Zero has a place of its own before the others.
struct LogScale: Sendable {
  let low: Double
  let high: Double
  let hasZero: Bool

  /// The share of the axis that zero takes, when it is there.
  private static let zeroShare = 0.12

  /// Covers the values that are positive and finite, up to round numbers, of which there are three
  /// at least.
  init(covering values: [Double]) {
    let positive = values.filter { $0 > 0 && $0.isFinite }
    let (least, most) = (positive.min() ?? 0.1, positive.max() ?? 0.1)
    let numbers = LogScale.roundNumbers
    let last = numbers.firstIndex { $0 > most } ?? numbers.count - 1
    let first = numbers.lastIndex { $0 <= least } ?? 0
    low = numbers[max(0, min(first, last - 2))]
    high = numbers[last]
    hasZero = values.contains(0)
  }

  /// Where a value stands, from 0 to 1; what is above the axis stands at its end.
  func position(_ value: Double) -> Double {
    guard value > 0 else { return 0 }
    let start = hasZero ? LogScale.zeroShare : 0
    let share = (log10(min(value, high)) - log10(low)) / (log10(high) - log10(low))
    return start + (1 - start) * min(1, max(0, share))
  }

  /// Round numbers along the axis: 1, 2 and 5 of each decade when there are few, else powers of ten.
  var ticks: [Double] {
    let all = LogScale.roundNumbers.filter { low <= $0 && $0 <= high }
    if all.count <= 8 { return (hasZero ? [0] : []) + all }
    let decades = LogScale.decades.filter { low <= $0 && $0 <= high }
    let step = (decades.count + 6) / 7
    return (hasZero ? [0] : []) + stride(from: 0, to: decades.count, by: step).map { decades[$0] }
  }

  /// `0.05`, `1e-07`.
  static func text(_ tick: Double) -> String {
    tick == tick.rounded() ? Amount.fixed(tick, 0) : "\(tick)"
  }

  /// Powers of ten that `Double` has with full precision.
  private static let decades: [Double] = (-300...300).map { Double("1e\($0)")! }  // all are numbers

  private static let roundNumbers: [Double] = decades.flatMap { [$0, 2 * $0, 5 * $0] }
}
