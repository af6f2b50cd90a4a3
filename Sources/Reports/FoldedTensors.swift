import TensorTypes
import WeightFormats

/// Tensors whose names differ only in numbers and whose types are equal, as one line.
struct FoldedTensors {
  /// `model.layers.{0…60}.mlp.experts.{0…255}.up_proj.weight`.
  private(set) var name = ""
  let type: TensorType
  private(set) var count = 0
  private(set) var byteCount = 0

  private let pattern: [UInt8]
  private var ranges: [(least: Int, greatest: Int)]

  /// Stands for a number in a pattern; no name holds it, for it is not UTF-8.
  private static let hole: UInt8 = 0xFF

  /// Groups in the order of their first tensors.
  ///
  /// Names follow each other in the same order layer by layer, so the group that came after the
  /// last one before is tried first.
  static func folding(_ tensors: [Checkpoint.Tensor]) -> [FoldedTensors] {
    struct Key: Hashable {
      let pattern: [UInt8]
      let type: TensorType
    }
    var groups: [FoldedTensors] = []
    var positions: [Key: Int] = [:]
    var followers: [Int] = []
    var last = -1
    var numbers: [Int] = []
    for index in tensors.indices {
      var position = last >= 0 ? followers[last] : -1
      if position < 0 || groups[position].type != tensors[index].type
        || !match(groups[position].pattern, tensors[index].name, &numbers)
      {
        let pattern = pattern(of: tensors[index].name, &numbers)
        let key = Key(pattern: pattern, type: tensors[index].type)
        position = positions[key] ?? groups.count
        if position == groups.count {
          positions[key] = position
          followers.append(-1)
          groups.append(
            FoldedTensors(
              type: tensors[index].type, pattern: pattern, ranges: numbers.map { ($0, $0) }))
        }
      }
      groups[position].add(numbers, tensors[index].byteCount)
      if last >= 0 { followers[last] = position }
      last = position
    }
    for index in groups.indices { groups[index].spell() }
    return groups
  }

  /// Whether a name has this pattern; if so, its numbers.
  private static func match(
    _ pattern: [UInt8], _ name: ByteString, _ numbers: inout [Int]
  ) -> Bool {
    numbers.removeAll(keepingCapacity: true)
    return name.withBytes { bytes in
      var index = 0
      for expected in pattern {
        if expected == hole {
          let start = index
          var value = 0
          while index < bytes.count, (0x30...0x39).contains(bytes[index]), index - start < 9 {
            value = 10 * value + Int(bytes[index] - 0x30)
            index += 1
          }
          guard index > start else { return false }
          numbers.append(value)
        } else {
          guard index < bytes.count, bytes[index] == expected else { return false }
          index += 1
        }
      }
      return index == bytes.count
    }
  }

  private init(type: TensorType, pattern: [UInt8], ranges: [(least: Int, greatest: Int)]) {
    self.type = type
    self.pattern = pattern
    self.ranges = ranges
  }

  private mutating func add(_ numbers: [Int], _ byteCount: Int) {
    count += 1
    let (sum, overflow) = self.byteCount.addingReportingOverflow(byteCount)
    self.byteCount = overflow ? .max : sum
    for (index, number) in numbers.enumerated() {
      ranges[index].least = min(ranges[index].least, number)
      ranges[index].greatest = max(ranges[index].greatest, number)
    }
  }

  private mutating func spell() {
    let texts = pattern.split(separator: FoldedTensors.hole, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    name = texts[0]
    for (range, text) in zip(ranges, texts.dropFirst()) {
      name +=
        range.least == range.greatest ? "\(range.least)" : "{\(range.least)…\(range.greatest)}"
      name += text
    }
    name = name.escapingControlCharacters
  }

  /// The name with a hole for each number: at most nine digits between dots, or between a dot and
  /// an end.
  private static func pattern(of name: ByteString, _ numbers: inout [Int]) -> [UInt8] {
    numbers.removeAll(keepingCapacity: true)
    var pattern: [UInt8] = []
    pattern.reserveCapacity(name.utf8.count)
    let dot = UInt8(ascii: ".")
    var word = 0
    var value = 0
    var isNumber = true
    for byte in name.utf8 {
      if byte == dot {
        close(&pattern, word, isNumber, value, &numbers)
        pattern.append(byte)
        (word, value, isNumber) = (0, 0, true)
      } else {
        pattern.append(byte)
        word += 1
        isNumber = isNumber && (0x30...0x39).contains(byte) && word <= 9
        if isNumber { value = 10 * value + Int(byte - 0x30) }
      }
    }
    close(&pattern, word, isNumber, value, &numbers)
    return pattern
  }

  /// Puts a hole in place of the last word when it is a number.
  private static func close(
    _ pattern: inout [UInt8], _ length: Int, _ isNumber: Bool, _ value: Int,
    _ numbers: inout [Int]
  ) {
    guard isNumber, length > 0 else { return }
    pattern.removeLast(length)
    pattern.append(hole)
    numbers.append(value)
  }
}
