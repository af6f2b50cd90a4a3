import RealModule
import ReferenceKernels

/// How far apart two models are on the same tokens.
public struct ModelMetrics: Sendable, Hashable {
  /// What two models say about the next token.
  public struct Distribution: Sendable, Hashable {
    /// Kullback-Leibler divergence of the converted model from the source, over all positions.
    ///
    /// - Units: nats.
    public var meanKL = 0.0
    public var p99KL = 0.0
    public var greatestKL = 0.0
    /// Shares of the positions.
    public var sameFirst = 0.0
    /// The mean share of the five best tokens that both have.
    public var sameFive = 0.0
    /// Positions where the first token differs although the source's leads by more than noise.
    public var lostFirstCount = 0
    /// nil for one token.
    public var sourcePerplexity: Double?
    public var convertedPerplexity: Double?
  }

  public var tokenCount = 0
  /// RMS of the difference over RMS of the source's, of logits less their mean, or of hidden states.
  public var error = 0.0
  public var errorBound = 0.0
  /// nil for a model without a head.
  public var distribution: Distribution?
  public var meanKLBound = 0.0
  /// Choices of experts, and those that differ although they were won by more than noise.
  public var choiceCount = 0
  public var lostChoiceCount = 0
  /// Those that differ at all; experts of the source are taken for both.
  public var otherChoiceCount = 0
  /// The relative error after the embedding and after each layer, and what noise makes there.
  public var layerErrors: [Double] = []
  public var layerNoise: [Double] = []
}

/// The difference between the outputs of two models.
struct OutputDifference {
  let error: Double
  let greatest: Double
  let layerErrors: [Double]
  /// nil for a model without a head.
  let divergences: [Double]?

  /// - Precondition: the outputs have the same shape.
  init(_ a: ModelOutput, _ b: ModelOutput) {
    let (x, y) = a.isLogits ? (centred(a.rows), centred(b.rows)) : (a.rows, b.rows)
    var pooled = 0.0
    if let x = a.pooled, let y = b.pooled { pooled = relativeError(x, y) }
    error = max(relativeError(x.values, y.values), pooled)
    greatest = zip(x.values, y.values).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
    layerErrors = zip(a.states, b.states).map { relativeError($0.values, $1.values) }
    divergences =
      a.isLogits
      ? (0..<x.count).map { divergence(of: y[$0], from: x[$0]) } : nil
  }
}

/// Logits say the same when a number is added to all of a row.
private func centred(_ rows: Rows) -> Rows {
  var result = rows
  for row in 0..<rows.count {
    let mean = rows[row].reduce(0, +) / Double(rows.width)
    for index in row * rows.width..<(row + 1) * rows.width { result.values[index] -= mean }
  }
  return result
}

/// RMS of the difference over RMS of the first; infinite where something is no number.
private func relativeError(_ a: [Double], _ b: [Double]) -> Double {
  var error = 0.0
  var scale = 0.0
  for (x, y) in zip(a, b) {
    error += (x - y) * (x - y)
    scale += x * x
  }
  guard a.count == b.count, error.isFinite else { return .infinity }
  return error == 0 ? 0 : (error / scale).squareRoot()
}

/// `Σ p · (ln p − ln q)` for the distributions of two rows of logits.
func divergence(of converted: ArraySlice<Double>, from source: ArraySlice<Double>) -> Double {
  let (p, q) = (logProbabilities(source), logProbabilities(converted))
  // Rounding may leave it a little below zero.
  return max(0, zip(p, q).reduce(0) { $0 + Double.exp($1.0) * ($1.0 - $1.1) })
}

/// `ln softmax(x)`.
func logProbabilities(_ x: ArraySlice<Double>) -> [Double] {
  let greatest = x.max() ?? 0
  let sum = x.reduce(0) { $0 + Double.exp($1 - greatest) }
  return x.map { $0 - greatest - .log(sum) }
}

extension ModelMetrics.Distribution {
  /// - Parameter allowance: what logits may differ by, up or down.
  init(_ a: ModelOutput, _ b: ModelOutput, _ tokens: [Int], allowance: Double) {
    let divergences = (0..<a.rows.count).map { divergence(of: b.rows[$0], from: a.rows[$0]) }
    let sorted = divergences.sorted()
    meanKL = divergences.reduce(0, +) / Double(divergences.count)
    greatestKL = sorted.last ?? 0
    p99KL = sorted[(sorted.count - 1) * 99 / 100]
    var (source, converted) = (0.0, 0.0)
    for row in 0..<a.rows.count {
      let (x, y) = (Array(a.rows[row]), Array(b.rows[row]))
      let (best, other) = (firstTokens(5, of: x), firstTokens(5, of: y))
      sameFive += Double(Set(best).intersection(other).count) / Double(best.count)
      if best.first == other.first {
        sameFirst += 1
      } else if x[best[0]] - x[other[0]] > 2 * allowance {
        lostFirstCount += 1
      }
      guard row + 1 < tokens.count else { continue }
      source -= logProbabilities(a.rows[row])[tokens[row + 1]]
      converted -= logProbabilities(b.rows[row])[tokens[row + 1]]
    }
    sameFirst /= Double(a.rows.count)
    sameFive /= Double(a.rows.count)
    if tokens.count > 1 {
      sourcePerplexity = .exp(source / Double(tokens.count - 1))
      convertedPerplexity = .exp(converted / Double(tokens.count - 1))
    }
  }
}

/// The tokens with the greatest logits, the first of equal ones first.
private func firstTokens(_ count: Int, of logits: [Double]) -> [Int] {
  var best: [Int] = []
  for _ in 0..<min(count, logits.count) {
    let next = logits.indices.filter { !best.contains($0) }.max { logits[$0] < logits[$1] }
    if let next { best.append(next) }
  }
  return best
}
