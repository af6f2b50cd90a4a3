import Accelerators
import ByteIO
import TensorTypes
import WeightFormats

extension Expectation {
  /// Checks config, tokenizer and settings files between two checkpoints in Hugging Face's layout.
  func checkSmallFiles(into report: inout VerificationReport) throws(Failure) {
    guard converted.format == .safetensors else { return }
    guard source.format == .safetensors, source.config != nil else {
      report.notChecked.append("config and tokenizer files: the source has none of this layout")
      return
    }
    guard let from = source.folder, let to = converted.folder, converted.config != nil else {
      if converted.folder?.path == converted.path {
        report.findings.append(
          Finding(.smallFile, .file("config.json"), .fail, measured: "no such file"))
      } else {
        report.notChecked.append("config and tokenizer files: the converted file stands alone")
      }
      return
    }
    checkConfig(into: &report)
    if let (expected, found) = descriptionNames {
      report.findings.append(
        Finding(
          .smallFile, .file(expected), expected == found ? .pass : .fail, measured: found,
          bound: expected))
    }
    for name in Checkpoint.smallFiles {
      guard let expected = try from.bytes(of: name) else { continue }
      let found = try to.bytes(of: name)
      var isSame = found == expected
      if !isSame, let found, name.hasSuffix(".json") {
        isSame = isSameJSON(
          try JSON(parsing: found, file: to.path(of: name)),
          try JSON(parsing: expected, file: from.path(of: name)))
      }
      report.findings.append(
        Finding(
          .smallFile, .file(name), isSame ? .pass : .fail,
          measured: isSame ? "the same" : found == nil ? "no such file" : "another content"))
    }
  }

  /// Keys of `config.json` that a conversion may change, or that no model reads.
  private static let freeKeys: Set<ByteString> = [
    "dtype", "torch_dtype", "transformers_version", "_name_or_path",
  ]

  private func checkConfig(into report: inout VerificationReport) {
    // The caller has found both.
    let expected = ConfigRule.applying(configRules, to: source.config?.object ?? JSONObject())
    let found = converted.config?.object ?? JSONObject()
    // Whether a rule of the target says what it should be.
    let isStated =
      expected["quantization_config"] != source.config?["quantization_config"]
    if !isStated { checkQuantization(found["quantization_config"], into: &report) }
    for member in expected.members where !Expectation.freeKeys.contains(member.key) {
      if member.key == "quantization_config", !keepsCodes, !isStated { continue }
      let value = found[member.key]
      let isSame = value.map { isSameJSON($0, member.value) } ?? false
      report.findings.append(
        Finding(
          .config, .key(member.key), isSame ? .pass : .fail,
          measured: value.map(\.summary) ?? "nothing", bound: member.value.summary))
    }
    for member in found.members
    where expected[member.key] == nil && !Expectation.freeKeys.contains(member.key)
      && (keepsCodes || member.key != "quantization_config")
    {
      report.findings.append(
        Finding(
          .config, .key(member.key), .fail, measured: member.value.summary,
          bound: "nothing: the source does not have it", likelyCause: "the key was added"))
    }
  }
}

extension Expectation {
  /// Checks what a config says of codes that are not the source's: blocks of FP8 must be stated, and
  /// nothing else may be.
  private func checkQuantization(_ found: JSON?, into report: inout VerificationReport) {
    guard !keepsCodes, found != nil || makesCodes else { return }
    let isRight =
      makesCodes
      ? found?["quant_method"]?.string == "fp8"
        && found?["weight_block_size"]?.array?.compactMap(\.integer) == [128, 128]
      : false
    report.findings.append(
      Finding(
        .config, .key("quantization_config"), isRight ? .pass : .fail,
        measured: found.map(\.summary) ?? "nothing",
        bound: makesCodes ? "fp8 in blocks of 128 × 128" : "nothing",
        likelyCause: isRight
          ? nil
          : makesCodes
            ? "the runtime would not know the scales"
            : "the source's key was left: the runtime would look for the source's codes"))
  }
}

/// Whether two values are equal, whatever the order of members and the spelling of numbers.
func isSameJSON(_ a: JSON, _ b: JSON) -> Bool {
  switch (a, b) {
  case (.object(let x), .object(let y)):
    return x.members.count == y.members.count
      && x.members.allSatisfy { member in
        y[member.key].map { isSameJSON(member.value, $0) } ?? false
      }
  case (.array(let x), .array(let y)):
    return x.count == y.count && zip(x, y).allSatisfy(isSameJSON)
  default:
    if let x = a.double, let y = b.double { return x == y }
    return a == b
  }
}
