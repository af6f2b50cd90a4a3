import Accelerators
import Architectures
import ByteIO
import Conversion
import Equivalence
import GraphRewriting
import TensorTypes
import WeightFormats

/// A table of the product that `port list` prints.
public enum ListedTable: String, Sendable, CaseIterable {
  case formats, types, architectures, targets, schemes, rules, checks

  /// The titles of the columns and the rows.
  private var content: (columns: [String], rows: [[String]]) {
    switch self {
    case .formats:
      (
        ["name", "suffixes", "specification"],
        Format.all.map {
          [
            $0.name.rawValue, $0.suffixes.map { "." + $0 }.joined(separator: " "),
            $0.specification,
          ]
        }
      )
    case .types:
      (
        ["name", "elements", "bytes", "bits per element"],
        DType.allCases.map { dtype in
          let unit = Encoding.plain(dtype)
          return [
            dtype.name, "\(unit.unitElementCount)", "\(unit.unitByteCount)", "\(dtype.bitWidth)",
          ]
        }
          + BlockType.all.map { block in
            let bits = Double(8 * block.byteCount) / Double(block.elementCount)
            return [
              block.name, "\(block.elementCount)", "\(block.byteCount)", Amount.real(bits),
            ]
          }
      )
    case .architectures:
      (
        ["name", "in config.json", "in GGUF", "source"],
        Architecture.all.map {
          [$0.name, $0.identifiers.joined(separator: " "), $0.ggufName, $0.source]
        }
      )
    case .targets:
      (
        ["name", "runtime", "schemes", "source"],
        Target.all.map {
          [
            $0.spelling, $0.runtime, $0.schemes.map(\.name).joined(separator: " "), $0.source,
          ]
        }
      )
    case .schemes:
      (
        ["target", "name", "default"],
        Target.all.flatMap { target in
          ([target.defaultScheme] + target.schemes).map {
            [
              target.spelling, $0.name,
              $0 == target.defaultScheme ? "yes" : "",
            ]
          }
        }
      )
    case .rules:
      (
        ["phase", "name", "fidelity", "law"],
        (Plan.phases + [.define]).flatMap { phase in
          phase.rules.map { [phase.phase, $0.name, $0.fidelity.description, $0.law] }
        }
          + ConfigRule.examples.map { ["config", $0.rule.name, "changes no weight", $0.rule.law] }
      )
    case .checks:
      (
        ["name", "level", "metric", "bound", "because"],
        Check.all.map { [$0.name.rawValue, $0.level.rawValue, $0.metric, $0.bound, $0.because] }
      )
    }
  }

  /// For people.
  public var lines: [String] {
    let (columns, rows) = content
    var table = TextTable(columns)
    for row in rows { table.append(row) }
    return table.lines()
  }

  /// For programs, of the schema `port.list/1`.
  public var json: JSON {
    let (columns, rows) = content
    return .members([
      "schema": .text("port.list/1"),
      "table": .text(rawValue),
      "rows": .array(
        rows.map { row in
          var object = JSONObject()
          for (column, cell) in zip(columns, row) {
            object.append(ByteString(column), Int(cell).map(JSON.integer) ?? .text(cell))
          }
          return .object(object)
        }),
    ])
  }
}
