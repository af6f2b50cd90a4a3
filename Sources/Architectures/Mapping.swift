import TensorTypes

/// How a checkpoint of one architecture stores the tensors of one role.
public struct Mapping: Sendable {
  /// What leads from the stored form to the canonical one. Every step can be undone.
  public enum Step: Sendable, Hashable {
    /// Rows and columns change places; vectors stay as they are.
    case transpose
    /// One half of the rows of each expert: 0 or 1.
    case half(Int)
    /// Each head's rows hold neighbouring pairs instead of two halves.
    case interleavedHeads(Heads)
    /// One half of MLA's up-projection, head by head: the keys' rows, transposed, or the values'.
    /// The two stored tensors together are one of the canonical form.
    case latent(Latent)
  }

  /// Which rows of each head of MLA's up-projection.
  public enum Latent: Sendable, Hashable, CaseIterable {
    case keys, values
  }

  /// Which part of the canonical tensor the stored one is; nil when it is the whole.
  public var latent: Latent? {
    for case .latent(let part) in steps { return part }
    return nil
  }

  /// Which heads the rows belong to.
  public enum Heads: Sendable, Hashable {
    case query, keyValue
  }

  /// The stored names; a pattern without `{E}` for a role of experts stands for all experts,
  /// stacked along a new first axis.
  public let name: NamePattern
  public let role: Role
  public let steps: [Step]

  public init(_ name: NamePattern, _ role: Role, _ steps: [Step] = []) {
    self.name = name
    self.role = role
    self.steps = steps
  }
}

extension Role {
  /// Whether there is one tensor for each expert.
  public var isExpert: Bool {
    switch self {
    case .expertGate, .expertUp, .expertDown: true
    default: false
    }
  }
}

/// A tensor that a checkpoint may hold and no runtime needs.
public struct Drop: Sendable {
  public let name: NamePattern
  public let reason: String

  public init(_ name: NamePattern, because reason: String) {
    self.name = name
    self.reason = reason
  }
}
