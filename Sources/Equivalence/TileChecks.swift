import Accelerators
import GraphRewriting
import ReferenceKernels
import TensorTypes
import WeightFormats

/// The weights that an Ascend folder holds a second time, as FRACTAL_NZ, and what they should be by
/// those that it holds as they are.
struct TileExpectation: Sendable {
  private struct Tensor: Sendable {
    let name: ByteString
    let node: NodeID
    /// As it is.
    let shape: Shape

    /// How findings call it.
    var subject: ByteString { ByteString("\(FractalNZ.folder)/\(name)") }
  }

  let converted: Checkpoint
  let tiled: Checkpoint
  private var graph: WeightGraph
  private var tensors: [Tensor] = []

  /// nil for a folder without such weights.
  ///
  /// - Throws: `badInput`, `missingInput`, `inputOutput` for files that cannot be read.
  init?(_ expectation: Expectation) throws(Failure) {
    converted = expectation.converted
    guard expectation.description != nil, let folder = converted.folder,
      folder.contains(FractalNZ.folder)
    else { return nil }
    tiled = try Checkpoint.open(folder.path(of: FractalNZ.folder))
    graph = WeightGraph(sources: converted.tensors.map(\.type))
    for expected in expectation.tensors where expected.name.hasSuffix(".weight") {
      guard let number = converted.position(of: expected.name),
        case let type = converted.tensors[number].type, FractalNZ.applies(to: type, expected.role)
      else { continue }
      let node = try FractalNZ.add(try graph.add(.load(number)), to: &graph)
      tensors.append(Tensor(name: expected.name, node: node, shape: type.shape))
    }
  }

  /// Checks names, shapes, types and what metadata say.
  func checkStructure(into report: inout VerificationReport) {
    for tensor in tensors {
      let subject = Finding.Subject.tensor(tensor.subject)
      guard let found = tiled[tensor.name] else {
        report.findings.append(Finding(.tensorPresent, subject, .fail, measured: "0"))
        continue
      }
      let expected = graph[tensor.node].type
      report.findings.append(Finding(.tensorPresent, subject, .pass, measured: "1"))
      report.findings.append(
        Finding(
          .shape, subject, found.type.shape == expected.shape ? .pass : .fail,
          measured: "\(found.type.shape)", bound: "\(expected.shape)"))
      report.findings.append(
        Finding(
          .encoding, subject, found.type.encoding == expected.encoding ? .pass : .fail,
          measured: found.type.encoding.name, bound: expected.encoding.name))
      let stated = tiled.metadata[tensor.name]?.string?.text
      report.findings.append(
        Finding(
          .shape, .key(tensor.subject), stated == tensor.shape.description ? .pass : .fail,
          measured: stated ?? "nothing", bound: tensor.shape.description))
    }
    let names = Set(tensors.map(\.name))
    for tensor in tiled.tensors where !names.contains(tensor.name) {
      report.findings.append(
        Finding(
          .tensorExpected, .tensor(ByteString("\(FractalNZ.folder)/\(tensor.name)")), .fail,
          measured: "1"))
    }
    let (key, value) = FractalNZ.metadata
    let stated = tiled.metadata[key]?.string?.text
    report.findings.append(
      Finding(
        .config, .key(ByteString("\(FractalNZ.folder)/\(key)")), stated == value ? .pass : .fail,
        measured: stated ?? "nothing", bound: value))
  }

  /// Compares bit for bit.
  func checkValues(
    _ request: VerificationRequest, _ isCancelled: @escaping @Sendable () -> Bool,
    _ progress: @escaping @Sendable (Int) -> Void, into report: inout VerificationReport
  ) throws(Failure) {
    let comparison = Comparison(
      evaluation: Evaluation(graph, source: CheckpointTensors(checkpoint: converted)),
      converted: CheckpointTensors(checkpoint: tiled), request: request, isCancelled: isCancelled,
      progress: progress)
    let pairs = tensors.compactMap { tensor -> Comparison.Pair? in
      guard let number = tiled.position(of: tensor.name),
        tiled.tensors[number].type == graph[tensor.node].type
      else { return nil }
      return Comparison.Pair(
        name: tensor.subject, node: tensor.node, converted: number, law: .bitExact)
    }
    for (pair, metrics) in zip(pairs, try comparison.metrics(of: pairs)) {
      let shape = tiled.tensors[pair.converted].type.shape
      report.findings += ValueFindings(pair: pair, shape: shape, metrics: metrics).findings
    }
  }
}
