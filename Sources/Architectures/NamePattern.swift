import TensorTypes

/// Tensor names with variables: `model.layers.{L}.mlp.experts.{E}.up_proj.{p}`.
///
/// `{L}` is the number of a layer, `{E}` that of an expert, `{p}` is `weight` or `bias`. A pattern
/// reads names and writes them.
public struct NamePattern: Sendable, Hashable {
  /// What the variables of a pattern stand for in one name.
  public struct Bindings: Sendable, Hashable {
    public var layer: Int?
    public var expert: Int?
    public var part: Part = .weight

    public init(layer: Int? = nil, expert: Int? = nil, part: Part = .weight) {
      self.layer = layer
      self.expert = expert
      self.part = part
    }
  }

  /// The last word of a name with `{p}`.
  public enum Part: String, Sendable, Hashable, CaseIterable {
    case weight, bias
  }

  enum Segment: Sendable, Hashable {
    case text([UInt8]), layer, expert, part
  }

  /// As it was spelt.
  public let spelling: String
  let segments: [Segment]

  /// A number in a name is below this; more would be no model's.
  static let numberLimit = 1_000_000

  public var hasLayer: Bool { segments.contains(.layer) }
  public var hasExpert: Bool { segments.contains(.expert) }
  public var hasPart: Bool { segments.contains(.part) }

  /// What the variables stand for; nil when the name is not of this pattern.
  public func match(_ name: ByteString) -> Bindings? {
    var bytes = Substring(name.text).utf8
    var bindings = Bindings()
    for segment in segments {
      switch segment {
      case .text(let text):
        guard bytes.starts(with: text) else { return nil }
        bytes = bytes.dropFirst(text.count)
      case .layer, .expert:
        guard let number = NamePattern.takeNumber(&bytes) else { return nil }
        if segment == .layer { bindings.layer = number } else { bindings.expert = number }
      case .part:
        guard let part = Part.allCases.first(where: { bytes.elementsEqual($0.rawValue.utf8) })
        else { return nil }
        bindings.part = part
        bytes = bytes.dropFirst(part.rawValue.utf8.count)
      }
    }
    return bytes.isEmpty ? bindings : nil
  }

  /// The name for these values.
  ///
  /// - Precondition: every variable of the pattern has a value.
  public func name(_ bindings: Bindings) -> ByteString {
    var bytes: [UInt8] = []
    for segment in segments {
      switch segment {
      case .text(let text): bytes += text
      case .layer: bytes += String(bindings.layer!).utf8  // the precondition
      case .expert: bytes += String(bindings.expert!).utf8  // the precondition
      case .part: bytes += bindings.part.rawValue.utf8
      }
    }
    return ByteString(String(decoding: bytes, as: UTF8.self))
  }

  /// Digits without leading zeros, so that each name has one reading.
  private static func takeNumber(_ bytes: inout Substring.UTF8View) -> Int? {
    var value = 0
    var count = 0
    while let byte = bytes.first, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
      if count > 0, value == 0 { return nil }
      value = value * 10 + Int(byte - UInt8(ascii: "0"))
      guard value < numberLimit else { return nil }
      count += 1
      bytes = bytes.dropFirst()
    }
    return count > 0 ? value : nil
  }
}

extension NamePattern: ExpressibleByStringLiteral, CustomStringConvertible {
  public init(stringLiteral spelling: String) {
    self.spelling = spelling
    var segments: [Segment] = []
    var text: [UInt8] = []
    var bytes = Substring(spelling).utf8
    let variables: [(String, Segment)] = [("{L}", .layer), ("{E}", .expert), ("{p}", .part)]
    while let byte = bytes.first {
      if let (name, segment) = variables.first(where: { bytes.starts(with: $0.0.utf8) }) {
        if !text.isEmpty { segments.append(.text(text)) }
        text = []
        segments.append(segment)
        bytes = bytes.dropFirst(name.utf8.count)
      } else {
        text.append(byte)
        bytes = bytes.dropFirst()
      }
    }
    if !text.isEmpty { segments.append(.text(text)) }
    self.segments = segments
  }

  public var description: String { spelling }
}
