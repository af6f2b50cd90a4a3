/// How deep a verification looks; each level includes those before it.
public enum Level: String, Sendable, Hashable, CaseIterable, Comparable {
  /// Names, shapes, types, metadata and small files.
  case structure
  /// Every element, or a sample of rows.
  case values
  /// Each linear layer on probe vectors, as the target's operators compute it.
  case operators
  /// The whole model on the same tokens, for the architectures whose layers are among the reference
  /// kernels.
  case logits

  public static func < (a: Level, b: Level) -> Bool { a.depth < b.depth }

  private var depth: Int { Level.allCases.firstIndex(of: self)! }  // every case is in `allCases`
}

/// What a check, a level or a whole verification came to.
public enum Verdict: String, Sendable, Hashable, CaseIterable {
  case pass, fail
  /// Nothing, or not enough, was compared.
  case inconclusive

  /// Fails when one fails, passes when all pass and there is at least one.
  public static func all(_ verdicts: some Sequence<Verdict>) -> Verdict {
    var isEmpty = true
    var result = Verdict.pass
    for verdict in verdicts {
      isEmpty = false
      if verdict == .fail { return .fail }
      if verdict == .inconclusive { result = .inconclusive }
    }
    return isEmpty ? .inconclusive : result
  }
}
