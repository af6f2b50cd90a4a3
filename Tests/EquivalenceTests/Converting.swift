import Accelerators
import ByteIO
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

let fixtures =
  #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/Fixtures"

/// The checkpoints with seeded random weights, one for each architecture and variant.
let seededModels = [
  "bert", "gpt2", "llama", "llama-bias", "llama-json", "llama-odd-rows", "llama3", "mistral",
  "mixtral", "qwen2", "qwen2-untied-f16", "qwen3", "qwen3moe",
]

func seeded(_ name: String) -> String { "\(fixtures)/models/seeded/\(name)" }

/// A folder that is deleted when the test is over.
final class Scratch {
  let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("port-equivalence-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Converts a checkpoint, and returns where the output is.
  func convert(
    _ source: String, to target: String = "gguf", _ scheme: String? = nil,
    _ change: (inout ConversionRequest) -> Void = { _ in }
  ) throws -> String {
    let destination = path + "/" + UUID().uuidString + (target == "gguf" ? ".gguf" : "")
    var request = ConversionRequest(
      target: try Target.named(target), destination: destination, jobs: 2)
    request.scheme = scheme
    change(&request)
    let plan = try Plan(converting: Checkpoint.open(source), request)
    try plan.execute(replaces: false, cancellation: Cancellation())
    return destination
  }
}

func verify(
  _ source: String, _ converted: String, _ request: VerificationRequest = .init(jobs: 2)
) throws -> VerificationReport {
  try Verification.run(
    source: Checkpoint.open(source), converted: Checkpoint.open(converted), request)
}

extension VerificationReport {
  var failures: [Finding] { findings.filter { $0.verdict == .fail } }

  /// What is not well, for the message of a test.
  var summary: Comment {
    let bad = findings.filter { $0.verdict != .pass }.prefix(6).map { finding in
      "\(finding.verdict) \(finding.check.rawValue) \(finding.subject): \(finding.measured) "
        + "(bound \(finding.bound)), \(finding.place ?? "-"), \(finding.likelyCause ?? "-")"
    }
    return "\(verdict)\n\(bad.joined(separator: "\n"))"
  }
}
