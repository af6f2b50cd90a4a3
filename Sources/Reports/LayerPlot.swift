import TensorTypes

extension ErrorSurvey {
  /// The error of each kind over the layers; nil where no layer has an error.
  ///
  /// - Parameters:
  ///   - id: unique in the page.
  ///   - measure: what stands on the vertical axis.
  ///   - axis: what stands on the horizontal one.
  func layerPlot(
    id: String, title: String, measure: String, axis: String = "layer"
  ) -> Markup? {
    let kinds = plotted(limit: PlotMark.count).compactMap(LayerSeries.init)
    let layers = kinds.flatMap { $0.points.map(\.layer) }
    guard let first = layers.min(), let last = layers.max() else { return nil }
    let plot = LayerPlot(
      id: id, title: title, measure: measure, axis: axis, series: kinds, layers: first...last,
      scale: LogScale(covering: kinds.flatMap { $0.points.map(\.point.error) }))
    return plot.figure
  }
}

/// One kind in the layers.
private struct LayerSeries {
  let name: String
  let points: [(layer: Int, point: ErrorSurvey.Point)]

  /// nil for a kind outside the layers.
  init?(_ kind: ErrorSurvey.Kind) {
    name = kind.name
    points = kind.points.compactMap { point in point.layer.map { ($0, point) } }
    guard !points.isEmpty else { return nil }
  }
}

private struct LayerPlot {
  let id: String
  let title: String
  let measure: String
  let axis: String
  let series: [LayerSeries]
  let layers: ClosedRange<Int>
  let scale: LogScale

  // The area inside the axes.
  private let left = 64.0
  private let right = 548.0
  private let top = 36.0
  private let bottom = 276.0

  var figure: Markup {
    let plot = Plot(
      id: id, title: title,
      description: "\(measure), on a logarithmic axis, for each \(axis) from "
        + "\(layers.lowerBound) to \(layers.upperBound); a line for each of: "
        + series.map(\.name).joined(separator: ", ") + ".",
      width: 560, height: 322)
    return plot.figure(legend: legend) {
      axes
      for (number, own) in series.enumerated() { lines(own, PlotMark(number: number)) }
    }
  }

  @MarkupBuilder private var axes: Markup {
    for tick in scale.ticks {
      Plot.line("grid", left, y(tick), right, y(tick))
      Plot.label(LogScale.text(tick), left - 8, y(tick) + 4, anchor: "end")
    }
    for layer in layerTicks {
      Plot.label("\(layer)", x(layer), bottom + 20)
    }
    Plot.line("axis", left, bottom, right, bottom)
    Plot.label(axis, (left + right) / 2, bottom + 42)
    Plot.label(measure, 0, 14, anchor: "start")
  }

  @MarkupBuilder private func lines(_ own: LayerSeries, _ mark: PlotMark) -> Markup {
    Plot.polyline(
      "series \(mark.color)", own.points.map { (x($0.layer), y($0.point.error)) })
    for (layer, point) in own.points {
      point.marker(
        mark, x(layer), y(point.error), kind: own.name, text: "\(own.name), \(axis) \(layer)")
    }
  }

  private var legend: Markup {
    .element("ul", ["class": "legend"]) {
      for (number, own) in series.enumerated() {
        Markup.element("li") {
          Markup.element(
            "svg", ["viewBox": "0 0 24 12", "class": "key", "aria-hidden": "true"]
          ) {
            Plot.line("series \(PlotMark(number: number).color)", 0, 6, 24, 6)
            Markup.element(
              "path",
              [
                "class": "mark \(PlotMark(number: number).color)",
                "d": PlotMark(number: number).outline(12, 6),
              ])
          }
          own.name
        }
      }
    }
  }

  private func x(_ layer: Int) -> Double {
    let count = layers.upperBound - layers.lowerBound
    guard count > 0 else { return (left + right) / 2 }
    return left + 10 + (right - left - 20) * Double(layer - layers.lowerBound) / Double(count)
  }

  private func y(_ error: Double) -> Double {
    bottom - (bottom - top) * scale.position(error)
  }

  /// At most eleven layers whose numbers are written.
  private var layerTicks: [Int] {
    let count = layers.upperBound - layers.lowerBound
    let step = [1, 2, 5, 10, 20, 50].first { count / $0 <= 10 } ?? count / 10
    return layers.filter { ($0 - layers.lowerBound) % step == 0 }
  }
}

extension ErrorSurvey.Point {
  /// The mark of the point, which says what it is when it is pointed at.
  func marker(
    _ mark: PlotMark, _ x: Double, _ y: Double, kind: String, text: String
  ) -> Markup {
    let failed = hasFailed ? ", failed" : ""
    let among = tensorCount > 1 ? ", the largest of \(Amount.count(tensorCount, of: "tensor"))" : ""
    return .element(
      "g",
      [
        "data-kind": kind, "data-layer": layer.map(String.init), "data-name": name.map { "\($0)" },
        "data-error": "\(error)",
      ]
    ) {
      Markup.element("title") {
        "\(text): \(Amount.real(error))\(failed)\(among)" + (name.map { ": \($0)" } ?? "")
      }
      if hasFailed {
        Markup.element(
          "circle", ["class": "ring", "cx": Plot.text(x), "cy": Plot.text(y), "r": "9"])
      }
      Markup.element("path", ["class": "mark \(mark.color)", "d": mark.outline(x, y)])
    }
  }
}
