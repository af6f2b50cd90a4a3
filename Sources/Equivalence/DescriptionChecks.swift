import Accelerators
import ByteIO
import TensorTypes

extension Expectation {
  /// Checks what the description of an AscendV1 folder says of all tensors, and counts what only a
  /// calibration can tell.
  func checkDescription(into report: inout VerificationReport) {
    guard let description else { return }
    func add(
      _ key: ByteString, _ holds: Bool, _ value: JSON?, _ bound: String, _ cause: String? = nil
    ) {
      report.findings.append(
        Finding(
          .config, .key(key), holds ? .pass : .fail, measured: value.map(\.summary) ?? "nothing",
          bound: bound, likelyCause: holds ? nil : cause))
    }
    for need in description.needs {
      let value = description.statements[need.key]
      let holds = value.map { isSameJSON($0, need.value) } ?? (need.otherwise == nil)
      add(
        need.key, holds, value, need.value.summary,
        value == nil ? need.otherwise.map { "the runtime would take \($0)" } : nil)
    }
    if let value = description.statements["model_quant_type"] {
      let types = description.modelTypes
      add(
        "model_quant_type", value.string.flatMap(AscendType.init).map(types.contains) ?? false,
        value, types.map(\.rawValue).sorted().joined(separator: " or "))
    }
    let hasScales = tensors.contains { AscendCache.companions(of: $0.name) != nil }
    if hasScales || description.hasCache {
      let isRight = hasScales == description.hasCache
      report.findings.append(
        Finding(
          .config, .key(AscendDescription.cacheKeys[0]), isRight ? .pass : .fail,
          measured: description.hasCache ? "'C8'" : "nothing, or another type",
          bound: hasScales ? "'C8'" : "nothing: the source gives no scales for the cache",
          likelyCause: isRight
            ? nil
            : hasScales
              ? "the runtime is not told of its cache's scales"
              : "the runtime would take 1 and 0 for scales and offsets"))
    }
    let count = tensors.count { $0.calibrated != nil }
    if count > 0 {
      report.notChecked.append(
        "whether \(count) scales and offsets that come from a calibration fit their layers' inputs: "
          + "the source does not tell; they are numbers that a layer can have")
    }
  }
}
