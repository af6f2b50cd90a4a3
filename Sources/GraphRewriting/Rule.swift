import TensorTypes

/// How close the values after a rewriting are to those before.
public enum Fidelity: Sendable, Hashable {
  /// The same bits.
  case bitExact
  /// Equal in real arithmetic; floating point may round elsewhere.
  case exactInReals
  /// Within a relative error of the largest value of each block.
  case lossy(relative: Double)
}

extension Fidelity: CustomStringConvertible {
  public var description: String {
    switch self {
    case .bitExact: "bit-exact"
    case .exactInReals: "exact in the reals"
    case .lossy(let relative): "within \(relative) of the largest value of a block"
    }
  }
}

/// One equation between graphs, used from left to right.
public struct Rule: Sendable {
  public let name: String
  /// The equation, for people.
  public let law: String
  public let fidelity: Fidelity
  public let pattern: Pattern
  /// The right side; nil when the match fails a condition that patterns cannot state.
  public let rewrite: @Sendable (Match) -> Term?
  /// A graph whose first output the rule changes.
  public let example: @Sendable () throws(Failure) -> WeightGraph

  public init(
    name: String, law: String, fidelity: Fidelity, pattern: Pattern,
    rewrite: @escaping @Sendable (Match) -> Term?,
    example: @escaping @Sendable () throws(Failure) -> WeightGraph
  ) {
    self.name = name
    self.law = law
    self.fidelity = fidelity
    self.pattern = pattern
    self.rewrite = rewrite
    self.example = example
  }
}

/// Rules that are applied together until none fits; their order does not matter.
public struct RuleSet: Sendable {
  public let phase: String
  public let rules: [Rule]

  public init(phase: String, rules: [Rule]) {
    self.phase = phase
    self.rules = rules
  }
}
