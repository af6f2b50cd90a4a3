import Accelerators
import ByteIO
import TensorTypes

extension Expectation {
  /// Checks what the description of an AscendV1 folder says of all tensors, and counts what only a
  /// calibration can tell.
  func checkDescription(into report: inout VerificationReport) {
    guard let description else { return }
    func add(
      _ key: ByteString, _ holds: Bool, _ measured: String, _ bound: String, _ cause: String? = nil
    ) {
      report.findings.append(
        Finding(
          .config, .key(key), holds ? .pass : .fail, measured: measured, bound: bound,
          likelyCause: holds ? nil : cause))
    }
    for need in description.needs {
      let value = description.statements[need.key]
      let holds = value.map { isSameJSON($0, need.value) } ?? (need.otherwise == nil)
      add(
        need.key, holds, value?.summary ?? "nothing", need.value.summary,
        value == nil ? need.otherwise.map { "the runtime would take \($0)" } : nil)
    }
    if let value = description.statements["model_quant_type"] {
      let types = description.modelTypes
      add(
        "model_quant_type", value.string.flatMap(AscendType.init).map(types.contains) ?? false,
        value.summary, types.map(\.rawValue).sorted().joined(separator: " or "))
    }
    let hasScales = tensors.contains { AscendCache.companions(of: $0.name) != nil }
    if hasScales || description.hasCache {
      add(
        AscendDescription.cacheKeys[0], hasScales == description.hasCache,
        description.hasCache ? "'C8'" : "nothing, or another type",
        hasScales ? "'C8'" : "nothing: the source gives no scales for the cache",
        hasScales
          ? "the runtime is not told of its cache's scales"
          : "the runtime would take 1 and 0 for scales and offsets")
    }
    checkJoinedInputs(into: &report)
    checkWeightFiles(into: &report)
    let count = tensors.count { $0.calibrated != nil }
    if count > 0 {
      report.notChecked.append(
        "whether \(count) scales and offsets that come from a calibration fit their layers' inputs: "
          + "the source does not tell; they are numbers that a layer can have")
    }
  }

  /// Checks that layers which the runtime joins have one scale and one offset for their inputs.
  private func checkJoinedInputs(into report: inout VerificationReport) {
    let settings = JoinedInput.settings(of: tensors.map { ($0.name, $0.role, $0.name) }) {
      converted.number(named: $0.text)
    }
    for (own, first) in settings {
      report.findings.append(
        Finding(
          .joinedInput, .tensor(own.name), own.value == first.value ? .pass : .fail,
          measured: "\(own.value)", bound: "\(first.value), as '\(first.name)' has"))
    }
  }

  /// Checks that no weights lie beside those that the index names: the runtime loads every file.
  private func checkWeightFiles(into report: inout VerificationReport) {
    guard let folder = converted.folder else { return }
    let own = Set(converted.files.map(\.source.name))
    for name in folder.names
    where name.hasSuffix(".safetensors") && !own.contains(folder.path(of: name)) {
      report.findings.append(
        Finding(
          .tensorExpected, .file(name), .fail, measured: "a file of weights",
          bound: "none: the index does not name it"))
    }
  }
}
