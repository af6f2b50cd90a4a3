import TensorTypes

/// HTML, SVG or XML: every text in it is escaped, and every element closed.
struct Markup: Sendable, Hashable {
  /// Names and values of attributes; one without a value is left out.
  typealias Attributes = KeyValuePairs<StaticString, String?>

  private(set) var source = ""

  /// Text as it is shown; what would not print is escaped too.
  static func text(_ text: String) -> Markup { Markup(source: text.escapedForMarkup) }

  /// What this program itself holds, such as a style sheet.
  static func verbatim(_ source: StaticString) -> Markup { Markup(source: "\(source)") }

  /// `<name attributes>content</name>`.
  static func element(
    _ name: StaticString, _ attributes: Attributes = [:], @MarkupBuilder content: () -> Markup
  ) -> Markup {
    Markup(source: "<\(name)\(spelling(attributes))>\(content().source)</\(name)>")
  }

  /// `<name attributes/>`.
  static func element(_ name: StaticString, _ attributes: Attributes = [:]) -> Markup {
    Markup(source: "<\(name)\(spelling(attributes))/>")
  }

  /// The same with a line feed after it.
  var line: Markup { Markup(source: source + "\n") }

  static func + (a: Markup, b: Markup) -> Markup { Markup(source: a.source + b.source) }

  private static func spelling(_ attributes: Attributes) -> String {
    attributes.reduce(into: "") { text, attribute in
      guard let value = attribute.value else { return }
      text += " \(attribute.key)=\"\(value.escapedForMarkup)\""
    }
  }
}

/// The content of an element: text and elements one after another.
@resultBuilder enum MarkupBuilder {
  static func buildExpression(_ text: String) -> Markup { .text(text) }
  static func buildExpression(_ markup: Markup) -> Markup { markup }
  static func buildExpression(_ part: Markup?) -> Markup { part ?? Markup() }
  static func buildExpression(_ parts: [Markup]) -> Markup { buildArray(parts) }
  static func buildBlock(_ parts: Markup...) -> Markup { buildArray(parts) }
  static func buildOptional(_ part: Markup?) -> Markup { part ?? Markup() }
  static func buildEither(first: Markup) -> Markup { first }
  static func buildEither(second: Markup) -> Markup { second }
  static func buildArray(_ parts: [Markup]) -> Markup {
    Markup(source: parts.lazy.map(\.source).joined())
  }
}

extension String {
  /// With what HTML and XML reserve written as entities, and what does not print, or XML forbids,
  /// as `\u{…}`.
  fileprivate var escapedForMarkup: String {
    var result = ""
    for scalar in escapingControlCharacters.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\u{FFFE}", "\u{FFFF}": result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
