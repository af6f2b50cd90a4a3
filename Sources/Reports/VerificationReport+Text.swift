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
    switch result.level {
    case .structure: return checks
    case .values:
      let part =
        comparedCount == elementCount
        ? "all \(Amount.count(elementCount)) values"
        : "\(Amount.count(comparedCount)) of \(Amount.count(elementCount)) values"
      return "\(checks), \(part) of \(Amount.count(tensors.count, of: "tensor"))"
    case .operators:
      guard let share = tensors.compactMap(\.shareOfBound).max() else { return checks }
      return share <= 1
        ? "\(checks), products off by at most \(Amount.share(share)) of their bounds"
        : "\(checks), products off by up to \(Amount.real(share)) times their bounds"
    case .logits:
      guard let model else { return checks }
      let tokens = "on \(Amount.count(model.tokenCount, of: "token"))"
      guard let own = model.distribution else {
        return "\(checks), error \(Amount.real(model.error)) \(tokens)"
      }
      return "\(checks), KL divergence \(Amount.real(own.meanKL)), first token equal "
        + "\(Amount.share(own.sameFirst)) \(tokens)"
    }
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

extension TensorReport {
  /// The error of its products over what is allowed; nil where nothing was multiplied, or nothing
  /// is allowed and nothing is off.
  var shareOfBound: Double? {
    guard let operators else { return nil }
    let shares = [
      (operators.error, operators.bound), (operators.weightError, operators.weightBound),
    ]
    return shares.filter { $0.0 != 0 || $0.1 != 0 }.map { $0.0 / $0.1 }.max()
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
