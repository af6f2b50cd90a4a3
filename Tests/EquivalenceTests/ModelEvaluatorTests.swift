import ByteIO
import Foundation
import ReferenceKernels
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// What transformers computes in F32 for a few tokens, recorded by `Tests/Interop/record_logits.py`.
struct RecordedOutput {
  let ids: [Int]
  let norm: Double
  let positions: [Int]
  let entries: [Int]
  let values: [[Double]]
  let pooled: [Double]?

  init(_ name: String) throws {
    let path = "\(fixtures)/models/logits/\(name).json"
    let json = try JSON(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path))))
    func numbers(_ value: JSON?) -> [Double] { (value?.array ?? []).compactMap(\.double) }
    ids = numbers(json["ids"]).map(Int.init)
    norm = try #require(json["norm"]?.double)
    positions = numbers(json["positions"]).map(Int.init)
    entries = numbers(json["entries"]).map(Int.init)
    values = (json["values"]?.array ?? []).map(numbers)
    pooled = json["pooled"].map(numbers)
  }
}

/// The checkpoints whose models the reference kernels run, with the folder of each.
let runnableModels =
  seededModels.map { "seeded/\($0)" } + [
    "tiny-qwen2", "tiny-llama", "tiny-deepseek-v3", "seeded-ascend/deepseek-v2-lite",
    "seeded-ascend/kimi-k2", "seeded-ascend/llama-fp8-channel", "seeded-ascend/llama-fp8-tensor",
  ]

func run(
  _ path: String, _ ids: [Int], jobs: Int = 2
) throws -> ModelOutput {
  try ModelEvaluator(try Checkpoint.open(path), jobs: jobs).run(ids)
}

@Suite struct ModelEvaluatorTests {
  /// Errors are relative to the RMS of the row: F32 leaves some 10⁻⁷ of that in every sum.
  @Test(arguments: runnableModels)
  func agreesWithTransformers(_ model: String) throws {
    let recorded = try RecordedOutput(String(model.split(separator: "/").last!))
    let output = try run("\(fixtures)/models/\(model)", recorded.ids)
    let scale = recorded.norm / Double(output.rows.values.count).squareRoot()
    var worst = 0.0
    for (position, values) in zip(recorded.positions, recorded.values) {
      for (entry, expected) in zip(recorded.entries, values) {
        worst = max(worst, abs(Array(output.rows[position])[entry] - expected) / scale)
      }
    }
    for (found, expected) in zip(output.pooled ?? [], recorded.pooled ?? []) {
      worst = max(worst, abs(found - expected) / scale)
    }
    let norm = output.rows.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(worst < 1e-5)
    #expect(abs(norm / recorded.norm - 1) < 1e-5)
    #expect(output.pooled?.count == recorded.pooled?.count)
    #expect(recorded.values.count == 5)
  }

  /// The trained models' logits after a prompt, and what they go on with.
  @Test(arguments: ["tiny-qwen2", "tiny-llama"])
  func continuesAsRecorded(_ model: String) throws {
    let folder = "\(fixtures)/models/\(model)"
    let json = try JSON(
      parsing: Array(Data(contentsOf: URL(fileURLWithPath: folder + "/expected.json"))))
    let prompts = try #require(json["prompts"]?.array)
    for prompt in prompts {
      let ids = (prompt["ids"]?.array ?? []).compactMap(\.integer)
      let next = (prompt["greedy_ids"]?.array ?? []).compactMap(\.integer)
      let output = try run(folder, ids + next.dropLast())
      for (offset, token) in next.enumerated() {
        let logits = Array(output.rows[ids.count - 1 + offset])
        #expect(logits.indices.max { logits[$0] < logits[$1] } == token)
      }
      for pair in prompt["top5"]?.array ?? [] {
        let token = try #require(pair.array?.first?.integer)
        let logit = try #require(pair.array?.last?.double)
        #expect(abs(Array(output.rows[ids.count - 1])[token] - logit) < 1e-4)
      }
      #expect(next.count == 24)
    }
  }

  /// GGUF names, stores and describes a model in another way; in F32 it is the same model. One
  /// checkpoint has no tokenizer, which GGUF needs.
  @Test(arguments: runnableModels.filter { !$0.hasSuffix("kimi-k2") })
  func isTheSameThroughGGUF(_ model: String) throws {
    let scratch = try Scratch()
    let source = "\(fixtures)/models/\(model)"
    let converted = try scratch.convert(source, "f32")
    let ids = [3, 1, 4, 15, 9, 2, 6, 5]
    let expected = try run(source, ids)
    let found = try run(converted, ids)
    let scale =
      (expected.rows.values.map { $0 * $0 }.reduce(0, +) / Double(expected.rows.values.count))
      .squareRoot()
    for (a, b) in zip(expected.rows.values, found.rows.values) {
      // The factor of YaRN's multiplier is rounded twice on its way.
      #expect(abs(a - b) / scale < (model.contains("deepseek") ? 3e-7 : 1e-7))
    }
    #expect(expected.rows.values.count == found.rows.values.count)
    #expect(expected.choices.map { $0.map(\.experts) } == found.choices.map { $0.map(\.experts) })
  }

  @Test func doesNotDependOnThreads() throws {
    let ids = [3, 1, 4, 15, 9, 2, 6, 5]
    for model in ["tiny-qwen2", "seeded/qwen3moe"] {
      let path = "\(fixtures)/models/\(model)"
      #expect(try run(path, ids, jobs: 1).rows == run(path, ids, jobs: 5).rows)
    }
  }

  @Test func refusesTokensThatTheModelLacks() throws {
    let path = "\(fixtures)/models/seeded/gpt2"
    #expect(throws: Failure.self) { try run(path, [297]) }
    #expect(throws: Failure.self) { try run(path, Array(repeating: 1, count: 65)) }
    #expect(throws: Never.self) { try run(path, Array(repeating: 1, count: 64)) }
  }
}
