import GraphRewriting
import ReferenceKernels
import TensorTypes
import WeightFormats

extension Expectation {
  /// Checks names, coverage, shapes and types of all tensors.
  func checkTensors(into report: inout VerificationReport) {
    let expected = Set(tensors.map(\.storedName))
    let extra = converted.tensors.filter { !expected.contains($0.name) }
    let misfits = tensors.count { tensor in
      converted[tensor.storedName].map { !isSameShape(tensor, $0) } ?? true
    }
    let otherModel = 2 * misfits > tensors.count ? "the files are of different models" : nil
    for tensor in tensors {
      let subject = Finding.Subject.tensor(tensor.name)
      guard let found = converted[tensor.storedName] else {
        report.findings.append(
          Finding(
            .tensorPresent, subject, .fail, measured: "0",
            likelyCause: otherModel ?? causeOfAbsence(of: tensor, extra: extra),
            derivation: derivation(tensor)))
        continue
      }
      report.findings.append(Finding(.tensorPresent, subject, .pass, measured: "1"))
      report.findings.append(checkShape(tensor, found, otherModel))
      report.findings.append(checkEncoding(tensor, found))
    }
    for tensor in extra {
      report.findings.append(
        Finding(
          .tensorExpected, .tensor(tensor.name), .fail, measured: "1",
          likelyCause: otherModel ?? causeOfExtra(tensor.name)))
    }
    if extra.isEmpty {
      report.findings.append(Finding(.tensorExpected, .model, .pass, measured: "0"))
    }
    checkCoverage(into: &report)
  }

  /// Whether the axes are those that the graph gives.
  private func isSameShape(_ tensor: Tensor, _ found: Checkpoint.Tensor) -> Bool {
    let expected = type(tensor).shape
    // GGUF's writers disagree about leading axes of length 1.
    return expected == found.type.shape
      || converted.format == .gguf
        && expected.axes.drop { $0 == 1 } == found.type.shape.axes.drop { $0 == 1 }
  }

  private func checkShape(
    _ tensor: Tensor, _ found: Checkpoint.Tensor, _ otherModel: String?
  ) -> Finding {
    let expected = type(tensor).shape
    let isSame = isSameShape(tensor, found)
    var cause: String?
    if !isSame {
      cause =
        otherModel
        ?? (expected.axes.reversed() == found.type.shape.axes ? "the tensor is transposed" : nil)
    }
    return Finding(
      .shape, .tensor(tensor.name), isSame ? .pass : .fail, measured: "\(found.type.shape)",
      bound: "\(expected)", likelyCause: cause, derivation: isSame ? nil : derivation(tensor))
  }

  private func checkEncoding(_ tensor: Tensor, _ found: Checkpoint.Tensor) -> Finding {
    let expected = type(tensor).encoding
    let allowed = allowedEncodings(expected, rank: type(tensor).shape.rank)
    let isAllowed = found.type.encoding == expected || allowed.contains(found.type.encoding)
    return Finding(
      .encoding, .tensor(tensor.name), isAllowed ? .pass : .fail,
      measured: found.type.encoding.name,
      bound: isAllowed ? nil : allowed.map(\.name).joined(separator: ", "))
  }

  private func allowedEncodings(_ source: Encoding, rank: Int) -> [Encoding] {
    switch converted.format {
    case .gguf:
      if source.isWhole || rank <= 1 { return [.f32] }
      let activations = ["q8_1", "q8_k"]
      return [.f32, .f16, .bf16]
        + BlockType.all.filter { !activations.contains($0.name) }.map { .block($0) }
    case .safetensors:
      if source.isWhole || source == .plain(.c64) { return [source] }
      return [.f32, .f16, .bf16, .plain(.f64)]
    }
  }

  private func checkCoverage(into report: inout VerificationReport) {
    var covered = Set(dropped.map(\.source))
    for node in Set(tensors.map(\.node)) { covered.formUnion(graph.loads(of: node)) }
    let lost = source.tensors.indices.filter { !covered.contains($0) }
    for number in lost {
      report.findings.append(
        Finding(.sourceCovered, .tensor(source.tensors[number].name), .fail, measured: "1"))
    }
    if lost.isEmpty {
      report.findings.append(Finding(.sourceCovered, .model, .pass, measured: "0"))
    }
    let reasons = Dictionary(grouping: dropped, by: \.reason)
    for (reason, tensors) in reasons.sorted(by: { $0.key < $1.key }) {
      let example = source.tensors[tensors[0].source].name
      report.notes.append(
        tensors.count == 1
          ? "'\(example)' is left out: \(reason)"
          : "\(tensors.count) tensors like '\(example)' are left out: \(reason)")
    }
  }

  // MARK: - Likely causes

  private func causeOfAbsence(
    of tensor: Tensor, extra: [Checkpoint.Tensor]
  ) -> String? {
    if let layer = tensor.name.layerNumber,
      tensors.allSatisfy({ $0.name.layerNumber != layer || converted[$0.name] == nil })
    {
      return "layer \(layer) is missing as a whole"
    }
    let likeness = extra.first { $0.type.shape == type(tensor).shape }
    return likeness.map { "it may be stored as '\($0.name)', which has its shape" }
  }

  private func causeOfExtra(_ name: ByteString) -> String? {
    guard let layer = name.layerNumber,
      !tensors.contains(where: { $0.name.layerNumber == layer })
    else { return nil }
    return "the source has no layer \(layer)"
  }
}
