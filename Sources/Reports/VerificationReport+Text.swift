import Equivalence
import TensorTypes

extension VerificationReport {
  /// For people: a line for each level, what failed, the worst tensors, what was not checked, and
  /// the verdict.
  ///
  /// - Parameter findingLimit: the most failures that are shown.
  public func lines(findingLimit: Int = 20) -> [String] {
    var lines = [
      "source     \(source.escapingControlCharacters)",
      "converted  \(converted.escapingControlCharacters)", "",
    ]
    for level in levels {
      lines.append(
        level.level.rawValue.padding(to: 11) + level.verdict.rawValue.padding(to: 14)
          + detail(of: level))
    }
    let bad = findings.filter { $0.verdict != .pass }
    if !bad.isEmpty {
      lines.append("")
      for finding in bad.prefix(findingLimit) { lines += finding.lines }
      if bad.count > findingLimit {
        lines.append("… and \(Amount.count(bad.count - findingLimit)) more; --json FILE has all")
      }
    }
    if !worstTensors.isEmpty {
      lines += ["", "largest errors"]
      var table = TextTable(
        "tensor", "from → to", ">RMSE / RMS", ">max |error|", ">cosine", ">equal")
      for tensor in worstTensors {
        guard let metrics = tensor.metrics else { continue }
        table.append(
          [tensor.name.description, "\(tensor.expected.encoding) → \(tensor.found.encoding)"]
            + metrics.figures)
      }
      lines += table.lines(indentation: 2)
    }
    for note in notes { lines.append("note: \(note.escapingControlCharacters)") }
    if !notChecked.isEmpty {
      lines += ["", "not checked"]
      for text in notChecked.prefix(findingLimit) {
        lines.append("  \(text.escapingControlCharacters)")
      }
      if notChecked.count > findingLimit {
        lines.append("  … and \(Amount.count(notChecked.count - findingLimit)) more")
      }
    }
    let word = verdict == .fail ? "FAIL" : verdict.rawValue
    lines += ["", "verdict    \(word): \(verdictSentence)"]
    return lines
  }

  /// How much of the level was checked: `214 checks, 2 failures`.
  func detail(of result: LevelResult) -> String {
    let failures =
      result.failureCount > 0 ? ", \(Amount.count(result.failureCount, of: "failure"))" : ""
    let checks = "\(Amount.count(result.findingCount, of: "check"))\(failures)"
    guard result.level == .values else { return checks }
    let part =
      comparedCount == elementCount
      ? "all \(Amount.count(elementCount)) values"
      : "\(Amount.count(comparedCount)) of \(Amount.count(elementCount)) values"
    return "\(checks), \(part) of \(Amount.count(tensors.count, of: "tensor"))"
  }

  /// What the verdict means.
  var verdictSentence: String {
    switch verdict {
    case .pass: "the converted checkpoint holds what the source holds"
    case .fail: "the converted checkpoint is not what the source gives"
    case .inconclusive: "not enough was compared"
    }
  }
}

extension Finding {
  /// `FAIL  bit-exact  tensor 'x': 3 elements differ (bound 0) at row 1` and what explains it.
  fileprivate var lines: [String] {
    var text = "\(verdict == .fail ? "FAIL" : "????")  \(check.rawValue)  \(subject): "
    text += "\(measured.escapingControlCharacters) (bound: \(bound.escapingControlCharacters))"
    if let place { text += " at \(place)" }
    var lines = [text]
    if let likelyCause {
      lines.append("      likely cause: \(likelyCause.escapingControlCharacters)")
    }
    if let derivation {
      lines.append("      derivation:   \(derivation.escapingControlCharacters)")
    }
    return lines
  }
}
