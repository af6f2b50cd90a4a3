@testable import Equivalence

/// How many faults were found, as a table in Markdown.
struct ScoreTable: CustomStringConvertible {
  private var rows: [(fault: Fault, trials: [Trial])] = []

  mutating func add(_ trial: Trial, of fault: Fault) {
    if rows.last?.fault.name == fault.name {
      rows[rows.count - 1].trials.append(trial)
    } else {
      rows.append((fault, [trial]))
    }
  }

  var description: String {
    let trials = rows.flatMap(\.trials)
    let found = trials.count { $0.complaint == nil }
    let lines = rows.map { fault, trials in
      let good = trials.filter { $0.complaint == nil }
      return [
        fault.name, unique(trials.map(\.model)), unique(trials.map(\.form.name)),
        "\(good.count) of \(trials.count)",
        unique(trials.map { $0.level?.rawValue ?? "reading" }),
        unique(trials.flatMap { $0.levels.dropFirst().map(\.rawValue) }),
        "\(trials.count { $0.hasCause })",
        milliseconds(trials.map(\.duration).max() ?? .zero),
      ].joined(separator: " | ")
    }
    return """
      | fault | models | forms | found and named | at | also at | with cause | ms at most |
      | --- | --- | --- | --- | --- | --- | --- | --- |
      \(lines.map { "| \($0) |" }.joined(separator: "\n"))

      \(rows.count) faults in \(trials.count) conversions: \(found) found and named, \
      \(trials.count - found) not; \
      \(milliseconds(trials.reduce(.zero) { $0 + $1.duration })) ms.
      """
  }

  /// Each text once, in the order of their first places.
  private func unique(_ texts: [String]) -> String {
    var seen: [String] = []
    for text in texts where !seen.contains(text) { seen.append(text) }
    return seen.isEmpty ? "–" : seen.joined(separator: ", ")
  }

  private func milliseconds(_ duration: Duration) -> String {
    "\(duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000)"
  }
}
