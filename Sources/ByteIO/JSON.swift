import TensorTypes

/// A JSON value as a tree: configs and tokenizers, not headers of weight files.
public enum JSON: Sendable, Hashable {
  case null
  case bool(Bool)
  /// A number without fraction and exponent that fits `Int`.
  case integer(Int)
  case number(Double)
  case string(ByteString)
  case array([JSON])
  case object(JSONObject)
}

/// The members of a JSON object in the order of the text, with unique keys.
public struct JSONObject: Sendable, Hashable {
  public struct Member: Sendable, Hashable {
    public let key: ByteString
    public let value: JSON
  }

  public private(set) var members: [Member] = []
  private var positions: [ByteString: Int] = [:]

  public init() {}

  public subscript(key: ByteString) -> JSON? { positions[key].map { members[$0].value } }

  /// Adds a member at the end; false, and no change, when the key is already there.
  @discardableResult
  public mutating func append(_ key: ByteString, _ value: JSON) -> Bool {
    guard positions.updateValue(members.count, forKey: key) == nil else {
      positions[key] = members.firstIndex { $0.key == key }
      return false
    }
    members.append(Member(key: key, value: value))
    return true
  }

  public static func == (a: JSONObject, b: JSONObject) -> Bool { a.members == b.members }
  public func hash(into hasher: inout Hasher) { hasher.combine(members) }
}

extension JSON {
  /// Parses a whole JSON text.
  ///
  /// - Throws: `badInput` with the offset for malformed text and for a key that comes twice.
  public init(parsing bytes: [UInt8], file: String? = nil) throws(Failure) {
    var scanner = JSONScanner(bytes, file: file)
    self = try JSON(scanning: &scanner, file: file)
    try scanner.end()
  }

  init(scanning scanner: inout JSONScanner, file: String?) throws(Failure) {
    switch try scanner.nextKind() {
    case .object:
      var object = JSONObject()
      try scanner.object { (s, key, offset) throws(Failure) in
        guard object.append(key, try JSON(scanning: &s, file: file)) else {
          throw Failure(
            .badInput, "the key comes twice in one object", file: file, subject: .key(key),
            offset: offset)
        }
      }
      self = .object(object)
    case .array:
      var elements: [JSON] = []
      try scanner.array { (s) throws(Failure) in
        elements.append(try JSON(scanning: &s, file: file))
      }
      self = .array(elements)
    case .string: self = .string(try scanner.string())
    case .number:
      let spelling = try scanner.number()
      if let integer = Int(spelling) {
        self = .integer(integer)
      } else {
        self = .number(Double(spelling) ?? .infinity)  // a valid number beyond Double's range
      }
    case .literal:
      self = try scanner.literal().map(JSON.bool) ?? .null
    }
  }

  public subscript(key: ByteString) -> JSON? { object?[key] }

  public var isNull: Bool { self == .null }
  public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
  public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
  public var byteString: ByteString? { if case .string(let value) = self { value } else { nil } }
  public var string: String? { byteString?.text }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }

  /// The value as a number, whether it was written with a fraction or not.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}
