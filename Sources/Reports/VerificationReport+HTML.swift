import Equivalence
import TensorTypes

extension VerificationReport {
  /// For people: one page that needs nothing else, neither network nor scripts.
  ///
  /// Figures stand in `data-` attributes too, unrounded, under the names that `json` has for them.
  /// Equal reports are equal pages.
  public var html: [UInt8] {
    let page = Markup.element("html", ["lang": "en"]) {
      Markup.verbatim("\n")
      head.line
      body.line
    }
    return Array("<!doctype html>\n\(page.source)\n".utf8)
  }

  @MarkupBuilder private var head: Markup {
    Markup.element("head") {
      Markup.element("meta", ["charset": "utf-8"]).line
      Markup.element(
        "meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]
      ).line
      // Names from files are escaped; should one be missed, it still loads and runs nothing.
      Markup.element(
        "meta",
        [
          "http-equiv": "Content-Security-Policy",
          "content": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            + "base-uri 'none'; form-action 'none'",
        ]
      ).line
      Markup.element("meta", ["name": "generator", "content": "port \(productVersion)"]).line
      Markup.element("link", ["rel": "icon", "href": "data:,"]).line
      Markup.element("title") { "\(verdict.word): \(converted) – port verify" }.line
      Markup.element("style") { pageStyle }
    }
  }

  private var body: Markup {
    .element(
      "body",
      [
        "data-verdict": verdict.rawValue, "data-compared-values": "\(comparedCount)",
        "data-values": "\(elementCount)", "data-checks": "\(findings.count)",
        "data-tensors": "\(tensors.count)",
      ]
    ) {
      Markup.verbatim("\n")
      Markup.element("header", ["class": verdict.rawValue]) {
        summary
        levelList
      }.line
      Markup.element("main") {
        Markup.verbatim("\n")
        findingSection
        modelSection
        plotSection
        worstTensorSection
        tensorSection
        checkSection
        noteSection
        reproductionSection
      }.line
    }
  }

  /// A part of the page with its heading.
  static func section(
    _ id: String, _ title: String, @MarkupBuilder content: () -> Markup
  ) -> Markup {
    .element("section", ["id": id]) {
      Markup.element("h2") { title }.line
      content()
    }.line
  }
}

extension Verdict {
  /// As a badge says it.
  var word: String {
    switch self {
    case .pass: "Pass"
    case .fail: "Fail"
    case .inconclusive: "Inconclusive"
    }
  }

  /// The same without words or colour.
  private var sign: String {
    switch self {
    case .pass: "✓"
    case .fail: "✕"
    case .inconclusive: "?"
    }
  }

  var badge: Markup {
    .element("span", ["class": "badge \(rawValue)"]) {
      Markup.element("span", ["aria-hidden": "true"]) { sign }
      " \(word)"
    }
  }
}
