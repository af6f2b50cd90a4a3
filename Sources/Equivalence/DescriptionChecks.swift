import Accelerators

extension Expectation {
  /// Checks what the description of an AscendV1 folder says of all tensors, and counts what only a
  /// calibration can tell.
  func checkDescription(into report: inout VerificationReport) {
    guard let description else { return }
    if tensors.contains(where: { AscendCache.companions(of: $0.name) != nil }) {
      report.findings.append(
        Finding(
          .config, .key(AscendDescription.cacheKeys[0]), description.hasCache ? .pass : .fail,
          measured: description.hasCache ? "'C8'" : "nothing, or another type", bound: "'C8'",
          likelyCause: description.hasCache ? nil : "the runtime is not told of its cache's scales")
      )
    }
    let count = tensors.count { $0.calibrated != nil }
    if count > 0 {
      report.notChecked.append(
        "whether \(count) scales and offsets that come from a calibration fit their layers' inputs: "
          + "the source does not tell; they are numbers that a layer can have")
    }
  }
}
