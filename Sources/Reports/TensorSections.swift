import Equivalence
import TensorTypes

extension VerificationReport {
  /// Error by layer and by kind.
  @MarkupBuilder var plotSection: Markup {
    let survey = ErrorSurvey(tensors)
    let products = ErrorSurvey(tensors, measure: \.shareOfBound)
    let exact = survey.kinds.filter(\.isExact).map(\.name)
    let measure = "RMS of the error / RMS of the source"
    VerificationReport.section("errors", "Where the error is") {
      if survey.kinds.isEmpty {
        Markup.element("p") { "No values were compared." }
      } else if exact.count == survey.kinds.count {
        Markup.element("p") {
          "Every compared value is the number that the source holds: there is no error to plot."
        }
      }
      Markup.element("div", ["class": "plots"]) {
        survey.layerPlot(id: "error-by-layer", title: "Error by layer", measure: measure)
        survey.kindPlot(id: "error-by-kind", title: "Error by kind of tensor", measure: measure)
        products.layerPlot(
          id: "products-by-layer", title: "Products with probe vectors by layer",
          measure: "error / its bound")
        products.kindPlot(
          id: "products-by-kind", title: "Products with probe vectors by kind of tensor",
          measure: "error / its bound")
      }.line
      if !exact.isEmpty, exact.count < survey.kinds.count {
        Markup.element("p") {
          "Values without any error: \(exact.prefix(40).joined(separator: ", "))"
            + (exact.count > 40 ? " and \(exact.count - 40) more." : ".")
        }
      }
    }
  }

  /// The tensors that are farthest from their source, and the first that failed.
  @MarkupBuilder var worstTensorSection: Markup {
    let worst = worstTensors
    let failed = tensors.lazy.filter { tensor in
      tensor.verdict == .fail && tensor.metrics != nil && !worst.contains { $0.name == tensor.name }
    }.prefix(5)
    if !worst.isEmpty || !failed.isEmpty {
      VerificationReport.section("worst", "Largest errors") {
        for (number, tensor) in (worst + failed).enumerated() {
          tensor.article(id: "worst-\(number)").line
        }
      }
    }
  }

  /// So many rows a page shows without delay.
  private static let tensorLimit = 2000

  /// The tensors as a table: those that failed, then those with the largest errors.
  @MarkupBuilder var tensorSection: Markup {
    let order = [Verdict.fail: 0, .inconclusive: 1, .pass: 2]
    let keys = tensors.map { (order[$0.verdict] ?? 3, -($0.metrics?.relativeRMSE ?? -1)) }
    let sorted = tensors.indices.sorted {
      (keys[$0].0, keys[$0].1, $0) < (keys[$1].0, keys[$1].1, $1)
    }
    let shown = sorted.prefix(VerificationReport.tensorLimit)
    if !tensors.isEmpty {
      VerificationReport.section("tensors", "Tensors") {
        Markup.element("p") {
          tensors.count > shown.count
            ? "\(Amount.count(shown.count)) of \(Amount.count(tensors.count)): those that failed, "
              + "then those with the largest errors."
            : "\(Amount.count(tensors.count, of: "tensor")): those that failed, then those with the "
              + "largest errors."
        }
        Markup.element("div", ["class": "scroll tall", "tabindex": "0"]) {
          Markup.element("table") {
            VerificationReport.heading(
              "tensor", "verdict", "kind", "from → to", ">RMSE / RMS", ">max |error|", ">cosine",
              ">equal", ">product error")
            Markup.element("tbody") { for index in shown { tensors[index].row.line } }
          }
        }
      }
    }
  }
}

extension TensorReport {
  fileprivate var row: Markup {
    .element(
      "tr",
      [
        "data-name": "\(name)", "data-verdict": verdict.rawValue,
        "data-relative-rmse": metrics.map { "\($0.relativeRMSE)" },
        "data-max-absolute-error": metrics.map { "\($0.maximumAbsoluteError)" },
        "data-cosine": metrics.map { "\($0.cosine)" },
        "data-equal-share": metrics.map { "\($0.equalShare)" },
        "data-product-error": operators.map { "\($0.error)" },
      ]
    ) {
      Markup.element("th", ["scope": "row"]) { Markup.element("code") { "\(name)" } }
      Markup.element("td") { verdict.badge }
      Markup.element("td") { role.map { "\($0)" } ?? kind }
      Markup.element("td") { "\(expected.encoding) → \(found.encoding)" }
      if let metrics {
        for text in metrics.figures { Markup.element("td", ["class": "number"]) { text } }
      } else {
        Markup.element("td", ["colspan": "4"]) { "values not compared" }
      }
      Markup.element("td", ["class": "number"]) { operators.map { Amount.real($0.error) } ?? "–" }
    }
  }

  /// Everything that was measured, with pictures.
  fileprivate func article(id: String) -> Markup {
    .element("article", ["class": verdict.rawValue, "data-name": "\(name)"]) {
      Markup.element("h3") {
        verdict.badge
        Markup.element("code") { "\(name)" }
      }
      Markup.element("div", ["class": "measured"]) {
        Markup.element("dl") {
          for (name, text) in facts {
            Markup.element("dt") { name }
            Markup.element("dd") { text }
          }
        }
        if let histogram = metrics?.histogram(id: "\(id)-histogram") { histogram }
        if let map = map(id: "\(id)-place") { map }
      }
      if let derivation { Markup.element("p", ["class": "derivation code"]) { derivation } }
    }
  }

  private var facts: [(String, String)] {
    var facts = [("type", "\(expected) → \(found)"), ("law", law)]
    if let role { facts.insert(("role", "\(role)"), at: 0) }
    guard let metrics else { return facts }
    let compared = Amount.count(metrics.comparedCount)
    facts += [
      ("compared", "\(compared) of \(Amount.count(metrics.elementCount)) values"),
      ("RMSE / RMS", metrics.figures[0]), ("max |error|", metrics.figures[1]),
      ("max relative error", Amount.real(metrics.maximumRelativeError)),
      ("cosine", metrics.figures[2]), ("equal", metrics.figures[3]),
    ]
    if let worst = metrics.worst {
      facts.append(("largest error", "\(worst.source) became \(worst.converted)"))
    }
    if let block = metrics.worstBlock {
      facts.append(("worst block", "\(Amount.count(block.index)), at \(Amount.real(block.error))"))
    }
    if let operators {
      facts.append(
        (
          "products",
          "error \(Amount.real(operators.error)), bound \(Amount.real(operators.bound))"
        ))
    }
    facts.append(("saturated", Amount.count(metrics.saturatedCount)))
    facts.append(
      (
        "NaN, infinite, zero",
        "\(metrics.source.text) in the source; \(metrics.converted.text) converted"
      ))
    return facts
  }
}

extension Metrics {
  /// Relative RMSE, largest absolute error, cosine and the share of equal values.
  var figures: [String] {
    [
      Amount.real(relativeRMSE), Amount.real(maximumAbsoluteError), Amount.fixed(cosine, 7),
      Amount.share(equalShare),
    ]
  }
}

extension Metrics.Counts {
  fileprivate var text: String {
    "\(Amount.count(nan)), \(Amount.count(infinite)), \(Amount.count(zero))"
  }
}
