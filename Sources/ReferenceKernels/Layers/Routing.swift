/// How a mixture of experts chooses and weights them.
public struct Routing: Sendable, Hashable {
  /// What scores are made of the router's outputs.
  public enum Score: Sendable, Hashable {
    case softmax, sigmoid
  }

  /// Experts in groups of equal size, of which some are chosen first.
  public struct Groups: Sendable, Hashable {
    /// What a group is chosen by.
    public enum Choice: Sendable, Hashable {
      /// The best of its experts, as in DeepSeek V2.
      case best
      /// The sum of its two best experts, as in DeepSeek V3.
      case bestTwo
    }

    public let count: Int
    public let usedCount: Int
    public let choice: Choice

    public init(count: Int, usedCount: Int, choice: Choice) {
      self.count = count
      self.usedCount = usedCount
      self.choice = choice
    }
  }

  public let score: Score
  public let usedCount: Int
  /// Whether the weights of the chosen experts are divided by their sum.
  public let normalises: Bool
  /// What the weights are multiplied with at the end.
  public let scale: Double
  public let groups: Groups?

  public init(
    score: Score, usedCount: Int, normalises: Bool, scale: Double = 1, groups: Groups? = nil
  ) {
    self.score = score
    self.usedCount = usedCount
    self.normalises = normalises
    self.scale = scale
    self.groups = groups
  }

  /// What the router's outputs for one token come to: `softmax(x)` or `sigmoid(x)`.
  public func scores(_ logits: some Collection<Double>) -> [Double] {
    switch score {
    case .softmax: softmax(logits)
    case .sigmoid: logits.map(sigmoid)
    }
  }

  /// What was chosen for one token.
  public struct Chosen: Sendable, Hashable {
    /// Ascending.
    public let experts: [Int]
    /// By how much the last choice, of an expert or a group, was won; infinity where all are taken.
    public let lead: Double
  }

  /// The best experts by `score + correction`, in the best groups; of equal ones the first.
  ///
  /// - Source: transformers `modeling_mixtral.py`, `MixtralTopKRouter`; `modeling_qwen3_moe.py`,
  ///   `Qwen3MoeTopKRouter`; `modeling_deepseek_v2.py` and `_v3.py`, `DeepseekV3TopkRouter`.
  public func chosen(_ scores: [Double], correction: [Double]? = nil) -> Chosen {
    var values = scores
    if let correction { for (index, value) in correction.enumerated() { values[index] += value } }
    var candidates = Array(values.indices)
    var lead = Double.infinity
    if let groups {
      let size = values.count / groups.count
      let best = (0..<groups.count).map { group in
        let own = values[group * size..<(group + 1) * size].sorted(by: >)
        return groups.choice == .bestTwo && size > 1 ? own[0] + own[1] : own[0]
      }
      let kept = greatest(groups.usedCount, of: best, among: Array(best.indices))
      candidates = candidates.filter { kept.positions.contains($0 / size) }
      lead = kept.lead
    }
    let experts = greatest(usedCount, of: values, among: candidates)
    return Chosen(experts: experts.positions.sorted(), lead: min(lead, experts.lead))
  }

  /// The weight of each of some experts: its score without the correction, divided by the sum of
  /// all of them where the model does so, times the scale.
  public func weights(_ scores: [Double], of experts: [Int]) -> [Double] {
    let own = experts.map { scores[$0] }
    let sum = normalises ? own.reduce(0, +) : 1
    return own.map { $0 / sum * scale }
  }
}

/// The positions of the greatest values, and by how much the last of them leads the next.
private func greatest(
  _ count: Int, of values: [Double], among positions: [Int]
) -> (positions: [Int], lead: Double) {
  let order = positions.sorted { values[$0] == values[$1] ? $0 < $1 : values[$0] > values[$1] }
  guard count > 0, count < order.count else { return (order, .infinity) }
  return (Array(order.prefix(count)), values[order[count - 1]] - values[order[count]])
}
