import ByteIO
import Equivalence
import TensorTypes
import WeightFormats

/// What `port inspect --stats` and `--check` say of the values of a checkpoint's tensors.
public struct ValueInspection: Sendable {
  public let tensors: [Checkpoint.Tensor]
  public let statistics: [Statistics]

  /// - Parameter statistics: one for each tensor.
  public init(tensors: [Checkpoint.Tensor], statistics: [Statistics]) {
    self.tensors = tensors
    self.statistics = statistics
  }

  /// A table of the figures, with the share of each power of two as a row of bars.
  public var lines: [String] {
    var table = TextTable(
      "tensor", ">min", ">max", ">mean", ">std", ">zeros", ">NaN", ">inf", "magnitudes")
    for (tensor, own) in zip(tensors, statistics) {
      table.append(
        tensor.name.description, own.minimum.map(Amount.real) ?? "–",
        own.maximum.map(Amount.real) ?? "–", Amount.real(own.mean),
        Amount.real(own.standardDeviation), Amount.count(own.zeroCount),
        Amount.count(own.nanCount), Amount.count(own.infiniteCount), histogram(own))
    }
    return ["", "values"] + table.lines(indentation: 2)
  }

  /// The figures of each tensor, by name; the member `statistics` of `port.inspect/1`.
  public var json: JSON {
    var object = JSONObject()
    for (tensor, own) in zip(tensors, statistics) {
      var exponents = JSONObject()
      for (exponent, count) in own.exponents.sorted(by: { $0.key < $1.key }) {
        exponents.append(ByteString("\(exponent)"), .integer(count))
      }
      object.append(
        tensor.name,
        .members([
          "count": .integer(own.count), "nan": .integer(own.nanCount),
          "infinite": .integer(own.infiniteCount), "zeros": .integer(own.zeroCount),
          "min": own.minimum.map(JSON.number), "max": own.maximum.map(JSON.number),
          "abs_max": own.absoluteMaximum.map(JSON.number), "mean": .number(own.mean),
          "std": .number(own.standardDeviation), "exponents": .object(exponents),
        ]))
    }
    return .object(object)
  }

  /// What is wrong with the values, a line for each tensor.
  public var problems: [String] {
    zip(tensors, statistics).compactMap { tensor, own in
      guard own.nanCount + own.infiniteCount > 0 else { return nil }
      return "tensor '\(tensor.name)': \(Amount.count(own.nanCount)) NaN and "
        + "\(Amount.count(own.infiniteCount)) infinite of \(Amount.count(own.count)) values"
    }
  }

  /// `2^-9 ▁▂▅█▅▁ 2^0`: the share of values in each power of two, the smallest ones together.
  private func histogram(_ statistics: Statistics) -> String {
    guard let high = statistics.exponents.keys.max(), let low = statistics.exponents.keys.min()
    else { return "" }
    let start = max(low, high - 15)
    var counts = [Int](repeating: 0, count: high - start + 1)
    for (exponent, count) in statistics.exponents { counts[max(0, exponent - start)] += count }
    let most = counts.max() ?? 1
    let bars = Array("▁▂▃▄▅▆▇█")
    let shown = counts.map { $0 == 0 ? " " : bars[min(7, 8 * $0 / (most + 1))] }
    return "2^\(start) \(String(shown)) 2^\(high + 1)"
  }
}
