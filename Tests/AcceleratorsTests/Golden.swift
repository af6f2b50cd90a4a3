import ByteIO
import TensorTypes
import Testing
import WeightFormats

/// What the reference converter wrote for one checkpoint and type; see `Fixtures/targets`.
struct Golden: Sendable, CustomTestStringConvertible {
  /// The folder under `Fixtures/targets`.
  let folder: String
  /// The folder under `Fixtures/models`, or under `seeded` or `seeded-ascend` there.
  let checkpoint: String
  let type: String

  var testDescription: String { "\(checkpoint).\(type)" }

  static let fixtures: String = {
    let parts = #filePath.utf8.split(separator: UInt8(ascii: "/"))
    return "/" + parts.dropLast(3).map { String(Substring($0)) }.joined(separator: "/")
      + "/Fixtures"
  }()

  /// Those of one folder under `Fixtures/targets`.
  static func all(in name: String) -> [Golden] {
    let folder = try? Folder(path: fixtures + "/targets/" + name)
    return (folder?.names ?? []).filter { $0.hasSuffix(".json") }.compactMap { file in
      let parts = file.utf8.split(separator: UInt8(ascii: "."))
      guard parts.count == 3 else { return nil }
      return Golden(
        folder: name, checkpoint: String(Substring(parts[0])), type: String(Substring(parts[1])))
    }
  }

  static let all = all(in: "gguf") + all(in: "gguf-ascend")

  /// Where the checkpoint lies.
  var path: String {
    let places = ["seeded", "seeded-ascend"].map { "\(Golden.fixtures)/models/\($0)/\(checkpoint)" }
    return places.first { (try? Folder(path: $0)) != nil }
      ?? "\(Golden.fixtures)/models/\(checkpoint)"
  }

  func json() throws -> JSON {
    let folder = try Folder(path: "\(Golden.fixtures)/targets/\(self.folder)")
    return try #require(try folder.json("\(checkpoint).\(type).json"))
  }
}

extension MetadataValue {
  /// The type as the goldens spell it.
  var goldenType: String {
    if case .array(let array) = self { return "ARRAY[\(array.goldenType)]" }
    return goldenNames[typeName] ?? typeName
  }

  /// The value as the goldens give it.
  var goldenValue: JSON {
    switch self {
    case .string(let value): .string(value)
    case .bool(let value): .bool(value)
    case .float32(let value): .number(Double(value))
    case .float64(let value): .number(value)
    case .array(let array): array.goldenValue
    default: integer.map(JSON.integer) ?? .null
    }
  }
}

extension MetadataArray {
  fileprivate var goldenType: String { goldenNames[elementTypeName] ?? elementTypeName }

  fileprivate var values: [MetadataValue] {
    switch self {
    case .int32(let values): values.map(MetadataValue.int32)
    case .float32(let values): values.map(MetadataValue.float32)
    case .bool(let values): values.map(MetadataValue.bool)
    case .string(let values): values.map(MetadataValue.string)
    default: []
    }
  }

  fileprivate var goldenValue: JSON {
    guard count > 16 else { return .array(values.map(\.goldenValue)) }
    var object = JSONObject()
    object.append("count", .integer(count))
    object.append("element_type", .string(ByteString(goldenType)))
    object.append("sha256", .string(ByteString(sha256(values.flatMap(\.encoded)))))
    return .object(object)
  }
}

extension MetadataValue {
  /// The value in GGUF's encoding.
  fileprivate var encoded: [UInt8] {
    switch self {
    case .int32(let value): littleEndian(value)
    case .float32(let value): littleEndian(value.bitPattern)
    case .bool(let value): [value ? 1 : 0]
    case .string(let value): littleEndian(UInt64(value.utf8.count)) + Array(value.utf8)
    default: []
    }
  }
}

extension JSON {
  /// Whether two values are equal where 1 and 1.0 are the same number.
  func equals(_ other: JSON) -> Bool {
    switch (self, other) {
    case (.array(let a), .array(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.equals($1) }
    default: self == other || double != nil && double == other.double
    }
  }
}

private func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

private let goldenNames = [
  "u8": "UINT8", "i8": "INT8", "u16": "UINT16", "i16": "INT16", "u32": "UINT32", "i32": "INT32",
  "u64": "UINT64", "i64": "INT64", "f32": "FLOAT32", "f64": "FLOAT64", "bool": "BOOL",
  "string": "STRING",
]
