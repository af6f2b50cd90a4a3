/// One value of a checkpoint's metadata. The cases are GGUF's value types; safetensors has strings
/// only.
public enum MetadataValue: Sendable, Hashable {
  case uint8(UInt8), int8(Int8), uint16(UInt16), int16(Int16), uint32(UInt32), int32(Int32)
  case uint64(UInt64), int64(Int64), float32(Float), float64(Double), bool(Bool)
  case string(ByteString)
  case array(MetadataArray)
}

/// A metadata array: elements of one type.
public enum MetadataArray: Sendable, Hashable {
  case uint8([UInt8]), int8([Int8]), uint16([UInt16]), int16([Int16]), uint32([UInt32])
  case int32([Int32]), uint64([UInt64]), int64([Int64]), float32([Float]), float64([Double])
  case bool([Bool]), string([ByteString])

  public var count: Int {
    switch self {
    case .uint8(let a): a.count
    case .int8(let a): a.count
    case .uint16(let a): a.count
    case .int16(let a): a.count
    case .uint32(let a): a.count
    case .int32(let a): a.count
    case .uint64(let a): a.count
    case .int64(let a): a.count
    case .float32(let a): a.count
    case .float64(let a): a.count
    case .bool(let a): a.count
    case .string(let a): a.count
    }
  }
}

extension MetadataValue {
  public static func text(_ text: String) -> MetadataValue { .string(ByteString(text)) }

  /// The string, when the value is one.
  public var string: ByteString? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The value as an integer, whatever its width; nil for other types and beyond 2⁶³−1.
  public var integer: Int? {
    switch self {
    case .uint8(let v): Int(v)
    case .int8(let v): Int(v)
    case .uint16(let v): Int(v)
    case .int16(let v): Int(v)
    case .uint32(let v): Int(v)
    case .int32(let v): Int(v)
    case .uint64(let v): Int(exactly: v)
    case .int64(let v): Int(v)
    case .bool, .float32, .float64, .string, .array: nil
    }
  }

  /// The value as a number, whatever its type; nil for strings, arrays and booleans.
  public var number: Double? {
    switch self {
    case .float32(let v): Double(v)
    case .float64(let v): v
    default: integer.map(Double.init)
    }
  }

  /// The name of the type as GGUF's documentation spells it.
  public var typeName: String {
    switch self {
    case .uint8: "u8"
    case .int8: "i8"
    case .uint16: "u16"
    case .int16: "i16"
    case .uint32: "u32"
    case .int32: "i32"
    case .uint64: "u64"
    case .int64: "i64"
    case .float32: "f32"
    case .float64: "f64"
    case .bool: "bool"
    case .string: "string"
    case .array(let array): "array[\(array.elementTypeName)]"
    }
  }
}

extension MetadataArray {
  /// The name of the elements' type as GGUF's documentation spells it.
  public var elementTypeName: String {
    switch self {
    case .uint8: "u8"
    case .int8: "i8"
    case .uint16: "u16"
    case .int16: "i16"
    case .uint32: "u32"
    case .int32: "i32"
    case .uint64: "u64"
    case .int64: "i64"
    case .float32: "f32"
    case .float64: "f64"
    case .bool: "bool"
    case .string: "string"
    }
  }
}

/// Metadata in the order of the file: unique keys, each with a value.
public struct Metadata: Sendable {
  public struct Item: Sendable, Hashable {
    public let key: ByteString
    public let value: MetadataValue
  }

  public private(set) var items: [Item] = []
  private var positions: [ByteString: Int] = [:]

  public init() {}

  /// - Precondition: no key appears twice.
  public init(_ items: [(ByteString, MetadataValue)]) {
    for (key, value) in items {
      let isNew = append(key, value)
      precondition(isNew, "metadata key '\(key)' appears twice")
    }
  }

  public subscript(key: ByteString) -> MetadataValue? {
    positions[key].map { items[$0].value }
  }

  /// Adds `key` at the end; false, and no change, when it is already there.
  @discardableResult
  public mutating func append(_ key: ByteString, _ value: MetadataValue) -> Bool {
    guard positions[key] == nil else { return false }
    positions[key] = items.count
    items.append(Item(key: key, value: value))
    return true
  }

  /// Adds `key` at the end, or replaces its value where it stands.
  public mutating func set(_ key: ByteString, _ value: MetadataValue) {
    if let position = positions[key] {
      items[position] = Item(key: key, value: value)
    } else {
      append(key, value)
    }
  }
}

extension Metadata: Hashable {
  public static func == (a: Metadata, b: Metadata) -> Bool { a.items == b.items }
  public func hash(into hasher: inout Hasher) { hasher.combine(items) }
}
