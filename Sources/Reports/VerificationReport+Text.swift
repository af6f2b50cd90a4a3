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
      let failures =
        level.failureCount > 0
        ? ", \(Amount.count(level.failureCount, of: "failure"))" : ""
      lines.append(
        level.level.rawValue.padding(to: 11) + level.verdict.rawValue.padding(to: 14)
          + "\(Amount.count(level.findingCount, of: "check"))\(failures)" + detail(of: level.level))
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
          tensor.name.description, "\(tensor.expected.encoding) → \(tensor.found.encoding)",
          Amount.real(metrics.relativeRMSE), Amount.real(metrics.maximumAbsoluteError),
          Amount.fixed(metrics.cosine, 7), "\(Amount.fixed(100 * metrics.equalShare, 1)) %")
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
    lines += ["", "verdict    " + verdictText]
    return lines
  }

  private func detail(of level: Level) -> String {
    guard level == .values else { return "" }
    let part =
      comparedCount == elementCount
      ? "all \(Amount.count(elementCount)) values"
      : "\(Amount.count(comparedCount)) of \(Amount.count(elementCount)) values"
    return ", \(part) of \(Amount.count(tensors.count, of: "tensor"))"
  }

  private var verdictText: String {
    switch verdict {
    case .pass: "pass: the converted checkpoint holds what the source holds"
    case .fail: "FAIL: the converted checkpoint is not what the source gives"
    case .inconclusive: "inconclusive: not enough was compared"
    }
  }

  /// The five tensors that are farthest from their source, the farthest first.
  var worstTensors: [TensorReport] {
    let measured = tensors.filter { ($0.metrics?.relativeRMSE ?? 0) > 0 }
    return Array(
      measured.sorted {
        ($0.metrics?.relativeRMSE ?? 0, $1.name) > ($1.metrics?.relativeRMSE ?? 0, $0.name)
      }.prefix(5))
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
