import Equivalence
import TensorTypes

extension Metrics {
  /// How many elements or blocks lie how far away; nil where that was not counted.
  ///
  /// - Parameter id: unique in the page.
  func histogram(id: String) -> Markup? {
    if !ulpHistogram.isEmpty {
      return Histogram(
        id: id, title: "Elements by distance from the nearest value, in units of the last place",
        labels: Metrics.ulpBuckets, counts: ulpHistogram, allowedCount: 1
      ).figure
    }
    guard !blockHistogram.isEmpty else { return nil }
    return Histogram(
      id: id,
      title: hasCodebook
        ? "Blocks by RMS of the error over RMS of the source"
        : "Blocks by their worst element: distance over what the block's scales allow",
      labels: (0..<10).map { "0.\($0)–\($0 == 9 ? "1" : "0.\($0 + 1)")" } + [">1"],
      counts: blockHistogram, allowedCount: hasCodebook ? 11 : 10
    ).figure
  }
}

/// Bars whose lengths are logarithms of counts, so that one among millions shows.
private struct Histogram {
  let id: String
  let title: String
  let labels: [String]
  let counts: [Int]
  /// So many buckets hold what is allowed; the others, what is not.
  let allowedCount: Int

  private let left = 66.0
  private let right = 270.0
  private let rowHeight = 22.0

  var figure: Markup {
    let total = counts.reduce(0, +)
    let plot = Plot(
      id: id, title: title,
      description: zip(labels, counts).map { "\($0): \($1)" }.joined(separator: "; ")
        + ". Lengths are logarithmic.",
      width: 400, height: 6 + rowHeight * Double(counts.count))
    return plot.figure {
      for (row, (label, count)) in zip(labels, counts).enumerated() {
        let y = 4 + rowHeight * Double(row)
        Plot.label(label, left - 8, y + 14, anchor: "end")
        Markup.element("g", ["data-bucket": label, "data-count": "\(count)"]) {
          if count > 0 {
            Plot.rectangle(
              row < allowedCount ? "bar" : "bar bad", left, y + 2,
              length(count), rowHeight - 6)
          }
          Plot.label(
            count == 0 ? "–" : "\(Amount.count(count))\(share(count, total))",
            left + (count == 0 ? 0 : length(count)) + 6, y + 14, anchor: "start")
        }
      }
      Plot.line("axis", left, 2, left, 4 + rowHeight * Double(counts.count))
    }
  }

  private func length(_ count: Int) -> Double {
    let scale = LogScale(covering: [1, Double(max(10, counts.max() ?? 1))])
    return 3 + (right - left) * scale.position(Double(count))
  }

  private func share(_ count: Int, _ total: Int) -> String {
    guard count < total else { return "" }
    return " (\(Amount.share(Double(count) / Double(total))))"
  }
}

extension TensorReport {
  /// Where the largest error is in the tensor seen as a matrix; nil where there is none.
  ///
  /// - Parameter id: unique in the page.
  func map(id: String) -> Markup? {
    guard let metrics, let worst = metrics.worst, let elementCount = found.shape.elementCount,
      elementCount > 0
    else { return nil }
    let columnCount = found.shape.rowLength
    let rowCount = elementCount / columnCount
    // Complex numbers are two values each.
    let element = worst.element / max(1, metrics.elementCount / elementCount)
    let (row, column) = (element / columnCount, element % columnCount)
    let height = 190 * min(1, max(0.15, Double(rowCount) / Double(columnCount)))
    let width = 190 * min(1, max(0.15, Double(columnCount) / Double(rowCount)))
    let (left, top) = (76.0, 12.0)
    let x = left + width * (Double(column) + 0.5) / Double(columnCount)
    let y = top + height * (Double(row) + 0.5) / Double(rowCount)
    let plot = Plot(
      id: id, title: "Place of the largest error",
      description: "Row \(row) of \(rowCount), column \(column) of \(columnCount): "
        + "\(worst.source) became \(worst.converted).",
      width: 290, height: top + height + 44)
    return plot.figure {
      Plot.rectangle("area", left, top, width, height)
      Plot.line("cross", left, y, left + width, y)
      Plot.line("cross", x, top, x, top + height)
      Markup.element(
        "circle", ["class": "ring", "cx": Plot.text(x), "cy": Plot.text(y), "r": "6"])
      Plot.label("row \(Amount.count(row))", left - 8, y + 4, anchor: "end")
      Plot.label("column \(Amount.count(column))", left, top + height + 18, anchor: "start")
      Plot.label(
        "of \(Amount.count(rowCount)) rows, \(Amount.count(columnCount)) columns", left,
        top + height + 36, anchor: "start")
    }
  }
}
