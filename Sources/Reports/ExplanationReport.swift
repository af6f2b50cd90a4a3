import ByteIO
import Conversion
import GraphRewriting
import TensorTypes
import WeightFormats

/// What `port explain` says of one tensor.
public struct ExplanationReport: Sendable {
  public let explanation: Explanation

  /// Experts and the like have many sources; so many are listed.
  private static let listLimit = 8

  public init(_ explanation: Explanation) {
    self.explanation = explanation
  }

  /// For people: sources, the computation before and after the rules, the bound, the place.
  public var lines: [String] {
    let tensor = explanation.tensor
    var lines = ["\(tensor.name)  \(tensor.type)"]
    if let role = tensor.role { lines.append("  role      \(role)") }
    let plan = explanation.plan
    for source in explanation.sources.prefix(ExplanationReport.listLimit) {
      let file = plan.source.files[source.file].source.name.escapingControlCharacters
      lines.append(
        "  from      \(source.name)  \(source.type), \(Amount.count(source.byteCount)) bytes at "
          + "\(source.offset) of \(file)")
    }
    if explanation.sources.count > ExplanationReport.listLimit {
      lines.append(
        "            and \(explanation.sources.count - ExplanationReport.listLimit) more")
    }
    lines += ["", "  as the tables say"]
    lines += steps(of: explanation.program)
    lines += ["", "  rules that fired"]
    if explanation.firings.isEmpty { lines.append("    none") }
    for (rule, count) in firings {
      let times = count > 1 ? " × \(count)" : ""
      lines.append("    \(rule.name)\(times): \(rule.law); \(rule.fidelity)")
    }
    lines += ["", "  as it is computed"]
    lines += steps(of: explanation.rewritten)
    lines += ["", "  conversions"]
    for way in explanation.conversions {
      lines.append("    " + way.encodings.map(\.name).joined(separator: " → ") + ": " + bound(way))
    }
    lines += ["", "  place"]
    lines.append(
      "    \(Amount.count(tensor.byteCount)) bytes at \(tensor.offset) of "
        + plan.files[tensor.file].name.escapingControlCharacters)
    return lines
  }

  /// For programs; the member `explanations` of the schema `port.explain/1`.
  public var json: JSON {
    let tensor = explanation.tensor
    let plan = explanation.plan
    return .members([
      "name": .string(tensor.name),
      "dtype": .text(tensor.type.encoding.name),
      "shape": .array(tensor.type.shape.axes.map(JSON.integer)),
      "bytes": .integer(tensor.byteCount),
      "offset": .integer(tensor.offset),
      "file": .text(plan.files[tensor.file].name),
      "role": tensor.role.map { .text($0.description) },
      "sources": .array(
        explanation.sources.map { source in
          .members([
            "name": .string(source.name), "dtype": .text(source.type.encoding.name),
            "shape": .array(source.type.shape.axes.map(JSON.integer)),
            "bytes": .integer(source.byteCount), "offset": .integer(source.offset),
            "file": .text(plan.source.files[source.file].source.name),
          ])
        }),
      "program": .array(steps(of: explanation.program).map { .text($0.trimmed) }),
      "rewritten": .array(steps(of: explanation.rewritten).map { .text($0.trimmed) }),
      "firings": .array(
        firings.map { rule, count in
          .members([
            "rule": .text(rule.name), "law": .text(rule.law), "count": .integer(count),
            "fidelity": .text(rule.fidelity.description),
          ])
        }),
      "conversions": .array(
        explanation.conversions.map { way in
          .members([
            "encodings": .array(way.encodings.map { .text($0.name) }), "bound": .text(bound(way)),
          ])
        }),
    ])
  }

  /// The nodes from inputs to output, numbered; a run of equal steps on other sources is one line.
  private func steps(of graph: WeightGraph) -> [String] {
    var lines: [String] = []
    for (index, node) in graph.nodes.enumerated() {
      let inputs = node.inputs.map { "%\($0.index)" }
      let shown = inputs.prefix(4).joined(separator: ", ")
      let more = inputs.count > 4 ? ", … \(inputs.count) in all" : ""
      var op = node.op.description
      if case .load(let number) = node.op {
        op = "load \(explanation.plan.source.tensors[number].name)"
      }
      lines.append(
        "    %\(index) = \(op)\(inputs.isEmpty ? "" : "(\(shown)\(more))")  \(node.type)")
    }
    let limit = 3 * ExplanationReport.listLimit
    guard lines.count > limit else { return lines }
    let omitted = lines.count - limit
    return lines.prefix(limit / 2) + ["    … \(omitted) more like these"]
      + lines.suffix(limit / 2)
  }

  private var firings: [(rule: Rule, count: Int)] {
    var counts: [(rule: Rule, count: Int)] = []
    for firing in explanation.firings {
      if let position = counts.firstIndex(where: { $0.rule.name == firing.rule }) {
        counts[position].count += 1
      } else if let rule = Plan.phases.flatMap(\.rules).first(where: { $0.name == firing.rule }) {
        counts.append((rule, 1))
      }
    }
    return counts
  }

  private func bound(_ way: Explanation.Conversion) -> String {
    way.bounds.isEmpty ? "bit-exact" : way.bounds.joined(separator: "; ")
  }
}

extension String {
  fileprivate var trimmed: String { String(drop { $0 == " " }) }
}
