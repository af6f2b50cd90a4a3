import ByteIO
import Equivalence
import TensorTypes
import WeightFormats

/// What `port diff` says.
public struct DifferenceReport: Sendable {
  public let difference: Difference

  public init(_ difference: Difference) {
    self.difference = difference
  }

  /// For people; only what differs.
  public var lines: [String] {
    var lines = [
      "- \(difference.firstPath.escapingControlCharacters)",
      "+ \(difference.secondPath.escapingControlCharacters)",
    ]
    if !difference.metadata.isEmpty {
      lines += ["", "metadata"]
      for item in difference.metadata {
        if let value = item.first { lines.append("  - \(item.key) = \(value.text(limit: 64))") }
        if let value = item.second { lines.append("  + \(item.key) = \(value.text(limit: 64))") }
      }
    }
    if !difference.onlyInFirst.isEmpty || !difference.onlyInSecond.isEmpty {
      lines += ["", "names"]
      lines += difference.onlyInFirst.map { "  - \($0)" }
      lines += difference.onlyInSecond.map { "  + \($0)" }
    }
    let types = difference.tensors.filter { $0.first != $0.second }
    if !types.isEmpty {
      lines += ["", "types"]
      var table = TextTable("tensor", "-", "+")
      for tensor in types {
        table.append(
          tensor.name.description, tensor.first.description, tensor.second.description)
      }
      lines += table.lines(indentation: 2)
    }
    let values = difference.tensors.filter {
      $0.metrics.map { $0.equalCount < $0.comparedCount } ?? false
    }
    if !values.isEmpty {
      lines += ["", "values"]
      var table = TextTable(
        "tensor", ">max |error|", ">RMSE / RMS", ">cosine", ">equal", "worst at")
      for tensor in values {
        guard let metrics = tensor.metrics else { continue }
        table.append(
          tensor.name.description, Amount.real(metrics.maximumAbsoluteError),
          Amount.real(metrics.relativeRMSE), Amount.fixed(metrics.cosine, 7),
          "\(Amount.fixed(100 * metrics.equalShare, 2)) %",
          metrics.worst.map { "element \($0.element)" } ?? "")
      }
      lines += table.lines(indentation: 2)
    }
    lines.append("")
    for note in difference.notes { lines.append("note: \(note.escapingControlCharacters)") }
    lines.append(summary)
    return lines
  }

  private var summary: String {
    let compared = difference.tensors.contains { $0.metrics != nil }
    let what = compared ? "names, types and values" : "names and types"
    guard !difference.isEmpty else {
      return "no difference in \(what) of \(Amount.count(difference.tensors.count, of: "tensor"))"
    }
    let different = difference.tensors.count { !$0.isEqual }
    return "\(Amount.count(different)) of \(Amount.count(difference.tensors.count, of: "tensor")) "
      + "differ in types or values, \(Amount.count(difference.onlyInFirst.count)) are only in -, "
      + "\(Amount.count(difference.onlyInSecond.count)) only in +, "
      + "\(Amount.count(difference.metadata.count, of: "metadata key")) "
      + (difference.metadata.count == 1 ? "differs" : "differ")
  }

  /// For programs, of the schema `port.diff/1`.
  public var json: JSON {
    .members([
      "schema": .text("port.diff/1"),
      "first": .text(difference.firstPath),
      "second": .text(difference.secondPath),
      "equal": .bool(difference.isEmpty),
      "only_in_first": .array(difference.onlyInFirst.map(JSON.string)),
      "only_in_second": .array(difference.onlyInSecond.map(JSON.string)),
      "metadata": .array(
        difference.metadata.map { item in
          .members([
            "key": .string(item.key), "first": item.first?.json, "second": item.second?.json,
          ])
        }),
      "tensors": .array(
        difference.tensors.map { tensor in
          .members([
            "name": .string(tensor.name), "first": .text(tensor.first.description),
            "second": .text(tensor.second.description), "equal": .bool(tensor.isEqual),
            "metrics": tensor.metrics?.json,
          ])
        }),
      "notes": .array(difference.notes.map(JSON.text)),
    ])
  }
}
