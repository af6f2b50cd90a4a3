import Architectures
import TensorTypes

@testable import Equivalence

/// Names that break pages which do not escape: markup, quotes, controls, direction marks.
let hostileNames = [
  "<script>alert(1)</script>", "\" onload=\"x", "' onload='x", "a&b&lt;", "]]>", "--><b>",
  "nul\u{0}bell\u{7}delete\u{7F}next\u{85}", "line\nfeed\ttab\r", "right\u{202E}to\u{2066}left",
  "\u{FFFE}\u{FFFF}", "é and 漢字", "",
]

/// A report as a verification makes one.
func sampleReport(
  names: [String] = ["blk.0.attn_q.weight", "blk.1.attn_q.weight", "output.weight"],
  verdict: Verdict = .fail, role: Role? = .attentionQuery
) -> VerificationReport {
  var report = VerificationReport(
    source: names.first ?? "source", converted: names.last ?? "converted",
    VerificationRequest(seed: 7, jobs: 1))
  for (number, name) in names.enumerated() {
    var metrics = Metrics()
    metrics.elementCount = 64
    metrics.comparedCount = 64
    metrics.squaredSource = 1
    metrics.squaredConverted = 1
    metrics.product = 1
    metrics.squaredError = 1e-6 * Double(number * number)
    metrics.maximumAbsoluteError = 0.125 * Double(number)
    metrics.worst = Metrics.Place(element: number % 64, source: 1, converted: 0.5)
    metrics.ulpHistogram = [64 - number % 64, number % 64, 0, 0, 0, 0]
    let type = TensorType(shape: [8, 8], encoding: .bf16)
    report.tensors.append(
      TensorReport(
        name: ByteString(name),
        role: role.map { RoleInstance(role: $0, bindings: .init(layer: number)) },
        expected: type, found: type.with(encoding: .f16), law: "rounded once to F16",
        metrics: metrics, verdict: verdict, derivation: "\(name) = \(name)"))
    report.findings.append(
      Finding(
        .correctlyRounded, .tensor(ByteString(name)), verdict, measured: name, place: name,
        likelyCause: name, derivation: name))
    report.findings.append(Finding(.smallFile, .file(name), verdict, measured: name))
    report.findings.append(Finding(.tokenizer, .key(ByteString(name)), .pass, measured: name))
  }
  for level in [Level.structure, .values] {
    let own = report.findings.filter { Check[$0.check].level == level }
    report.levels.append(
      LevelResult(
        level: level, verdict: .all(own.map(\.verdict)), findingCount: own.count,
        failureCount: own.count { $0.verdict == .fail }))
  }
  report.notes = names
  report.notChecked = names
  report.verdict = verdict
  return report
}
