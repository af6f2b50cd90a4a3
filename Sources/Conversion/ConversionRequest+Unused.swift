import Accelerators
import TensorTypes

extension ConversionRequest {
  /// What is asked for and changes nothing, such as a misspelt name.
  ///
  /// - Parameter tensors: those to be written.
  func unused(by program: Program, _ tensors: [Plan.Tensor]) -> [String] {
    let scheme = program.scheme
    var warnings: [String] = []
    func check(_ names: Glob, _ option: String) {
      guard !tensors.contains(where: { names.matches($0.name) }) else { return }
      warnings.append("\(option) '\(names.pattern)' matches no tensor of the output")
    }
    for override in overrides { check(override.names, "--override") }
    for names in excluded { check(names, "--exclude") }
    var isMix = false
    if case .mix = scheme { isMix = true }
    if !isMix, mixOptions != GGUFMixOptions() {
      warnings.append(
        "--pure, --output-type and --embedding-type change mixes of block types, and "
          + "'\(scheme.name)' is none")
    }
    if program.choice.isForBlocks, !program.hasBlocks {
      warnings.append("'\(scheme.name)' changes no tensor: none is the weight of a projection")
    }
    if search == .thorough, !tensors.contains(where: { $0.type.encoding.isBlock }) {
      warnings.append("--search thorough changes nothing: no tensor is made of blocks")
    }
    if let importance, !tensors.contains(where: { $0.importance != nil }) {
      warnings.append("the importance matrix '\(importance.path)' is used for no tensor")
    }
    let isCalibrated = tensors.contains { CalibratedSetting(of: $0.name) != nil }
    if let calibration, !isCalibrated {
      warnings.append("the calibration '\(calibration.path)' is used for no layer")
    }
    if let nextTokens, program.nextTokens.isEmpty {
      warnings.append(
        "--mtp \(nextTokens.rawValue) changes nothing: "
          + (nextTokens == .merge
            ? "no layer holds copies of embedding and head"
            : "no layer predicts further tokens"))
    }
    return warnings
  }
}
