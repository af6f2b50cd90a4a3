/// A value of YAML, as far as model cards use it.
indirect enum YAML: Sendable, Hashable {
  case null
  /// A scalar as it is written; `isText` is false for what YAML takes as a number, a boolean or a
  /// date.
  case scalar(String, isText: Bool)
  case sequence([YAML])
  case mapping([Pair])

  struct Pair: Sendable, Hashable {
    let key: String
    let value: YAML
  }

  subscript(key: String) -> YAML? {
    guard case .mapping(let pairs) = self else { return nil }
    return pairs.last { $0.key == key }?.value
  }

  /// A plain scalar, which says by its spelling what it is.
  ///
  /// - Source: PyYAML 6 `resolver.py`, which follows YAML 1.1.
  init(plain text: String) {
    switch text {
    case "", "~", "null", "Null", "NULL": self = .null
    case _ where YAML.booleans.contains(text): self = .scalar(text, isText: false)
    default: self = .scalar(text, isText: !YAML.isNumberOrDate(text))
    }
  }

  private static let booleans: Set<String> = Set(
    ["yes", "no", "true", "false", "on", "off"].flatMap { word in
      [word, word.prefix(1).uppercased() + word.dropFirst(), word.uppercased()]
    })

  private static func isNumberOrDate(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    var digits = bytes[...]
    if let sign = digits.first, sign == 0x2B || sign == 0x2D { digits.removeFirst() }
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) || byte == 0x5F }
    guard let first = digits.first, isDigit(first) && first != 0x5F || first == 0x2E else {
      return false
    }
    if [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"].contains(where: {
      digits.elementsEqual($0.utf8)
    }) {
      return true
    }
    if digits.starts(with: "0x".utf8) {
      return digits.count > 2
        && digits.dropFirst(2).allSatisfy {
          isDigit($0) || (0x61...0x66).contains($0 | 0x20)
        }
    }
    if digits.starts(with: "0b".utf8) {
      return digits.count > 2 && digits.dropFirst(2).allSatisfy { (0x30...0x31).contains($0) }
    }
    let parts = digits.split(separator: 0x2E, omittingEmptySubsequences: false)
    if parts.count <= 2, digits.contains(where: { (0x30...0x39).contains($0) }),
      parts.allSatisfy({ $0.allSatisfy(isDigit) })
    {
      return true
    }
    return isExponential(parts, isDigit) || isDate(bytes)
  }

  /// `1.5e+3`; without the point or the sign it is text to YAML 1.1.
  private static func isExponential(
    _ parts: [ArraySlice<UInt8>], _ isDigit: (UInt8) -> Bool
  ) -> Bool {
    guard parts.count == 2, parts[0].allSatisfy(isDigit),
      let mark = parts[1].firstIndex(where: { $0 | 0x20 == 0x65 })
    else { return false }
    let exponent = parts[1][(mark + 1)...]
    return parts[1][..<mark].allSatisfy(isDigit) && exponent.count > 1
      && (exponent.first == 0x2B || exponent.first == 0x2D)
      && exponent.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
  }

  /// `2024-05-31`, with or without a time after it.
  private static func isDate(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= 8 else { return false }
    let parts = bytes.prefix(10).split(separator: 0x2D, omittingEmptySubsequences: false)
    return parts.count == 3 && parts[0].count == 4
      && parts.joined().allSatisfy { (0x30...0x39).contains($0) }
  }
}
