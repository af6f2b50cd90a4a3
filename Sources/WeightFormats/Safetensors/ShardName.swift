/// A shard's file name, `model-00001-of-00003.safetensors`, taken apart.
struct ShardName {
  private let stem: String
  private let digitCount: Int
  private let ending: Substring
  /// How many shards the name speaks of.
  let count: Int

  /// Nil for a name that does not have this form.
  init?(_ name: String) {
    let suffix = ".safetensors"
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count > 3, parts[parts.count - 2] == "of", let ending = parts.last,
      ending.hasSuffix(suffix), let count = Int(ending.dropLast(suffix.count)), count > 0,
      Int(parts[parts.count - 3]) != nil
    else { return nil }
    stem = parts.dropLast(3).joined(separator: "-")
    digitCount = parts[parts.count - 3].count
    self.ending = ending
    self.count = count
  }

  /// The name of a shard of the same checkpoint, counted from 1.
  func name(of number: Int) -> String {
    let digits = String(number)
    let zeros = String(repeating: "0", count: max(0, digitCount - digits.count))
    return "\(stem)-\(zeros)\(digits)-of-\(ending)"
  }
}
