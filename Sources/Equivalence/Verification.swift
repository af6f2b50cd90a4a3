import GraphRewriting
import ReferenceKernels
import TensorTypes
import WeightFormats

/// Decides whether a converted checkpoint still computes what its source computes.
///
/// Both ends are read from disk; what should hold follows from the source's graph before any
/// rewriting, evaluated by the reference kernels. No code is shared with the conversion.
public enum Verification {
  /// Compares as deep as is asked and possible.
  ///
  /// - Parameters:
  ///   - progress: called from any thread with what was done since the last call.
  /// - Throws: `badInput` for a source that cannot be understood, `inputOutput`, `interrupted`,
  ///   `usage` for a memory limit that is too low. What differs is no error but a finding.
  public static func run(
    source: Checkpoint, converted: Checkpoint, _ request: VerificationRequest,
    isCancelled: @escaping @Sendable () -> Bool = { false },
    progress: @escaping @Sendable (VerificationProgress) -> Void = { _ in }
  ) throws(Failure) -> VerificationReport {
    var report = VerificationReport(source: source.path, converted: converted.path, request)
    let expectation = try Expectation(source: source, converted: converted)
    let tiles = try TileExpectation(expectation)
    report.notes += expectation.warnings
    expectation.checkDescriptionEntries(into: &report)
    expectation.checkTensors(into: &report)
    expectation.checkMetadata(into: &report)
    expectation.checkDescription(into: &report)
    try expectation.checkSmallFiles(into: &report)
    tiles?.checkStructure(into: &report)
    report.close(.structure)
    // Samples are for answers in seconds, and a model cannot run on a sample of its weights.
    let deepest = request.level ?? (request.sample == .all ? .logits : .operators)
    if deepest >= .values {
      let total = converted.payloadByteCount + (tiles?.tiled.payloadByteCount ?? 0)
      let advance: @Sendable (Int) -> Void = { progress(.compared(byteCount: $0, of: total)) }
      let comparison = Comparison(
        evaluation: Evaluation(
          expectation.graph, source: CheckpointTensors(checkpoint: source)),
        converted: CheckpointTensors(checkpoint: converted), request: request,
        isCancelled: isCancelled, progress: advance)
      try expectation.checkValues(comparison, into: &report)
      try tiles?.checkValues(request, isCancelled, advance, into: &report)
      report.close(.values)
    }
    var isComplete = true
    if deepest >= .operators {
      isComplete = try expectation.checkOperators(request, isCancelled, progress, into: &report)
      if isComplete { report.close(.operators) }
    }
    if deepest >= .logits {
      isComplete = try expectation.checkModel(request, isCancelled, progress, into: &report)
      if isComplete { report.close(.logits) }
    }
    for level in Level.allCases where level > deepest {
      report.notChecked.append("the \(level.rawValue) level: it was not asked for")
    }
    try source.checkUnchanged()
    try converted.checkUnchanged()
    try tiles?.tiled.checkUnchanged()
    var verdicts = report.levels.map(\.verdict)
    if request.level == deepest, !isComplete { verdicts.append(.inconclusive) }
    report.verdict = .all(verdicts)
    return report
  }
}

/// What a verification has done since it last said so; its levels follow one another.
public enum VerificationProgress: Sendable, Hashable {
  /// So many bytes of the converted checkpoint have been compared.
  case compared(byteCount: Int, of: Int)
  /// So many tensors have multiplied probes.
  case multiplied(tensorCount: Int, of: Int)
  /// So many layers of the models have run.
  case ran(layerCount: Int, of: Int)
}

extension VerificationReport {
  /// Adds what is so of some tensors, if there are any.
  fileprivate mutating func note(_ count: Int, _ text: String) {
    if count > 0 { notes.append("\(count) \(text)") }
  }

  /// Sums up the findings of a level.
  fileprivate mutating func close(_ level: Level) {
    let own = findings.filter { Check[$0.check].level == level }
    levels.append(
      LevelResult(
        level: level, verdict: .all(own.map(\.verdict)), findingCount: own.count,
        failureCount: own.count { $0.verdict == .fail }))
  }
}

extension Expectation {
  /// Checks the values of every tensor that both sides have with the same shape.
  func checkValues(
    _ comparison: Comparison, into report: inout VerificationReport
  ) throws(Failure) {
    var pairs: [Comparison.Pair] = []
    var chosen: [Tensor] = []
    let numbers = [ByteString: Int](
      uniqueKeysWithValues: converted.tensors.enumerated().map { ($1.name, $0) })
    for tensor in tensors {
      guard let number = numbers[tensor.storedName] else { continue }
      let found = converted.tensors[number].type
      guard found.shape.elementCount == type(tensor).shape.elementCount,
        found.shape.rowLength == type(tensor).shape.rowLength
      else {
        report.notChecked.append("the values of '\(tensor.name)': its shape is another")
        continue
      }
      pairs.append(
        Comparison.Pair(
          name: tensor.name, node: tensor.node, converted: number,
          law: try law(of: tensor, storedIn: found.encoding)))
      chosen.append(tensor)
    }
    var metrics = try comparison.metrics(of: pairs)
    try tryF16OnTheWay(comparison, &pairs, &metrics, into: &report)
    try tryBF16OnTheWay(comparison, &pairs, &metrics, into: &report)
    var causes = LikelyCauses(expectation: self, comparison: comparison, pairs: pairs)
    for (position, pair) in pairs.enumerated() {
      let found = converted.tensors[pair.converted].type
      var findings = ValueFindings(pair: pair, shape: found.shape, metrics: metrics[position])
        .findings
      let verdict = Verdict.all(findings.map(\.verdict))
      if verdict != .pass {
        let cause = try causes.cause(for: position, metrics[position])
        for index in findings.indices where findings[index].verdict != .pass {
          findings[index].likelyCause = cause
          findings[index].derivation = derivation(chosen[position])
        }
      }
      report.findings += findings
      report.tensors.append(
        TensorReport(
          name: pair.name, role: chosen[position].role, expected: type(chosen[position]),
          found: found,
          law: pair.law.summary
            + (pair.intermediate.map { " by way of \($0 == .bf16 ? "BF16" : "F16")" } ?? ""),
          metrics: metrics[position].comparedCount > 0 ? metrics[position] : nil,
          verdict: verdict))
    }
    for position in report.worstPositions {
      report.tensors[position].derivation = derivation(chosen[position])
    }
    let compared = metrics.reduce(0) { $0 + $1.comparedCount }
    let total = metrics.reduce(0) { $0 + $1.elementCount }
    if compared < total {
      report.notChecked.append(
        "\(total - compared) of \(total) values: rows were sampled with seed "
          + "\(comparison.request.seed), or no rule is known")
    }
  }

  /// Looks whether blocks that are not what the source gives are what its values rounded to F16
  /// give: llama.cpp's tools quantize F16 files.
  private func tryF16OnTheWay(
    _ comparison: Comparison, _ pairs: inout [Comparison.Pair], _ metrics: inout [Metrics],
    into report: inout VerificationReport
  ) throws(Failure) {
    let failing = pairs.indices.filter { position in
      guard case .blocks = pairs[position].law,
        case .plain(let dtype) = graph[pairs[position].node].type.encoding
      else { return false }
      return !dtype.isExactly(representableIn: .f16) && !passes(pairs[position], metrics[position])
    }
    let rounded = failing.map { position in
      var pair = pairs[position]
      pair.intermediate = .f16
      return pair
    }
    let count = try takePassing(rounded, at: failing, by: .f16, comparison, &pairs, &metrics)
    report.note(
      count,
      "tensors were rounded to F16 before they were quantized; their errors are counted from there")
  }

  /// Looks whether codes that are not what values of FP8 give are what these give rounded to BF16:
  /// msModelSlim quantizes checkpoints that were dequantized to BF16.
  private func tryBF16OnTheWay(
    _ comparison: Comparison, _ pairs: inout [Comparison.Pair], _ metrics: inout [Metrics],
    into report: inout VerificationReport
  ) throws(Failure) {
    let failing = pairs.indices.filter { position in
      isQuantizedAgain(pairs[position].node) && !passes(pairs[position], metrics[position])
    }
    var rounded = graph
    var retried: [Comparison.Pair] = []
    for position in failing {
      let node = graph[pairs[position].node]
      let narrow = try rounded.add(.cast(.bf16), [node.inputs[0]])
      let matrix = try rounded.add(.cast(.f32), [narrow])
      var pair = pairs[position]
      pair.node = try rounded.add(node.op, [matrix] + node.inputs.dropFirst())
      if case .searched(let rows) = pair.law { pair.law = .searched(rows.reading(matrix)) }
      retried.append(pair)
    }
    let again = Comparison(
      evaluation: Evaluation(rounded, source: comparison.evaluation.source),
      converted: comparison.converted, request: comparison.request,
      isCancelled: comparison.isCancelled, progress: { _ in })
    let count = try takePassing(retried, at: failing, by: .bf16, again, &pairs, &metrics)
    report.note(
      count,
      "tensors come from values that were rounded to BF16 before they were quantized; port's own "
        + "come from code × scale in F32")
  }

  /// Measures pairs of values that were rounded on the way, and takes the metrics of those that pass.
  ///
  /// - Parameter positions: where the pairs stand among all.
  /// - Returns: how many pass.
  private func takePassing(
    _ rounded: [Comparison.Pair], at positions: [Int], by format: FloatFormat,
    _ comparison: Comparison, _ pairs: inout [Comparison.Pair], _ metrics: inout [Metrics]
  ) throws(Failure) -> Int {
    guard !rounded.isEmpty else { return 0 }
    var count = 0
    for (position, own) in zip(positions, try comparison.metrics(of: rounded))
    where passes(pairs[position], own) {
      pairs[position].intermediate = format
      metrics[position] = own
      count += 1
    }
    return count
  }

  /// Whether a node quantizes what the source holds as codes and scales.
  private func isQuantizedAgain(_ node: NodeID) -> Bool {
    guard case .quantize = graph[node].op else { return false }
    var matrix = graph[graph[node].inputs[0]]
    if case .cast = matrix.op { matrix = graph[matrix.inputs[0]] }
    if case .dequantize = matrix.op { return true }
    return false
  }

  private func passes(_ pair: Comparison.Pair, _ own: Metrics) -> Bool {
    let shape = converted.tensors[pair.converted].type.shape
    let findings = ValueFindings(pair: pair, shape: shape, metrics: own).findings
    return Verdict.all(findings.map(\.verdict)) == .pass
  }
}
