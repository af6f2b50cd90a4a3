import Equivalence
import TensorTypes

extension VerificationReport {
  /// So many findings of one check are shown at once, and so many at all.
  private static let openLimit = 10
  private static let findingLimit = 200

  /// What failed or could not be decided, check by check, with what explains it.
  @MarkupBuilder var findingSection: Markup {
    let bad = findings.filter { $0.verdict != .pass }
    if !bad.isEmpty {
      VerificationReport.section("findings", "What failed or could not be decided") {
        for check in Check.all {
          for verdict in [Verdict.fail, .inconclusive] {
            let own = bad.filter { $0.check == check.name && $0.verdict == verdict }
            if !own.isEmpty { VerificationReport.article(check, verdict, own).line }
          }
        }
      }
    }
  }

  private static func article(
    _ check: Check, _ verdict: Verdict, _ findings: [Finding]
  ) -> Markup {
    let causes = Set(findings.map(\.likelyCause))
    let shared = findings.count > 1 && causes.count == 1 ? causes.first ?? nil : nil
    return .element(
      "article",
      [
        "class": verdict.rawValue, "data-check": check.name.rawValue,
        "data-verdict": verdict.rawValue, "data-count": "\(findings.count)",
      ]
    ) {
      Markup.element("h3") {
        verdict.badge
        Markup.element("span") { "\(check.name.rawValue) × \(Amount.count(findings.count))" }
      }
      Markup.element("p", ["class": "bound"]) { check.sentence }
      if let shared { Markup.element("p", ["class": "cause"]) { "Likely cause: \(shared)" } }
      let entries = findings.prefix(findingLimit).map {
        $0.entry(showsCause: shared == nil).line
      }
      entries.prefix(openLimit).map(\.self)
      if findings.count > openLimit {
        Markup.element("details") {
          Markup.element("summary") { "\(Amount.count(findings.count - openLimit)) more" }
          entries.dropFirst(openLimit).map(\.self)
          if findings.count > findingLimit {
            Markup.element("p") {
              "And \(Amount.count(findings.count - findingLimit)) that only --json FILE lists."
            }
          }
        }
      }
    }
  }

  /// The checks that ran, with their bounds and the reasons for them.
  @MarkupBuilder var checkSection: Markup {
    let used = Check.all.filter { check in findings.contains { $0.check == check.name } }
    VerificationReport.section("checks", "Checks and their bounds") {
      if used.isEmpty { Markup.element("p") { "No check ran." } }
      Markup.element("table") {
        VerificationReport.heading("check", ">result")
        Markup.element("tbody") { for check in used { row(check).line } }
      }
    }
  }

  private func row(_ check: Check) -> Markup {
    let own = findings.filter { $0.check == check.name }
    let counts = Verdict.allCases.map { verdict in own.count { $0.verdict == verdict } }
    let words = ["passed", "failed", "undecided"]
    return .element(
      "tr",
      [
        "data-check": check.name.rawValue, "data-passed": "\(counts[0])",
        "data-failed": "\(counts[1])", "data-undecided": "\(counts[2])",
      ]
    ) {
      Markup.element("th", ["scope": "row", "class": "words"]) {
        "\(check.name.rawValue) (\(check.level.rawValue))"
        Markup.element("p", ["class": "bound"]) { check.sentence }
      }
      Markup.element("td", ["class": "number"]) {
        for (number, verdict) in Verdict.allCases.enumerated() where counts[number] > 0 {
          Markup.element("div", ["class": verdict.rawValue]) {
            "\(Amount.count(counts[number])) \(words[number])"
          }
        }
      }
    }
  }

  /// The first row of a table; a title that begins with `>` stands over numbers.
  static func heading(_ titles: String...) -> Markup {
    .element("thead") {
      Markup.element("tr") {
        for title in titles {
          Markup.element(
            "th", ["scope": "col", "class": title.hasPrefix(">") ? "number" : nil]
          ) { title.hasPrefix(">") ? String(title.dropFirst()) : title }
        }
      }
    }.line
  }
}

extension Check {
  fileprivate var sentence: String {
    "Measures \(metric). Bound: \(bound), because \(because)."
  }
}

extension Finding {
  fileprivate func entry(showsCause: Bool) -> Markup {
    .element("div", ["class": "finding", "data-measured": measured, "data-bound": bound]) {
      Markup.element("div") {
        Markup.element("span", ["class": "subject"]) { "\(subject)" }
        verdict == .fail ? " measured \(measured), bound \(bound)" : " \(measured)"
      }
      if let place { Markup.element("p") { "Place: \(place)" } }
      if showsCause, let likelyCause {
        Markup.element("p", ["class": "cause"]) { "Likely cause: \(likelyCause)" }
      }
      if let derivation { Markup.element("p", ["class": "derivation code"]) { derivation } }
    }
  }
}
