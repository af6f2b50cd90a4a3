import Equivalence

extension VerificationReport {
  /// For CI systems: a suite for each level, a case for each check of each subject.
  ///
  /// - Source: the JUnit XML format as Jenkins, GitLab and GitHub's reporters read it.
  public var junit: [UInt8] {
    let document = Markup.element(
      "testsuites",
      [
        "name": "port verify", "tests": "\(findings.count)",
        "failures": "\(findings.count { $0.verdict == .fail })",
        "skipped": "\(findings.count { $0.verdict == .inconclusive })",
      ]
    ) {
      for level in levels { suite(of: level.level) }
      Markup.verbatim("\n")
    }
    return Array("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\(document.source)\n".utf8)
  }

  private func suite(of level: Level) -> Markup {
    let own = findings.filter { Check[$0.check].level == level }
    return Markup.verbatim("\n  ")
      + Markup.element(
        "testsuite",
        [
          "name": level.rawValue, "tests": "\(own.count)",
          "failures": "\(own.count { $0.verdict == .fail })",
          "skipped": "\(own.count { $0.verdict == .inconclusive })",
        ]
      ) {
        for finding in own { Markup.verbatim("\n    ") + finding.testCase }
        Markup.verbatim("\n  ")
      }
  }
}

extension Finding {
  fileprivate var testCase: Markup {
    let attributes: Markup.Attributes = [
      "classname": check.rawValue, "name": subject.description,
    ]
    switch verdict {
    case .pass: return .element("testcase", attributes)
    case .inconclusive:
      return .element("testcase", attributes) { Markup.element("skipped", ["message": measured]) }
    case .fail:
      let texts = [
        "\(measured) (bound: \(bound))", place.map { "at \($0)" },
        likelyCause.map { "likely cause: \($0)" }, derivation.map { "derivation: \($0)" },
        "why: \(because)",
      ].compactMap(\.self)
      return .element("testcase", attributes) {
        Markup.element("failure", ["message": texts[0]]) {
          for text in texts { Markup.text(text).line }
        }
      }
    }
  }
}
