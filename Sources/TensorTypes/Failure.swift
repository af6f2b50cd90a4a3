/// Why an operation stopped: what was wrong, where, and what was expected instead.
///
/// One type serves every module, because every error of `port` says the same things: file, tensor
/// or key, byte, expected, found. Only the command line turns it into text, JSON and an exit code.
public struct Failure: Error, Sendable, Hashable {
  /// Whose fault it is; the command line maps each to an exit code.
  public enum Kind: String, Sendable, CaseIterable {
    /// The request contradicts itself or names something unknown.
    case usage
    /// The input breaks a rule of its format.
    case badInput
    /// The input is missing or cannot be opened.
    case missingInput
    /// A bug in `port`.
    case defect
    /// The output cannot be created: it exists, or there is no space or permission for it.
    case cannotCreate
    /// A read or write failed midway.
    case inputOutput
    /// A signal asked the process to stop.
    case interrupted
  }

  /// The part of a file that an error is about.
  public enum Subject: Sendable, Hashable {
    case tensor(ByteString), key(ByteString), member(ByteString)
  }

  public var kind: Kind
  public var file: String?
  public var subject: Subject?
  /// - Units: bytes from the start of the file.
  public var offset: Int?
  /// One sentence without a full stop.
  public var message: String
  public var expected: String?
  public var found: String?

  public init(
    _ kind: Kind, _ message: String, file: String? = nil, subject: Subject? = nil,
    offset: Int? = nil, expected: String? = nil, found: String? = nil
  ) {
    self.kind = kind
    self.message = message
    self.file = file
    self.subject = subject
    self.offset = offset
    self.expected = expected
    self.found = found
  }

  /// The same failure with the file and subject filled in where they were unknown.
  public func located(file: String? = nil, subject: Subject? = nil) -> Failure {
    var copy = self
    copy.file = self.file ?? file
    copy.subject = self.subject ?? subject
    return copy
  }
}

extension Failure: CustomStringConvertible {
  /// `<file>: <tensor 'x'>: at byte <n>: <message> (expected …, found …)`, unknown parts left out.
  public var description: String {
    var parts: [String] = []
    if let file { parts.append(file.escapingControlCharacters) }
    switch subject {
    case .tensor(let name): parts.append("tensor '\(name)'")
    case .key(let name): parts.append("key '\(name)'")
    case .member(let name): parts.append("member '\(name)'")
    case nil: break
    }
    if let offset { parts.append("at byte \(offset)") }
    parts.append(message.escapingControlCharacters)
    let text = parts.joined(separator: ": ")
    let details = [expected.map { "expected \($0)" }, found.map { "found \($0)" }]
      .compactMap(\.self).joined(separator: ", ").escapingControlCharacters
    return details.isEmpty ? text : "\(text) (\(details))"
  }
}
