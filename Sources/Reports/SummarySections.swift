import Equivalence
import TensorTypes

extension VerificationReport {
  /// The verdict, what was compared, and the figures that matter most.
  @MarkupBuilder var summary: Markup {
    Markup.element("p", ["class": "product"]) { "port verify" }.line
    Markup.element("h1") {
      verdict.badge
      " \(verdictSentence)"
    }.line
    Markup.element("dl", ["class": "ends"]) {
      Markup.element("dt") { "source" }
      Markup.element("dd") { Markup.element("code") { source } }
      Markup.element("dt") { "converted" }
      Markup.element("dd") { Markup.element("code") { converted } }
    }.line
    Markup.element("dl", ["class": "tiles"]) {
      tile("checks", Amount.count(findings.count), tally)
      tile(
        "values compared", Amount.count(comparedCount),
        comparedCount == elementCount
          ? "all of \(Amount.count(tensors.count, of: "tensor"))"
          : "of \(Amount.count(elementCount)) in \(Amount.count(tensors.count, of: "tensor"))")
      tile(
        "largest relative RMSE",
        worstTensors.first?.metrics.map { Amount.real($0.relativeRMSE) } ?? "0",
        worstTensors.first?.name.description ?? "no value differs")
    }.line
  }

  private func tile(_ name: String, _ figure: String, _ detail: String) -> Markup {
    .element("div") {
      Markup.element("dt") { name }
      Markup.element("dd") {
        Markup.element("strong") { figure }
        Markup.element("span") { detail }
      }
    }
  }

  private var tally: String {
    let failed = findings.count { $0.verdict == .fail }
    let undecided = findings.count { $0.verdict == .inconclusive }
    if failed + undecided == 0 { return "all passed" }
    return [
      failed > 0 ? "\(Amount.count(failed)) failed" : nil,
      undecided > 0 ? "\(Amount.count(undecided)) undecided" : nil,
    ].compactMap(\.self).joined(separator: ", ")
  }

  /// A line for each level, those that did not run among them.
  var levelList: Markup {
    .element("ul", ["class": "levels"]) {
      for level in Level.allCases {
        if let result = levels.first(where: { $0.level == level }) {
          Markup.element(
            "li",
            [
              "data-level": level.rawValue, "data-verdict": result.verdict.rawValue,
              "data-checks": "\(result.findingCount)",
              "data-failures": "\(result.failureCount)",
            ]
          ) {
            Markup.element("span", ["class": "level"]) { level.rawValue }
            result.verdict.badge
            Markup.element("span") { detail(of: result) }
          }.line
        } else {
          Markup.element("li", ["class": "absent"]) {
            Markup.element("span", ["class": "level"]) { level.rawValue }
            Markup.element("span", ["class": "badge"]) { "– Not run" }
            Markup.element("a", ["href": "#not-checked"]) { "what was not checked" }
          }.line
        }
      }
    }.line
  }

  /// What is equal to the source's in words; what was not looked at.
  @MarkupBuilder var noteSection: Markup {
    VerificationReport.section("not-checked", "What was not checked") {
      if notChecked.isEmpty {
        Markup.element("p") { "Every value of both checkpoints was compared." }
      }
      VerificationReport.list(notChecked)
      Markup.element("p") {
        "Converter and verifier share the tables of names, forms and hyperparameters: an error "
          + "there shows in neither. Whether the runtime computes correctly, and whether a "
          + "quantized model is still good enough, is not decided here."
      }
    }
    if !notes.isEmpty {
      VerificationReport.section("notes", "Differences that do no harm") {
        VerificationReport.list(notes)
      }
    }
  }

  private static let listLimit = 200

  private static func list(_ texts: [String]) -> Markup {
    guard !texts.isEmpty else { return Markup() }
    return .element("ul") {
      for text in texts.prefix(listLimit) { Markup.element("li") { text }.line }
      if texts.count > listLimit {
        Markup.element("li") { "and \(Amount.count(texts.count - listLimit)) more" }
      }
    }.line
  }

  /// The command that gives this report again.
  var reproductionSection: Markup {
    var sampling = "all"
    if case .rows(let count) = sample { sampling = "\(count)" }
    let level = levels.last.map { " --level \($0.level.rawValue)" } ?? ""
    return VerificationReport.section("reproduce", "How to reproduce") {
      Markup.element("pre") {
        "port verify \(source.quotedForShell) \(converted.quotedForShell)\(level) "
          + "--sample \(sampling) --seed \(seed)\(tokens == nil ? "" : " --tokens tokens.json") "
          + "--html report.html"
      }.line
      Markup.element("p") {
        "With port \(productVersion). The result does not depend on the machine, the number of "
          + "threads or the memory limit. "
        Markup.element("code") { "--json FILE" }
        " writes every figure, "
        Markup.element("code") { "port explain" }
        " how a conversion comes to one tensor."
      }
    }
  }
}

extension String {
  /// As one word of a POSIX shell.
  var quotedForShell: String {
    let plain = utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "/"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    if plain, !isEmpty { return self }
    return "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
      + "'"
  }
}
