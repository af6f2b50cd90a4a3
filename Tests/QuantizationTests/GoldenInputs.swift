import ByteIO
import Foundation
import TensorTypes
import Testing

/// The inputs of the golden blocks, from the description in `Fixtures/quants/ggml/README.md`.
enum GoldenInputs {
  static let rowCount = 8
  static let rowLength = 1024

  static let names = ["normal", "constant", "tiny", "huge", "ties", "outliers"]

  static let importance: [Float] = {
    var generator = Generator(state: 7)
    return (0..<rowLength).map { _ in Float(1 + generator.next() >> 14) / 1024 }
  }()

  private static let normal: [Float] = {
    var generator = Generator(state: 42)
    return (0..<rowCount * rowLength).map { _ in
      let sum = (0..<4).reduce(0) { sum, _ in sum + generator.next() >> 12 }
      return Float(sum - 8190) / 262144
    }
  }()

  static let all: [String: [Float]] = Dictionary(uniqueKeysWithValues: names.map { ($0, make($0)) })

  private static func make(_ name: String) -> [Float] {
    var values = normal
    for index in values.indices {
      let (row, column) = index.quotientAndRemainder(dividingBy: rowLength)
      switch name {
      case "constant":
        switch (row, column / 256) {
        case (0, 1), (2, _): values[index] = 0
        case (1, 0): values[index] = 0.0078125
        case (3, _): values[index] = -0.0078125
        default: break
        }
      case "tiny": values[index] *= Float(sign: .plus, exponent: -4 * row, significand: 1)
      case "huge": values[index] *= 300_000
      case "ties": values[index] = (values[index] * 64).rounded(.toNearestOrEven) / 64
      case "outliers":
        if column % 97 == 5 { values[index] *= 32 }
        if column % 8 == 3 { values[index] = 0 }
        if column % 101 == 7 { values[index] *= -64 }
      default: break
      }
    }
    return values
  }
}

/// The generator of the inputs: 24 bits a step.
struct Generator {
  var state: UInt64

  mutating func next() -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 40)
  }
}

/// What the reference gave.
struct Golden {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Fixtures/quants/ggml").standardizedFileURL

  static let json = Result { try read("golden.json") }

  private static func read(_ name: String) throws -> JSON {
    try JSON(parsing: [UInt8](Data(contentsOf: folder.appending(path: name))), file: name)
  }

  /// `TYPE.INPUT.KIND` of every result.
  static var keys: [String] {
    (try? json.get())?["results"]?.object?.members.map(\.key.text) ?? []
  }

  /// The SHA-256 of an input or the importance matrix.
  static func input(_ name: String) throws -> String {
    let json = try json.get()
    let hash = name == "imatrix" ? json["imatrix"] : json["inputs"]?[ByteString(name)]
    return try #require(hash?.string)
  }

  /// The SHA-256 of the encoded bytes and of the decoded values; nil when the reference refuses.
  static func result(_ key: String) throws -> (encoded: String, decoded: String)? {
    guard let result = try json.get()["results"]?[ByteString(key)] else { return nil }
    return (try #require(result["sha256"]?.string), try #require(result["decoded"]?.string))
  }
}
