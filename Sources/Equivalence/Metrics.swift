/// How far two tensors are apart. Errors and sums are over pairs of finite values.
public struct Metrics: Sendable, Hashable {
  /// Values that need a word of their own.
  public struct Counts: Sendable, Hashable {
    public var nan = 0
    public var infinite = 0
    public var zero = 0
  }

  /// A pair of values and the element they belong to.
  public struct Place: Sendable, Hashable {
    public var element: Int
    public var source: Double
    public var converted: Double
  }

  /// A block, or a row for encodings without blocks.
  public struct Block: Sendable, Hashable {
    /// Counted from 0 through the whole tensor.
    public var index: Int
    public var error: Double
  }

  /// Elements compared.
  public internal(set) var comparedCount = 0
  /// Elements of the tensor.
  public internal(set) var elementCount = 0
  public internal(set) var maximumAbsoluteError = 0.0
  public internal(set) var maximumRelativeError = 0.0
  /// Where the absolute error is largest; nil when there is no error.
  public internal(set) var worst: Place?
  /// The block that is worst by its law: error over bound, or for codebooks error over RMS.
  public internal(set) var worstBlock: Block?
  /// Whether blocks are of a codebook.
  public internal(set) var hasCodebook = false
  /// Blocks by the measure of `worstBlock`: below 0.1, below 0.2, … up to 1, above. Empty where
  /// nothing is quantized.
  public internal(set) var blockHistogram: [Int] = []
  /// Elements, or elements of blocks, with the expected bits; for quantized blocks, with the
  /// source's value.
  public internal(set) var equalCount = 0
  /// Elements by distance from the correctly rounded value, in units of the last place: 0, 1, 2,
  /// 3 to 4, 5 to 16, more. Empty where nothing is rounded.
  public internal(set) var ulpHistogram: [Int] = []
  public internal(set) var source = Counts()
  public internal(set) var converted = Counts()
  /// Finite values that became infinite, or that lie beyond the last level of their block.
  public internal(set) var saturatedCount = 0
  /// Pairs of which one side only is NaN or infinite, or both are infinite with different signs.
  public internal(set) var specialMismatchCount = 0

  var squaredError = 0.0
  var squaredSource = 0.0
  var squaredConverted = 0.0
  var product = 0.0
  /// Elements or blocks that break their law.
  var violationCount = 0
  /// The first element that breaks its law.
  var firstViolation: Place?
  /// The first element that is special on one side only.
  var firstSpecial: Place?
  /// The largest distance over what the law allows.
  var worstRatio = 0.0
  /// Blocks whose error is larger than the reference encoder's.
  var worseBlockCount = 0
  var firstWorseBlock: Int?

  public static let ulpBuckets = ["0", "1", "2", "3–4", "5–16", ">16"]

  /// RMS of the error over RMS of the source.
  public var relativeRMSE: Double {
    squaredError == 0 ? 0 : (squaredError / squaredSource).squareRoot()
  }

  /// 1 where both sides are zero; 0 where one is.
  public var cosine: Double {
    if squaredSource == 0, squaredConverted == 0 { return 1 }
    let norms = (squaredSource * squaredConverted).squareRoot()
    return norms == 0 ? 0 : min(1, max(-1, product / norms))
  }

  public var equalShare: Double {
    comparedCount == 0 ? 0 : Double(equalCount) / Double(comparedCount)
  }

  /// Adds what was measured on a later part of the same tensor.
  mutating func merge(_ other: Metrics) {
    comparedCount += other.comparedCount
    if other.maximumAbsoluteError > maximumAbsoluteError {
      maximumAbsoluteError = other.maximumAbsoluteError
      worst = other.worst
    }
    maximumRelativeError = max(maximumRelativeError, other.maximumRelativeError)
    if let block = other.worstBlock, block.error > worstBlock?.error ?? -1 { worstBlock = block }
    equalCount += other.equalCount
    hasCodebook = hasCodebook || other.hasCodebook
    ulpHistogram.merge(other.ulpHistogram)
    blockHistogram.merge(other.blockHistogram)
    source.merge(other.source)
    converted.merge(other.converted)
    saturatedCount += other.saturatedCount
    specialMismatchCount += other.specialMismatchCount
    squaredError += other.squaredError
    squaredSource += other.squaredSource
    squaredConverted += other.squaredConverted
    product += other.product
    violationCount += other.violationCount
    firstViolation = firstViolation ?? other.firstViolation
    firstSpecial = firstSpecial ?? other.firstSpecial
    worstRatio = max(worstRatio, other.worstRatio)
    worseBlockCount += other.worseBlockCount
    firstWorseBlock = firstWorseBlock ?? other.firstWorseBlock
  }
}

extension Metrics.Counts {
  fileprivate mutating func merge(_ other: Self) {
    nan += other.nan
    infinite += other.infinite
    zero += other.zero
  }
}

extension [Int] {
  /// Adds the counts of the same buckets.
  fileprivate mutating func merge(_ other: [Int]) {
    if isEmpty { return self = other }
    for (index, count) in other.enumerated() { self[index] += count }
  }
}
