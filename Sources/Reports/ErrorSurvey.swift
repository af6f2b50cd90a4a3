import Equivalence
import TensorTypes

/// The errors of the compared tensors by kind and layer, as plots show them.
struct ErrorSurvey: Sendable {
  /// All tensors of one kind in one layer: one tensor, or that of each expert.
  struct Point: Sendable {
    /// nil outside the layers.
    let layer: Int?
    fileprivate(set) var tensorCount: Int
    /// The largest.
    fileprivate(set) var error: Double
    /// The tensor that has it; nil for hidden states.
    fileprivate(set) var name: ByteString?
    fileprivate(set) var hasFailed: Bool
  }

  /// The tensors that do the same in every layer.
  struct Kind: Sendable {
    let name: String
    /// In the order of the layers.
    fileprivate(set) var points: [Point]

    var isExact: Bool { points.allSatisfy { $0.error == 0 && !$0.hasFailed } }
  }

  private(set) var kinds: [Kind] = []

  /// - Parameter measure: the error of a tensor; nil where it was not compared.
  init(
    _ tensors: [TensorReport], measure: (TensorReport) -> Double? = { $0.metrics?.relativeRMSE }
  ) {
    struct Key: Hashable {
      let kind: String
      let layer: Int?
    }
    var points: [Key: Point] = [:]
    var orders: [String: Int] = [:]
    for tensor in tensors {
      guard let measured = measure(tensor) else { continue }
      let key = Key(kind: tensor.kind, layer: tensor.layer)
      orders[key.kind] = tensor.kindOrder
      // What is no number is worse than any.
      let error = measured.isNaN ? .infinity : measured
      var point =
        points[key]
        ?? Point(layer: key.layer, tensorCount: 0, error: -1, name: tensor.name, hasFailed: false)
      point.tensorCount += 1
      point.hasFailed = point.hasFailed || tensor.verdict == .fail
      if error > point.error { (point.error, point.name) = (error, tensor.name) }
      points[key] = point
    }
    kinds = Dictionary(grouping: points, by: \.key.kind).map { kind, points in
      Kind(
        name: kind,
        points: points.map(\.value).sorted { ($0.layer ?? -1) < ($1.layer ?? -1) })
    }
    kinds.sort { (orders[$0.name] ?? .max, $0.name) < (orders[$1.name] ?? .max, $1.name) }
  }

  /// Errors after so many layers: of the converted model, and of a noisy one.
  init(_ model: ModelMetrics) {
    let rows = [("converted model", model.layerErrors), ("rounding noise", model.layerNoise)]
    kinds = rows.map { name, errors in
      Kind(
        name: name,
        points: errors.enumerated().map { layer, error in
          Point(
            layer: layer, tensorCount: 1, error: error.isNaN ? .infinity : error, name: nil,
            hasFailed: false)
        })
    }
  }

  /// Kinds with an error or a failure somewhere, at most as many as can be told apart in a plot, and those that
  /// have the largest.
  func plotted(limit: Int) -> [Kind] {
    let inexact = kinds.filter { !$0.isExact }
    let largest = inexact.map { $0.points.reduce(0) { max($0, $1.error) } }
    let chosen = inexact.indices.sorted { (largest[$1], $0) < (largest[$0], $1) }.prefix(limit)
    return chosen.sorted().map { inexact[$0] }
  }
}
