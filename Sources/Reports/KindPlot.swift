import TensorTypes

extension ErrorSurvey {
  /// The errors of each kind on a common axis, a point for each layer; nil where there are none.
  ///
  /// - Parameters:
  ///   - id: unique in the page.
  ///   - measure: what stands on the axis.
  func kindPlot(id: String, title: String, measure: String) -> Markup? {
    let kinds = plotted(limit: 40)
    return kinds.isEmpty
      ? nil : KindPlot(id: id, title: title, measure: measure, kinds: kinds).figure
  }
}

private struct KindPlot {
  let id: String
  let title: String
  let measure: String
  let kinds: [ErrorSurvey.Kind]
  let scale: LogScale

  private let left = 16.0
  private let right = 544.0
  private let top = 8.0
  private let rowHeight = 38.0

  init(id: String, title: String, measure: String, kinds: [ErrorSurvey.Kind]) {
    self.id = id
    self.title = title
    self.measure = measure
    self.kinds = kinds
    scale = LogScale(covering: kinds.flatMap { $0.points.map(\.error) })
  }

  private var bottom: Double { top + rowHeight * Double(kinds.count) }

  var figure: Markup {
    let plot = Plot(
      id: id, title: title,
      description: "\(measure), on a logarithmic axis, a row for each kind of tensor with a point "
        + "for each layer: "
        + kinds.map(\.name).joined(separator: ", ") + ".",
      width: 560, height: bottom + 48)
    return plot.figure {
      for tick in scale.ticks {
        Plot.line("grid", x(tick), top, x(tick), bottom)
        Plot.label(LogScale.text(tick), x(tick), bottom + 20)
      }
      Plot.label(measure, (left + right) / 2, bottom + 42)
      for (row, kind) in kinds.enumerated() { points(of: kind, row) }
    }
  }

  @MarkupBuilder private func points(of kind: ErrorSurvey.Kind, _ row: Int) -> Markup {
    let y = top + rowHeight * Double(row)
    let errors = kind.points.map { x($0.error) }
    Plot.label(kind.name, left - 10, y + 14, anchor: "start", kind: "row")
    Plot.line("axis", left, y + 26, right, y + 26)
    Plot.line("range", errors.min() ?? left, y + 26, errors.max() ?? left, y + 26)
    for point in kind.points {
      point.marker(
        PlotMark(number: 0), x(point.error), y + 26, kind: kind.name,
        text: kind.name + (point.layer.map { ", layer \($0)" } ?? ""))
    }
  }

  private func x(_ error: Double) -> Double { left + (right - left) * scale.position(error) }
}
