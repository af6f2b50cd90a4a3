import TensorTypes
import WeightFormats

/// Tensors whose names differ only in numbers and whose types are equal, as one line.
struct FoldedTensors {
  /// `model.layers.{0…60}.mlp.experts.{0…255}.up_proj.weight`.
  private(set) var name: String
  let type: TensorType
  private(set) var count = 0
  private(set) var byteCount = 0

  private var ranges: [(least: Int, greatest: Int)] = []
  private let texts: [Substring]

  private init(texts: [Substring], numbers: [Int], type: TensorType) {
    self.texts = texts
    self.type = type
    ranges = numbers.map { ($0, $0) }
    name = ""
  }

  /// Groups in the order of their first tensors.
  static func folding(_ tensors: [Checkpoint.Tensor]) -> [FoldedTensors] {
    struct Key: Hashable {
      let texts: [Substring]
      let type: TensorType
    }
    var groups: [FoldedTensors] = []
    var positions: [Key: Int] = [:]
    for tensor in tensors {
      let (texts, numbers) = split(tensor.name)
      let key = Key(texts: texts, type: tensor.type)
      let position = positions[key] ?? groups.count
      if position == groups.count {
        positions[key] = position
        groups.append(FoldedTensors(texts: texts, numbers: numbers, type: tensor.type))
      }
      groups[position].add(numbers, tensor.byteCount)
    }
    for index in groups.indices { groups[index].spell() }
    return groups
  }

  private mutating func add(_ numbers: [Int], _ byteCount: Int) {
    count += 1
    let (sum, overflow) = self.byteCount.addingReportingOverflow(byteCount)
    self.byteCount = overflow ? .max : sum
    for (index, number) in numbers.enumerated() {
      ranges[index] = (
        min(ranges[index].least, number), max(ranges[index].greatest, number)
      )
    }
  }

  private mutating func spell() {
    name = String(texts[0])
    for (range, text) in zip(ranges, texts.dropFirst()) {
      name +=
        range.least == range.greatest ? "\(range.least)" : "{\(range.least)…\(range.greatest)}"
      name += text
    }
    name = name.escapingControlCharacters
  }

  /// The text between the numbers of a name: one piece more than numbers. Digits that are part of
  /// a word or too long for a number are text.
  private static func split(_ name: ByteString) -> (texts: [Substring], numbers: [Int]) {
    var texts: [Substring] = []
    var numbers: [Int] = []
    let utf8 = name.text.utf8
    var start = utf8.startIndex
    var index = start
    var isAfterDot = true
    while index < utf8.endIndex {
      if isAfterDot, let (number, end) = number(in: utf8, at: index) {
        texts.append(name.text[start..<index])
        numbers.append(number)
        start = end
        index = end
        isAfterDot = false
      } else {
        isAfterDot = utf8[index] == UInt8(ascii: ".")
        index = utf8.index(after: index)
      }
    }
    texts.append(name.text[start...])
    return (texts, numbers)
  }

  /// A number of at most nine digits that ends at a dot or at the end.
  private static func number(
    in utf8: String.UTF8View, at start: String.Index
  ) -> (value: Int, end: String.Index)? {
    let digits = utf8[start...].prefix { (0x30...0x39).contains($0) }
    guard (1...9).contains(digits.count),
      digits.endIndex == utf8.endIndex || utf8[digits.endIndex] == UInt8(ascii: ".")
    else { return nil }
    return (digits.reduce(0) { 10 * $0 + Int($1 - 0x30) }, digits.endIndex)
  }
}
