import Accelerators
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// Matrices that are codes with scales beside them, as operators and whole models.
@Suite struct NoFalseAlarmOfCodesTests {
  static let isLong = ProcessInfo.processInfo.environment["PORT_LONG_TESTS"] != nil
  static let models =
    isLong
    ? [
      "tiny-deepseek-v3", "tiny-qwen2", "tiny-llama", "seeded-ascend/deepseek-v2-lite",
      "seeded-ascend/kimi-k2", "seeded-ascend/llama-fp8-channel", "seeded-ascend/llama-fp8-tensor",
    ] + seededModels.filter { $0 != "bert" && $0 != "gpt2" }.map { "seeded/\($0)" }
    : ["seeded/llama-odd-rows", "seeded/qwen2", "seeded/mixtral", "seeded-ascend/kimi-k2"]
  static let seeds: Range<UInt64> = isLong ? 0..<10 : 3..<4

  /// Correct conversions pass all levels, on every seed.
  @Test(arguments: models, AscendScheme.all.map(\.name) + ["fp8-block128"])
  func passes(_ model: String, _ scheme: String) throws {
    let scratch = try Scratch()
    let source = "\(fixtures)/models/\(model)"
    guard let converted = try convert(scratch, source, scheme) else { return }
    for seed in NoFalseAlarmOfCodesTests.seeds {
      let report = try verify(source, converted, .init(seed: seed, jobs: 2))
      #expect(report.failures.isEmpty, "seed \(seed): \(report.summary)")
      #expect(report.levels.map(\.level) == Level.allCases)
      #expect(report.levels.dropFirst(2).allSatisfy { $0.verdict == .pass })
      let metrics = try #require(report.model)
      if scheme != "float" {
        #expect(metrics.error > 0 && metrics.errorBound < 6 * metrics.error)
      }
      for tensor in report.tensors where scheme != "float" {
        guard let operators = tensor.operators, tensor.expected != tensor.found else { continue }
        #expect(operators.weightBound < 40 * operators.weightError, "\(tensor.name)")
      }
    }
  }

  /// nil where the scheme does not fit the model.
  private func convert(
    _ scratch: Scratch, _ source: String, _ scheme: String
  ) throws -> String? {
    do {
      guard scheme != "fp8-block128" else {
        return try scratch.convert(source, to: "safetensors", scheme)
      }
      return try scratch.convert(source, to: "ascend-910c", scheme) {
        $0.calibration = try? scratch.calibration(of: source)
      }
    } catch let failure as Failure where failure.kind == .usage {
      return nil
    }
  }

  /// A folder with FP8 codes of its source computes the same.
  @Test func copiedCodesComputeTheSame() throws {
    let scratch = try Scratch()
    let source = "\(fixtures)/models/seeded-ascend/llama-fp8-channel"
    let copy = try scratch.convert(source, to: "safetensors")
    let report = try verify(source, copy)
    #expect(report.verdict == .pass, report.summary)
    #expect(try #require(report.model).error < 1e-12)
  }
}

extension Scratch {
  /// Ranges of inputs for the linear layers of a model, the same for those that share their inputs.
  func calibration(of source: String) throws -> Calibration {
    let names = try Checkpoint.open(source).tensors.map(\.name.text).filter {
      $0.hasSuffix("_proj.weight")
    }
    let ranges = names.map { name in
      let parts = name.split(separator: ".")
      let group =
        ["gate_proj", "up_proj"].contains(parts[parts.count - 2])
        ? 1
        : ["o_proj", "down_proj", "q_b_proj", "kv_b_proj"].firstIndex(of: parts[parts.count - 2])
          .map { $0 + 2 } ?? 0
      let number = (Int(parts[2]) ?? 0) + group
      return "\"\(name.dropLast(".weight".count))\": "
        + "{\"min\": -\(1 + number % 3), \"max\": \(2 + number % 2)}"
    }
    let file = path + "/calibration.json"
    try "{\(ranges.joined(separator: ","))}".write(toFile: file, atomically: true, encoding: .utf8)
    return try Calibration(path: file)
  }
}
