import TensorTypes

/// Numbers that follow from a seed and a name alone (SplitMix64).
struct RandomNumbers {
  private var state: UInt64

  init(seed: UInt64, name: ByteString) {
    // FNV-1a, so that tensors of one verification get different rows.
    state = name.utf8.reduce(seed ^ 0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// Different numbers below a limit, ascending (Floyd's sampling).
  ///
  /// - Precondition: `count ≤ limit`.
  mutating func distinct(_ count: Int, below limit: Int) -> [Int] {
    var chosen = Set<Int>()
    for most in limit - count..<limit {
      let number = Int(next() % UInt64(most + 1))
      chosen.insert(chosen.contains(number) ? most : number)
    }
    return chosen.sorted()
  }

  /// A number from a normal distribution, nearly: twelve uniform ones less their mean.
  mutating func normal() -> Double {
    (0..<12).reduce(-6) { sum, _ in sum + Double(next() >> 11) * 0x1p-53 }
  }

  /// A vector of normal numbers, or of their magnitudes.
  mutating func probe(_ count: Int, isPositive: Bool) -> [Double] {
    (0..<count).map { _ in
      let value = normal()
      return isPositive ? value.magnitude : value
    }
  }

  /// One number from each of so many equal parts of the numbers below a limit, ascending.
  ///
  /// - Precondition: `count ≤ limit`.
  mutating func spread(_ count: Int, below limit: Int) -> [Int] {
    (0..<count).map { part in
      let range = part * limit / count..<(part + 1) * limit / count
      return range.lowerBound + Int(next() % UInt64(range.count))
    }
  }
}
