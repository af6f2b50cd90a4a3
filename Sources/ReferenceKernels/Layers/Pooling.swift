/// How a sentence encoder makes one row of its tokens' rows.
///
/// - Source: sentence-transformers `models/Pooling.py`.
public enum Pooling: Sendable, Hashable {
  /// The mean over all tokens.
  case mean
  /// The first token's row.
  case first
  /// The last token's row.
  case last

  /// - Shape: `[tokens, width]` → `[width]`.
  /// - Precondition: there is at least one row.
  public func callAsFunction(_ x: Rows) -> [Double] {
    switch self {
    case .first: return Array(x[0])
    case .last: return Array(x[x.count - 1])
    case .mean:
      var sums = [Double](repeating: 0, count: x.width)
      for row in 0..<x.count {
        for (index, value) in x[row].enumerated() { sums[index] += value }
      }
      return sums.map { $0 / Double(x.count) }
    }
  }
}
