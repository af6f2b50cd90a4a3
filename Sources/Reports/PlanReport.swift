import ByteIO
import Conversion
import TensorTypes
import WeightFormats

/// What `port convert --plan` says: everything that will be read, done and written.
public struct PlanReport: Sendable {
  public let plan: Plan

  public init(_ plan: Plan) {
    self.plan = plan
  }

  /// For people. Nothing in it depends on the machine or on where the output goes.
  public var lines: [String] { summary + Array(tensorLines) }

  /// All lines but those of the tensors.
  public var summary: [String] {
    var rows: [(String, String)] = []
    let search = plan.search == .thorough ? ", thorough search" : ""
    rows.append(("target", "\(plan.target.spelling), scheme \(plan.scheme.name)\(search)"))
    if let architecture = plan.architecture { rows.append(("architecture", architecture.name)) }
    let sourceTensors = Amount.count(plan.source.tensors.count, of: "tensor")
    rows.append(
      (
        "read",
        "\(Amount.count(plan.source.files.count, of: "file")), \(sourceTensors), "
          + Amount.bytes(plan.source.payloadByteCount)
      ))
    let files = plan.files.count + plan.sidecars.count
    rows.append(
      (
        "write",
        "\(Amount.count(files, of: "file")), \(Amount.count(plan.tensors.count, of: "tensor")), "
          + "\(Amount.count(plan.outputByteCount)) bytes"
      ))
    for (file, tensorCount) in zip(plan.files, tensorCounts) {
      rows.append(
        (
          "",
          "\(fileName(of: file.name).escapingControlCharacters): "
            + "\(Amount.count(tensorCount, of: "tensor")), "
            + "\(Amount.count(file.framing.fileByteCount)) bytes"
        ))
    }
    for sidecar in plan.sidecars {
      rows.append(
        (
          "",
          "\(sidecar.name.escapingControlCharacters): \(Amount.count(sidecar.bytes.count)) bytes"
        ))
    }
    for (reason, names) in droppedByReason {
      let shown = names.prefix(3).map(\.description).joined(separator: ", ")
      let more = names.count > 3 ? " and \(names.count - 3) more" : ""
      rows.append(("drop", "\(shown)\(more): \(reason)"))
    }
    for warning in plan.warnings { rows.append(("warning", warning.escapingControlCharacters)) }
    rows.append(("rules", rulesText))
    let lines = rows.map { $0.0.padding(to: 14) + $0.1 }
    return lines + ["", "tensors"]
  }

  /// The memory that this machine's request needs.
  public var memoryLine: String {
    let memory = plan.memory
    return "memory".padding(to: 14)
      + "at most \(Amount.bytes(memory.peakByteCount)): \(Amount.count(memory.jobs, of: "worker")) "
      + "with \(Amount.bytes(memory.workerByteCount)) of buffers each"
  }

  /// What a finished conversion prints.
  public var resultLine: String {
    "wrote \(plan.destination.escapingControlCharacters): \(plan.target.spelling) "
      + "\(plan.scheme.name), \(Amount.count(plan.tensors.count, of: "tensor")), "
      + "\(Amount.count(plan.outputByteCount)) bytes"
  }

  /// For programs, of the schema `port.plan/1`.
  public var json: JSON {
    .members([
      "schema": .text("port.plan/1"),
      "source": .text(plan.source.path),
      "output": .text(plan.destination),
      "target": .text(plan.target.spelling),
      "scheme": .text(plan.scheme.name),
      "search": .text(plan.search.rawValue),
      "architecture": plan.architecture.map { .text($0.name) },
      "read_bytes": .integer(plan.source.payloadByteCount),
      "write_bytes": .integer(plan.outputByteCount),
      "peak_memory_bytes": .integer(plan.memory.peakByteCount),
      "jobs": .integer(plan.memory.jobs),
      "files": .array(
        plan.files.map {
          .members(["path": .text($0.name), "bytes": .integer($0.framing.fileByteCount)])
        }
          + plan.sidecars.map {
            .members(["path": .text($0.name), "bytes": .integer($0.bytes.count)])
          }),
      "tensors": .array(
        plan.tensors.map { tensor in
          .members([
            "name": .string(tensor.name), "dtype": .text(tensor.type.encoding.name),
            "shape": .array(tensor.type.shape.axes.map(JSON.integer)),
            "bytes": .integer(tensor.byteCount), "offset": .integer(tensor.offset),
            "file": .text(plan.files[tensor.file].name),
            "role": tensor.role.map { .text($0.description) },
            "sources": .array(sources(of: tensor).map(JSON.string)),
          ])
        }),
      "dropped": .array(
        plan.dropped.map { .members(["name": .string($0.name), "reason": .text($0.reason)]) }),
      "warnings": .array(plan.warnings.map(JSON.text)),
    ])
  }

  private var tensorCounts: [Int] {
    var counts = [Int](repeating: 0, count: plan.files.count)
    for tensor in plan.tensors { counts[tensor.file] += 1 }
    return counts
  }

  private var droppedByReason: [(String, [ByteString])] {
    var reasons: [(String, [ByteString])] = []
    for (name, reason) in plan.dropped {
      if let position = reasons.firstIndex(where: { $0.0 == reason }) {
        reasons[position].1.append(name)
      } else {
        reasons.append((reason, [name]))
      }
    }
    return reasons
  }

  private var rulesText: String {
    var counts: [(rule: String, count: Int)] = []
    for firing in plan.firings {
      if let position = counts.firstIndex(where: { $0.rule == firing.rule }) {
        counts[position].count += 1
      } else {
        counts.append((firing.rule, 1))
      }
    }
    let texts = counts.sorted { $0.rule < $1.rule }.map { "\($0.rule) × \($0.count)" }
    return texts.isEmpty ? "none fires" : texts.joined(separator: ", ")
  }

  /// A line for each tensor, made as it is asked for: there may be hundreds of thousands.
  public var tensorLines: some Sequence<String> {
    TextTable.lines(
      ["name", "type", "shape", ">bytes", ">offset", "from"], rowCount: plan.tensors.count,
      indentation: 2
    ) { number in
      let tensor = plan.tensors[number]
      let sources = sources(of: tensor)
      let more = sources.count > 1 ? " and \(sources.count - 1) more" : ""
      return [
        tensor.name.description, tensor.type.encoding.name, tensor.type.shape.description,
        String(tensor.byteCount), String(tensor.offset),
        (sources.first?.description ?? "a literal") + more,
      ]
    }
  }

  private func sources(of tensor: Plan.Tensor) -> [ByteString] {
    plan.graph.loads(of: tensor.node).map { plan.source.tensors[$0].name }
  }
}
