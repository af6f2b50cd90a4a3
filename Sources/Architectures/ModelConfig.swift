import ByteIO
import TensorTypes

/// A model's `config.json`, read by what it means.
///
/// Both spellings of RoPE settings are understood: `rope_theta` with `rope_scaling`, and
/// `rope_parameters`.
public struct ModelConfig: Sendable {
  public let json: JSON
  /// The path, for messages.
  public let file: String

  public init(_ json: JSON, file: String) {
    self.json = json
    self.file = file
  }

  /// The first of these keys that is present, as a whole number; nil when none is, or when it is
  /// `null`.
  ///
  /// - Throws: `badInput` when the value is something else, negative or beyond 2³²−1.
  public func count(_ keys: String...) throws(Failure) -> Int? {
    try count(keys, in: json)
  }

  /// The value of one of these keys, which must be there.
  public func requiredCount(_ keys: [String]) throws(Failure) -> Int {
    guard let value = try count(keys, in: json) else {
      throw Failure(
        .badInput, "the key is missing", file: file, subject: .key(ByteString(keys[0])),
        expected: "a whole number", found: "nothing")
    }
    return value
  }

  public func count(_ keys: [String], in object: JSON) throws(Failure) -> Int? {
    guard let (key, value) = first(keys, in: object), !value.isNull else { return nil }
    guard let integer = value.integer, (0...Int(UInt32.max)).contains(integer) else {
      throw wrong(key, value, expected: "a whole number from 0 to \(UInt32.max)")
    }
    return integer
  }

  /// The first of these keys that is present, as a number.
  public func number(_ keys: String...) throws(Failure) -> Double? {
    try number(keys, in: json)
  }

  public func number(_ keys: [String], in object: JSON) throws(Failure) -> Double? {
    guard let (key, value) = first(keys, in: object), !value.isNull else { return nil }
    guard let number = value.double, number.isFinite else {
      throw wrong(key, value, expected: "a number")
    }
    return number
  }

  /// Whether a key is there, with any value.
  public func has(_ key: String) -> Bool { json[ByteString(key)] != nil }

  /// Attention heads, which every model but a few has.
  public var headCount: Int {
    get throws(Failure) { try positive(["num_attention_heads", "n_head"]) }
  }

  public var embeddingLength: Int {
    get throws(Failure) { try positive(["hidden_size", "n_embd", "dim"]) }
  }

  /// The length of a head, given or as embedding length over heads.
  public var headLength: Int {
    get throws(Failure) {
      if let given = try count("head_dim") { return given }
      return try embeddingLength / headCount
    }
  }

  /// RoPE's settings beside the base frequency: `rope_scaling`, which users add by hand, or
  /// `rope_parameters`.
  public var ropeScaling: JSON? {
    [json["rope_scaling"], json["rope_parameters"]].first { $0?.object != nil } ?? nil
  }

  /// `linear`, `yarn`, `llama3` …; nil when RoPE is not scaled.
  public var ropeScalingType: String? {
    let scaling = ropeScaling
    guard let type = (scaling?["rope_type"] ?? scaling?["type"])?.string else { return nil }
    return type == "default" ? nil : type
  }

  /// The base frequency of RoPE.
  public func ropeBase(default fallback: Double) throws(Failure) -> Double {
    if let scaling = json["rope_parameters"], let base = try number(["rope_theta"], in: scaling) {
      return base
    }
    return try number("rope_theta") ?? fallback
  }

  private func positive(_ keys: [String]) throws(Failure) -> Int {
    let value = try requiredCount(keys)
    guard value > 0 else {
      throw Failure(
        .badInput, "the value is zero", file: file, subject: .key(ByteString(keys[0])),
        expected: "at least 1", found: "0")
    }
    return value
  }

  private func first(_ keys: [String], in object: JSON) -> (String, JSON)? {
    for key in keys {
      if let value = object[ByteString(key)] { return (key, value) }
    }
    return nil
  }

  private func wrong(_ key: String, _ value: JSON, expected: String) -> Failure {
    Failure(
      .badInput, "the value is not usable", file: file, subject: .key(ByteString(key)),
      expected: expected, found: value.summary)
  }
}
