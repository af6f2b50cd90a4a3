/// A part of a model's name between hyphens, with what it seems to be.
struct NamePart {
  enum Kind { case basename, size, finetune, version, type }

  var text: String
  var kinds: Set<Kind> = []

  init(text: String) {
    self.text = text
  }

  mutating func classify(isFirst: Bool, parameterCount: Int) {
    let bytes = Array(text.lowercasedASCII.utf8)
    if NamePart.isVersionNumber(bytes) {
      kinds.insert(.version)
    } else if NamePart.isType(bytes) {
      kinds.insert(.type)
      text = text.uppercased()
    } else if !isFirst, NamePart.isSize(bytes) {
      classifySize(parameterCount)
    } else if !isFirst, ["chat", "instruct", "vision", "lora"].contains(text.lowercasedASCII) {
      kinds.insert(.finetune)
    }
  }

  /// Spells a size in one way, and takes it for a context length when the model is far from it.
  private mutating func classifySize(_ parameterCount: Int) {
    var size = Array(text.utf8).map { $0 == UInt8(ascii: "_") ? UInt8(ascii: ".") : $0 }
    if let last = size.last, last.isDigit {  // 7b1 is 7.1B
      let unit = size[size.count - 2]
      size.replaceSubrange((size.count - 2)..., with: [UInt8(ascii: "."), last, unit])
    }
    let suffix = size[size.count - 1]
    if size.count > 1, size[size.count - 2].isDigit, "kmbt".utf8.contains(suffix) {
      size[size.count - 1] = suffix & 0xDF
    }
    if parameterCount != 0, let count = NamePart.parameterCount(size) {
      let tolerance = 7 * (parameterCount / 8) + 7 * (parameterCount % 8) / 8
      if (count - Double(parameterCount)).magnitude > Double(tolerance) {
        kinds.insert(.finetune)
        size[size.count - 1] |= 0x20
      }
    }
    if kinds.isEmpty { kinds.insert(.size) }
    text = String(decoding: size, as: UTF8.self)
  }

  /// What a size says in numbers; nil for words, and for `8x7B` and `A3B`.
  private static func parameterCount(_ size: [UInt8]) -> Double? {
    let scales: [UInt8: Double] = [0x4B: 1e3, 0x4D: 1e6, 0x42: 1e9, 0x54: 1e12]
    let digits = size.dropLast()
    guard let unit = size.last, let scale = scales[unit],
      digits.allSatisfy({ $0.isDigit || $0 == UInt8(ascii: ".") })
    else { return nil }
    return Double(String(decoding: digits, as: UTF8.self)).map { $0 * scale }
  }

  /// Sizes in words count only where there is none in numbers.
  static func dropWordSizes(_ parts: inout [NamePart]) {
    let sizes = parts.filter { $0.kinds.contains(.size) }
    guard sizes.contains(where: { $0.text.utf8.contains(where: \.isDigit) }) else { return }
    for index in parts.indices where parts[index].kinds.contains(.size) {
      if parts[index].text.utf8.allSatisfy(\.isLetter) { parts[index].kinds.remove(.size) }
    }
  }

  /// The base name is what stands first and is nothing else, with versions, but not with those at
  /// its end; what is left over after it says how the model was tuned.
  static func findBasename(_ parts: inout [NamePart]) {
    var isAtStart = true
    for index in parts.indices {
      let kinds = parts[index].kinds
      let startsWithLetter = parts[index].text.first?.isLetter ?? false
      if isAtStart, kinds.isEmpty && startsWithLetter || kinds.contains(.version) {
        parts[index].kinds.insert(.basename)
      } else {
        isAtStart = false
        if kinds.isEmpty { parts[index].kinds.insert(.finetune) }
      }
    }
    for index in parts.indices.reversed() {
      guard parts[index].kinds.contains(.basename), parts[index].kinds.count > 1 else { break }
      parts[index].kinds.remove(.basename)
    }
  }

  // MARK: - Shapes, on bytes in lower case

  /// `v` or nothing, then numbers with points: the versions that stay as they are in titles.
  static func isVersion(_ word: some Sequence<Unicode.Scalar>) -> Bool {
    let bytes = word.map { UInt8(exactly: $0.value) ?? 0 }
    return bytes.first == UInt8(ascii: "v") && isNumbers(bytes.dropFirst())
  }

  /// `(v|iter)?\d+(\.\d+)*`
  private static func isVersionNumber(_ bytes: [UInt8]) -> Bool {
    let prefix = bytes.starts(with: "iter".utf8) ? 4 : bytes.first == UInt8(ascii: "v") ? 1 : 0
    return isNumbers(bytes.dropFirst(prefix))
  }

  /// `\d+(\.\d+)*`
  private static func isNumbers(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      .allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isDigit) }
  }

  /// `i?q\d(_\w)*|b?fp?(16|32)`
  private static func isType(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    rest.take("i")
    if rest.take("q") {
      guard rest.popFirst()?.isDigit == true else { return false }
      while rest.take("_") {
        guard let byte = rest.popFirst(), byte.isDigit || byte.isLetter || byte == 0x5F else {
          return false
        }
      }
      return rest.isEmpty
    }
    rest = bytes[...]
    rest.take("b")
    guard rest.take("f") else { return false }
    rest.take("p")
    return rest.elementsEqual("16".utf8) || rest.elementsEqual("32".utf8)
  }

  /// `((a|\d+x)?\d+([._]\d+)?[kmbt]\d?|small|mini|medium|large|x?xl)`
  private static func isSize(_ bytes: [UInt8]) -> Bool {
    if ["small", "mini", "medium", "large", "xl", "xxl"].contains(where: {
      bytes.elementsEqual($0.utf8)
    }) {
      return true
    }
    var rest = bytes[...]
    if !rest.take("a") {
      var ahead = rest
      if ahead.takeDigits(), ahead.take("x") { rest = ahead }
    }
    guard rest.takeDigits() else { return false }
    if rest.take(".") || rest.take("_") {
      guard rest.takeDigits() else { return false }
    }
    guard let unit = rest.popFirst(), "kmbt".utf8.contains(unit) else { return false }
    if rest.first?.isDigit == true { rest.removeFirst() }
    return rest.isEmpty
  }
}

extension UInt8 {
  fileprivate var isDigit: Bool { (0x30...0x39).contains(self) }
  fileprivate var isLetter: Bool { (0x61...0x7A).contains(self | 0x20) }
}

extension String {
  fileprivate var lowercasedASCII: String {
    String(decoding: utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
  }
}

extension ArraySlice<UInt8> {
  /// Takes the byte if it is next.
  @discardableResult
  fileprivate mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard let first, first == UInt8(ascii: scalar) else { return false }
    removeFirst()
    return true
  }

  /// Takes one digit or more.
  fileprivate mutating func takeDigits() -> Bool {
    let count = prefix(while: \.isDigit).count
    removeFirst(count)
    return count > 0
  }
}
