import ByteIO
import TensorTypes

/// The numbers of the tokens that both models run on.
public enum TokenIDs {
  /// Tokens without `--tokens`.
  static let count = 32
  /// More would take more memory and time than they tell.
  static let limit = 4096

  /// Numbers from the seed.
  static func random(_ count: Int, below vocabulary: Int, seed: UInt64) -> [Int] {
    var random = RandomNumbers(seed: seed, name: "tokens")
    return (0..<count).map { _ in Int(random.next() % UInt64(max(1, vocabulary))) }
  }

  /// Numbers separated by spaces, commas or line breaks, or a JSON array of them.
  ///
  /// - Parameter file: for messages.
  /// - Throws: `usage` for anything else, for none, and for more than 4096.
  public static func parse(_ text: [UInt8], file: String) throws(Failure) -> [Int] {
    var numbers: [Int] = []
    let separators = Set(" ,\t\r\n[]".utf8)
    for (position, word) in text.split(whereSeparator: separators.contains).enumerated() {
      guard let number = Int(String(decoding: word, as: UTF8.self)), number >= 0 else {
        throw Failure(
          .usage, "the file holds something that is no token", file: file,
          offset: word.startIndex, expected: "whole numbers from 0 on",
          found: "'\(String(decoding: word.prefix(20), as: UTF8.self))' as number \(position)")
      }
      numbers.append(number)
    }
    guard (1...limit).contains(numbers.count) else {
      throw Failure(
        .usage, "the file holds no usable number of tokens", file: file,
        expected: "1 to \(limit)", found: "\(numbers.count)")
    }
    return numbers
  }
}
