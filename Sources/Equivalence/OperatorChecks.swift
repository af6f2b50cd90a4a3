import Accelerators
import GraphRewriting
import ReferenceKernels
import TensorTypes

extension Expectation {
  /// Checks what every tensor that both sides have with the same shape does to probe vectors.
  ///
  /// - Returns: whether there was one.
  func checkOperators(
    _ request: VerificationRequest, _ isCancelled: @escaping @Sendable () -> Bool,
    _ progress: @escaping @Sendable (VerificationProgress) -> Void,
    into report: inout VerificationReport
  ) throws(Failure) -> Bool {
    let numbers = [ByteString: Int](
      uniqueKeysWithValues: converted.tensors.enumerated().map { ($1.name, $0) })
    let hasHead = tensors.contains { $0.role?.role == .output }
    var pairs: [OperatorComparison.Pair] = []
    var chosen: [Tensor] = []
    for tensor in tensors {
      guard let number = numbers[tensor.name], tensor.calibrated == nil else { continue }
      switch graph[tensor.node].op {
      case .quantize(_, .codes):
        for layer in try codedLayers(tensor, number)
        where layer.matrix.shape.elementCount != 0
          && layer.matrix.shape == graph[graph[tensor.node].inputs[0]].type.shape
        {
          pairs.append(
            OperatorComparison.Pair(
              name: tensor.name, node: graph[tensor.node].inputs[0], converted: number,
              use: .coded(layer)))
          chosen.append(tensor)
        }
        continue
      // What stands beside codes is used with them.
      case .quantize, .fill: continue
      default: break
      }
      let found = converted.tensors[number].type
      let expected = type(tensor)
      guard found.shape.elementCount == expected.shape.elementCount,
        found.shape.rowLength == expected.shape.rowLength, found.shape.elementCount != 0,
        !expected.encoding.isWhole, expected.encoding != .plain(.c64)
      else { continue }
      pairs.append(
        OperatorComparison.Pair(
          name: tensor.name, node: tensor.node, converted: number,
          use: product(tensor, found, hasHead: hasHead).map { .product($0) } ?? .vector))
      chosen.append(tensor)
    }
    let comparison = OperatorComparison(
      evaluation: Evaluation(graph, source: CheckpointTensors(checkpoint: source)),
      converted: CheckpointTensors(checkpoint: converted), request: request,
      isCancelled: isCancelled, progress: progress)
    let metrics = try comparison.metrics(of: pairs)
    let positions = [ByteString: Int](
      report.tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    let rowLimit = OperatorComparison.rowLimit(
      tensorCount: pairs.count, request.sample)
    var isSampled = false
    var skippedRowCount = 0
    var findingCount = 0
    for (position, pair) in pairs.enumerated() {
      skippedRowCount += metrics[position]?.skippedRowCount ?? 0
      // What is not finite is compared by value alone.
      if metrics[position]?.rowCount == 0 { continue }
      findingCount += 1
      let finding = finding(pair, metrics[position], chosen[position])
      report.findings.append(finding)
      isSampled = isSampled || type(chosen[position]).rowCount > rowLimit
      guard let number = positions[pair.name] else { continue }
      report.tensors[number].operators = metrics[position]
      report.tensors[number].verdict = .all([report.tensors[number].verdict, finding.verdict])
    }
    if isSampled {
      report.notChecked.append(
        "products with more than \(rowLimit) rows of a tensor: rows were "
          + "sampled with seed \(request.seed)")
    }
    if skippedRowCount > 0 {
      report.notChecked.append(
        "products with \(skippedRowCount) rows of the source that are not finite or too large")
    }
    if findingCount == 0 {
      report.notChecked.append("the operators level: no tensor has numbers to multiply with")
    }
    return findingCount > 0
  }

  /// How the runtime multiplies with a tensor; nil for a vector.
  private func product(_ tensor: Tensor, _ found: TensorType, hasHead: Bool) -> RuntimeProduct? {
    guard type(tensor).shape.rank > 1 else { return nil }
    switch tensor.role?.role {
    case .positionEmbedding, .tokenTypeEmbedding: return .exact
    case .tokenEmbedding where hasHead || architecture?.hasHead == false: return .exact
    default:
      return converted.format == .gguf
        ? .llamaCpp(found.encoding) : .transformers(found.encoding)
    }
  }

  /// The codes of a tensor with what stands beside them, once for each way to multiply; none where
  /// they do not fit together, which the structure level says.
  private func codedLayers(_ tensor: Tensor, _ number: Int) throws(Failure) -> [CodedLayer] {
    guard let description else {
      return CodedMatrix(blocks: tensor.name, of: converted).map {
        [CodedLayer(matrix: $0, product: .fp8Blocks)]
      } ?? []
    }
    guard let type = description.type(of: tensor.name) else { return [] }
    let matrix: AscendMatrix
    do throws(Failure) {
      matrix = try AscendMatrix(
        codes: number, type, groupSize: description.groupSize, of: converted)
    } catch  where error.kind == .badInput {
      return []
    }
    let biases = tensors.lazy.compactMap { other -> NodeID? in
      guard case .quantize(_, .quantBias) = graph[other.node].op,
        graph[other.node].inputs.count == 2,
        graph[other.node].inputs[0] == graph[tensor.node].inputs[0]
      else { return nil }
      return graph[other.node].inputs[1]
    }
    return try CodedLayer.all(
      matrix, bias: type.isStatic ? biases.first : nil,
      of: CheckpointTensors(checkpoint: converted))
  }

  private func finding(
    _ pair: OperatorComparison.Pair, _ metrics: OperatorMetrics?, _ tensor: Tensor
  ) -> Finding {
    guard let metrics else {
      return Finding(
        .operatorError, .tensor(pair.name), .inconclusive,
        measured: "nothing is known of rounding to this type")
    }
    let isOfWeights = metrics.holds || metrics.weightError > metrics.weightBound
    return Finding(
      .operatorError, .tensor(pair.name), metrics.holds ? .pass : .fail,
      measured: rounded(isOfWeights ? metrics.weightError : metrics.error),
      bound: rounded(isOfWeights ? metrics.weightBound : metrics.bound),
      place: metrics.holds ? nil : metrics.worstRow.map { "row \($0)" },
      derivation: metrics.holds ? nil : derivation(tensor))
  }
}

extension TensorType {
  fileprivate var rowCount: Int { (shape.elementCount ?? 0) / max(1, shape.rowLength) }
}
