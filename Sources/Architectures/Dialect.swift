import TensorTypes

/// One way to name and store the tensors of an architecture: that of Hugging Face, that of GGUF.
///
/// It runs both ways: from stored names to roles, and from roles to stored names.
public struct Dialect: Sendable {
  /// Names may stand with or without one of these in front; the first is the one written.
  public let prefixes: [String]
  public let mappings: [Mapping]
  public let drops: [Drop]
  /// How names are read that are neither mapped nor dropped as they stand.
  public let spellings: [Spelling]

  /// Another spelling of names, which is read and never written.
  public enum Spelling: Sendable, Hashable {
    /// The words in front may be missing.
    case without(String)
    /// The first ending stands for the second.
    case ending(String, meaning: String)
  }

  public init(
    prefixes: [String] = [""], mappings: [Mapping], drops: [Drop] = [], spellings: [Spelling] = []
  ) {
    self.prefixes = prefixes
    self.spellings = spellings
    self.mappings = mappings
    self.drops = drops
  }

  /// What a stored name stands for.
  public enum Reading: Sendable {
    /// One mapping, or several when one stored tensor holds the tensors of several roles.
    case tensor([Mapping], NamePattern.Bindings)
    case dropped(Drop)
  }

  /// What a stored name stands for; nil when the architecture has no such tensor.
  public func read(_ name: ByteString) -> Reading? {
    for prefix in prefixes where name.hasPrefix(prefix) {
      let rest = prefix.isEmpty ? name : name.dropping(prefix)
      if let reading = lookUp(rest) { return reading }
      for spelling in spellings {
        if let reading = spelling.usual(rest).flatMap(lookUp) { return reading }
      }
    }
    return nil
  }

  private func lookUp(_ name: ByteString) -> Reading? {
    var bindings = NamePattern.Bindings()
    let fitting = mappings.filter { mapping in
      guard let found = mapping.name.match(name) else { return false }
      bindings = found
      return true
    }
    if !fitting.isEmpty { return .tensor(fitting, bindings) }
    return drops.first { $0.name.match(name) != nil }.map { .dropped($0) }
  }

  /// How a role is written: the first of its mappings.
  public func writing(_ role: Role) -> Mapping? {
    mappings.first { $0.role == role }
  }

  /// How a role is written: the first of its mappings, with the others where it is only a part.
  public func writings(_ role: Role) -> [Mapping] {
    guard let first = writing(role) else { return [] }
    return first.latent == nil ? [first] : mappings.filter { $0.role == role && $0.latent != nil }
  }

  public func name(_ mapping: Mapping, _ bindings: NamePattern.Bindings) -> ByteString {
    ByteString((prefixes.first ?? "") + mapping.name.name(bindings).text)
  }
}

extension Dialect.Spelling {
  /// The name in the usual spelling; nil when it is not in this one.
  fileprivate func usual(_ name: ByteString) -> ByteString? {
    switch self {
    case .without(let words): ByteString(words + name.text)
    case .ending(let own, let usual):
      name.hasSuffix(own) ? ByteString(String(name.text.dropLast(own.count)) + usual) : nil
    }
  }
}

extension ByteString {
  /// The text without an ASCII prefix that it has.
  fileprivate func dropping(_ prefix: String) -> ByteString {
    ByteString(String(decoding: utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
  }
}
