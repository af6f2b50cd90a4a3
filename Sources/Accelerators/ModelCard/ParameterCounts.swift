/// Counts of the parameters to be written, for the size label.
public struct ParameterCounts: Sendable {
  /// Of all tensors.
  public var total: Int
  /// Of the tensors that every token uses.
  public var shared: Int
  /// Of one expert.
  public var expert: Int
  public var expertCount: Int

  public init(total: Int, shared: Int, expert: Int, expertCount: Int) {
    self.total = total
    self.shared = shared
    self.expert = expert
    self.expertCount = expertCount
  }

  /// The number of parameters in few digits: `7.6B`, or `8x7B` for eight experts.
  ///
  /// - Source: llama.cpp `gguf-py/gguf/utility.py`, `size_label`.
  var sizeLabel: String {
    expertCount > 0
      ? "\(expertCount)x\(ParameterCounts.rounded(shared + expert))"
      : ParameterCounts.rounded(total)
  }

  /// A count in thousands, millions, billions or trillions with at least two digits.
  static func rounded(_ count: Int) -> String {
    let exact = Double(count)
    let (scaled, suffix) =
      exact > 1e12
      ? (exact * 1e-12, "T")
      : exact > 1e9
        ? (exact * 1e-9, "B") : exact > 1e6 ? (exact * 1e-6, "M") : (exact * 1e-3, "K")
    let whole = scaled.rounded(.toNearestOrEven)
    let digits = whole < 1 ? 0 : whole < 10 ? 1 : 2
    return scaled.decimal(fractionDigits: 2 - digits) + suffix
  }
}

extension Double {
  /// The number with so many digits after the point, its exact value rounded to nearest, ties to
  /// even, as C's `printf` rounds.
  ///
  /// - Precondition: not negative, and with at most 15 digits before the point.
  fileprivate func decimal(fractionDigits: Int) -> String {
    guard fractionDigits > 0 else { return "\(Int(rounded(.toNearestOrEven)))" }
    let scale = fractionDigits == 1 ? 10.0 : 100.0
    let product = self * scale
    // The product is rounded; what it lost decides where it looks like a tie.
    let lost = (-product).addingProduct(self, scale)
    var units = product.rounded(.toNearestOrEven)
    if product - product.rounded(.down) == 0.5, lost != 0 {
      units = product.rounded(lost > 0 ? .up : .down)
    }
    let fraction = String(Int(units) % Int(scale))
    let zeros = String(repeating: "0", count: fractionDigits - fraction.count)
    return "\(Int(units) / Int(scale)).\(zeros)\(fraction)"
  }
}
