import Equivalence
import TensorTypes

extension VerificationReport {
  /// For CI systems: a suite for each level, a case for each check of each subject.
  ///
  /// - Source: the JUnit XML format as Jenkins, GitLab and GitHub's reporters read it.
  public var junit: [UInt8] {
    let bad = findings.count { $0.verdict == .fail }
    var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>"]
    lines.append(
      "<testsuites name=\"port verify\" tests=\"\(findings.count)\" failures=\"\(bad)\">")
    for level in levels {
      let own = findings.filter { Check[$0.check].level == level.level }
      let failures = own.count { $0.verdict == .fail }
      let skipped = own.count { $0.verdict == .inconclusive }
      lines.append(
        "  <testsuite name=\"\(level.level.rawValue)\" tests=\"\(own.count)\" "
          + "failures=\"\(failures)\" skipped=\"\(skipped)\">")
      for finding in own { lines += finding.junit }
      lines.append("  </testsuite>")
    }
    lines.append("</testsuites>")
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }
}

extension Finding {
  fileprivate var junit: [String] {
    let start =
      "    <testcase classname=\"\(check.rawValue.xml)\" name=\"\(subject.description.xml)\""
    let text = [
      "\(measured) (bound: \(bound))", place.map { "at \($0)" },
      likelyCause.map { "likely cause: \($0)" }, derivation.map { "derivation: \($0)" },
      "why: \(because)",
    ].compactMap(\.self)
    switch verdict {
    case .pass: return [start + "/>"]
    case .inconclusive:
      return [start + "><skipped message=\"\(measured.xml)\"/></testcase>"]
    case .fail:
      return [
        start + "><failure message=\"\(text[0].xml)\">\(text.joined(separator: "\n").xml)</failure>"
          + "</testcase>"
      ]
    }
  }
}

extension String {
  /// The text with what XML reserves written as entities, and what it forbids escaped.
  fileprivate var xml: String {
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF:
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
