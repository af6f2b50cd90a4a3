/// A picture of numbers as inline SVG, with a title and a description for those who do not see it.
///
/// - Units: lengths in pixels of a page that is wide enough; narrower ones shrink the picture.
struct Plot: Sendable {
  /// Unique in the page.
  let id: String
  let title: String
  let description: String
  let width: Double
  let height: Double

  /// The figure: title, picture, and a legend when there is one.
  func figure(legend: Markup? = nil, @MarkupBuilder content: () -> Markup) -> Markup {
    let picture = Markup.element(
      "svg",
      [
        "viewBox": "0 0 \(Plot.text(width)) \(Plot.text(height))", "role": "img",
        "aria-labelledby": "\(id)-title \(id)-description",
      ]
    ) {
      Markup.element("title", ["id": "\(id)-title"]) { title }
      Markup.element("desc", ["id": "\(id)-description"]) { description }
      content()
    }
    return Markup.element("figure", ["id": id]) {
      Markup.element("figcaption") { title }
      picture
      if let legend { legend }
    }.line
  }

  // MARK: - Parts

  static func line(
    _ kind: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double
  ) -> Markup {
    .element(
      "line", ["class": kind, "x1": text(x1), "y1": text(y1), "x2": text(x2), "y2": text(y2)])
  }

  /// - Parameter anchor: `start`, `middle` or `end`: which part of the text stands at `x`.
  static func label(
    _ content: String, _ x: Double, _ y: Double, anchor: String = "middle", kind: String? = nil
  ) -> Markup {
    .element(
      "text", ["class": kind, "x": text(x), "y": text(y), "text-anchor": anchor]
    ) { content }
  }

  static func rectangle(
    _ kind: String, _ x: Double, _ y: Double, _ width: Double, _ height: Double
  ) -> Markup {
    .element(
      "rect",
      [
        "class": kind, "x": text(x), "y": text(y), "width": text(width), "height": text(height),
      ])
  }

  static func polyline(_ kind: String, _ points: [(x: Double, y: Double)]) -> Markup {
    .element(
      "polyline",
      [
        "class": kind,
        "points": points.map { "\(text($0.x)),\(text($0.y))" }.joined(separator: " "),
      ])
  }

  /// A coordinate.
  static func text(_ value: Double) -> String { Amount.fixed(value, 1) }
}

/// How one of several series is drawn, so that they differ also without colour.
struct PlotMark: Sendable {
  /// Counted from 0; 24 of them can be told apart.
  let number: Int

  static let count = 24

  /// The class that gives the colour.
  var color: String { "c\(number % 8)" }

  /// The outline around a place: a circle, a square, a diamond, triangles, a cross.
  func outline(_ x: Double, _ y: Double) -> String {
    let start = "M\(Plot.text(x)) \(Plot.text(y))"
    return switch number % 6 {
    case 0: start + "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"
    case 1: start + "m-3.5 -3.5h7v7h-7z"
    case 2: start + "m0 -5l5 5l-5 5l-5 -5z"
    case 3: start + "m0 -4.5l4.5 8h-9z"
    case 4: start + "m0 4.5l4.5 -8h-9z"
    default: start + "m-1.5 -4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z"
    }
  }
}
