import ByteIO
import Foundation
import TensorTypes
import Testing

@testable import Equivalence

/// What running both models finds.
@Suite struct ModelChecksTests {
  @Test(arguments: ["llama3", "mixtral", "bert", "gpt2"], ["f32", "q8_0"])
  func passesCorrectConversions(_ model: String, _ scheme: String) throws {
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded(model), scheme)
    let report = try verify(seeded(model), converted)
    #expect(report.verdict == .pass, report.summary)
    #expect(report.levels.map(\.level) == Level.allCases)
    let metrics = try #require(report.model)
    #expect(metrics.tokenCount == 32)
    #expect(metrics.layerErrors.count == 3)
    #expect((metrics.distribution == nil) == (model == "bert"))
    #expect((metrics.choiceCount == 64) == (model == "mixtral"))
    if scheme == "q8_0" {
      #expect(metrics.errorBound < 5 * metrics.error)
      #expect(metrics.distribution.map { $0.meanKL > 0 && $0.meanKL <= $0.p99KL } ?? true)
    } else {
      #expect(metrics.error < 1e-8)
      #expect(metrics.errorBound < 1e-5)
      #expect(metrics.distribution?.sameFirst ?? 1 == 1)
      #expect(metrics.distribution?.sameFive ?? 1 == 1)
      if let distribution = metrics.distribution {
        let (a, b) = (distribution.sourcePerplexity ?? 0, distribution.convertedPerplexity ?? 1)
        #expect(abs(a / b - 1) < 1e-8)
        // Random tokens: about as many choices as there are tokens.
        #expect(a > 200)
      }
    }
  }

  /// A fault in a correct conversion to F32, and what must be said of it.
  struct Fault: Sendable {
    let name: String
    let model: String
    let check: Check.Name
    let place: String
    let cause: String?
    let inject: @Sendable (inout EditedCheckpoint) -> Void
  }

  static let faults = [
    Fault(
      name: "base of RoPE", model: "llama", check: .outputError, place: "layer 0",
      cause: "RoPE's frequency of pair 1 is 0.316 instead of 0.1"
    ) { $0.metadata.set("llama.rope.freq_base", .float32(100)) },
    Fault(
      name: "factor of RoPE", model: "llama-json", check: .outputError, place: "layer 0",
      cause: "RoPE's frequency of pair 0 is 0.25 instead of 0.5"
    ) { $0.metadata.set("llama.rope.scaling.factor", .float32(4)) },
    Fault(
      name: "factors of RoPE", model: "llama3", check: .outputError, place: "layer 0",
      cause: "RoPE's frequency of pair 1"
    ) { $0[floats: "rope_freqs.weight"][1] *= 1.001 },
    Fault(
      name: "attention factor of YaRN", model: "qwen2-untied-f16", check: .outputError,
      place: "layer 0", cause: "RoPE's amplitude is 1.0 instead of 1.138"
    ) { $0.metadata.set("qwen2.rope.scaling.type", .text("linear")) },
    Fault(
      name: "epsilon", model: "llama", check: .outputError, place: "layer 0",
      cause: "epsilon is 1.1"
    ) { $0.metadata.set("llama.attention.layer_norm_rms_epsilon", .float32(1.1e-5)) },
    Fault(
      name: "epsilon of layer norms", model: "gpt2", check: .outputError, place: "layer 0",
      cause: "epsilon is"
    ) { $0.metadata.set("gpt2.attention.layer_norm_epsilon", .float32(1e-6)) },
    Fault(
      name: "key heads", model: "qwen2", check: .outputError, place: "layer 0",
      cause: "the number of heads is 2 instead of 4"
    ) { file in
      file.metadata.set("qwen2.attention.head_count", .uint32(2))
      file.metadata.set("qwen2.attention.head_count_kv", .uint32(1))
    },
    Fault(
      name: "pooling", model: "bert", check: .outputError, place: "", cause: nil
    ) { $0.metadata.set("bert.pooling_type", .uint32(2)) },
    Fault(
      name: "offset of a norm", model: "qwen3", check: .outputError, place: "layer 1", cause: nil
    ) { file in
      file[floats: "blk.1.ffn_norm.weight"] = file[floats: "blk.1.ffn_norm.weight"].map { $0 - 1 }
    },
    Fault(
      name: "head from the wrong matrix", model: "qwen2", check: .klDivergence, place: "",
      cause: nil
    ) { file in
      file.add("output.weight", like: "token_embd.weight", file["token_embd.weight"])
      file.move("output.weight", count: 384) { 383 - $0 }
    },
    Fault(
      name: "experts without their router", model: "mixtral", check: .outputError,
      place: "layer 1", cause: nil
    ) { file in
      for part in ["gate", "up", "down"] {
        file.move("blk.1.ffn_\(part)_exps.weight", count: 4) { ($0 + 1) % 4 }
      }
    },
    Fault(
      name: "router without its experts", model: "qwen3moe", check: .expertChoice,
      place: "layer 0", cause: nil
    ) { $0.move("blk.0.ffn_gate_inp.weight", count: 4) { ($0 + 1) % 4 } },
    Fault(
      name: "experts that a token uses", model: "mixtral", check: .expertChoice, place: "",
      cause: "the rule that chooses experts is another"
    ) { $0.metadata.set("llama.expert_used_count", .uint32(1)) },
    Fault(
      name: "queries in halves", model: "llama", check: .outputError, place: "layer 1", cause: nil
    ) { file in
      file.move("blk.1.attn_q.weight", count: 32) { $0 / 8 * 8 + $0 % 4 * 2 + $0 % 8 / 4 }
    },
    Fault(
      name: "layers exchanged", model: "gpt2", check: .firstToken, place: "layer 0", cause: nil
    ) { file in
      for part in ["attn_qkv", "attn_output", "ffn_up", "ffn_down"] {
        let (a, b) = ("blk.0.\(part).weight", "blk.1.\(part).weight")
        (file[a], file[b]) = (file[b], file[a])
      }
    },
    Fault(
      name: "positions one too high", model: "bert", check: .outputError, place: "the embedding",
      cause: nil
    ) { $0.move("position_embd.weight", count: 64) { ($0 + 1) % 64 } },
  ]

  @Test(arguments: faults.indices)
  func finds(_ number: Int) throws {
    let fault = ModelChecksTests.faults[number]
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded(fault.model), "f32")
    var file = try EditedCheckpoint(converted)
    fault.inject(&file)
    try file.write(converted)
    let report = try verify(seeded(fault.model), converted)
    let level = try #require(report.levels.last)
    #expect(level.level == .logits && level.verdict == .fail, "\(fault.name)")
    let finding = try #require(
      report.failures.first { $0.check == fault.check }, "\(fault.name)\n\(report.summary)")
    #expect((finding.place ?? "") == fault.place, "\(fault.name): \(finding.place ?? "-")")
    if let cause = fault.cause {
      #expect(
        finding.likelyCause?.contains(cause) == true,
        "\(fault.name): \(finding.likelyCause ?? "-")")
    } else {
      #expect(finding.likelyCause == nil)
    }
  }

  /// Faults that the noise of a quantization does not cover.
  @Test(arguments: ["offset of a norm", "router without its experts", "base of RoPE"])
  func findsBehindNoise(_ name: String) throws {
    let fault = try #require(ModelChecksTests.faults.first { $0.name == name })
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded(fault.model), "q8_0")
    var file = try EditedCheckpoint(converted)
    fault.inject(&file)
    try file.write(converted)
    let report = try verify(seeded(fault.model), converted)
    #expect(report.failures.contains { $0.check == .outputError || $0.check == .expertChoice })
    #expect(report.levels.last?.verdict == .fail)
  }

  @Test func runsOnTheTokensGiven() throws {
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded("gpt2"), "f16")
    let report = try verify(seeded("gpt2"), converted, .init(tokens: [1, 2, 3], jobs: 2))
    #expect(report.model?.tokenCount == 3)
    #expect(report.verdict == .pass, report.summary)
    let one = try verify(seeded("gpt2"), converted, .init(tokens: [1], jobs: 2))
    #expect(one.model?.distribution?.sourcePerplexity == nil)
    #expect(throws: Failure.self) {
      try verify(seeded("gpt2"), converted, .init(tokens: [1, 1_000_000], jobs: 2))
    }
    #expect(throws: Failure.self) {
      try verify(seeded("gpt2"), converted, .init(tokens: Array(repeating: 1, count: 65), jobs: 2))
    }
  }

  /// Whether the level was asked for decides whether its absence counts.
  @Test func saysWhyAModelDoesNotRun() throws {
    let scratch = try Scratch()
    let source = try scratch.convert(seeded("llama"), "f16")
    var file = try EditedCheckpoint(source)
    file.metadata.set("general.architecture", .text("unheard"))
    for path in [source, scratch.path + "/same.gguf"] { try file.write(path) }
    let report = try verify(source, scratch.path + "/same.gguf")
    #expect(report.verdict == .pass, report.summary)
    #expect(report.levels.map(\.level) == [.structure, .values, .operators])
    #expect(report.notChecked.contains { $0.contains("logits") && $0.contains("unheard") })
    let asked = try verify(source, scratch.path + "/same.gguf", .init(level: .logits, jobs: 2))
    #expect(asked.verdict == .inconclusive)
  }

  @Test func failsAModelThatDoesNotRun() throws {
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded("llama"), "f16")
    var file = try EditedCheckpoint(converted)
    file.metadata.set("llama.attention.head_count", .uint32(3))
    try file.write(converted)
    let report = try verify(seeded("llama"), converted)
    let finding = try #require(report.failures.first { $0.check == .outputError })
    #expect(finding.measured.contains("does not run"))
  }

  @Test func keepsWithinMemory() throws {
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded("llama"), "f16")
    let tokens = (0..<4096).map { $0 % 300 }
    let report = try verify(
      seeded("llama"), converted, .init(tokens: tokens, memoryByteLimit: 40 << 20, jobs: 1))
    #expect(report.model == nil)
    #expect(report.notChecked.contains { $0.contains("bytes of memory") })
    #expect(report.verdict == .pass)
  }

  @Test func samplesDoNotRunModels() throws {
    let scratch = try Scratch()
    let converted = try scratch.convert(seeded("llama"), "f16")
    let report = try verify(seeded("llama"), converted, .init(sample: .rows(2), jobs: 2))
    #expect(report.model == nil)
    #expect(report.notChecked.contains { $0.contains("logits") })
    #expect(report.verdict == .pass)
  }

  @Test func readsTokens() throws {
    func parse(_ text: String) throws -> [Int] { try TokenIDs.parse(Array(text.utf8), file: "t") }
    #expect(try parse("1 2,3\n4\t5\r\n") == [1, 2, 3, 4, 5])
    #expect(try parse("[10, 20]") == [10, 20])
    for text in ["", "[]", "1 -2", "1.5", "1 x", "99999999999999999999"] {
      #expect(throws: Failure.self) { try parse(text) }
    }
    #expect(throws: Failure.self) { try parse(String(repeating: "1 ", count: 4097)) }
    do {
      _ = try parse("12 word")
    } catch let failure as Failure {
      #expect(failure.offset == 3)
      #expect(failure.found == "'word' as number 1")
    }
  }
}

/// Correct conversions at all levels on other seeds: other tokens, probes and noise.
///
/// All of them take minutes; the environment variable `PORT_LONG_TESTS` asks for them.
@Suite struct NoFalseAlarmOnSeedsTests {
  static let isLong = ProcessInfo.processInfo.environment["PORT_LONG_TESTS"] != nil
  /// Those with a tokenizer, which GGUF needs.
  static let models =
    isLong
    ? runnableModels.filter { !$0.hasSuffix("kimi-k2") } : ["seeded/llama3", "seeded/qwen3moe"]
  static let seeds: Range<UInt64> = isLong ? 0..<10 : 1..<3

  @Test(arguments: models, ["f32", "f16", "bf16", "q8_0"])
  func anySeed(_ model: String, _ scheme: String) throws {
    let scratch = try Scratch()
    let source = "\(fixtures)/models/\(model)"
    let converted = try scratch.convert(source, scheme)
    for seed in NoFalseAlarmOnSeedsTests.seeds {
      let report = try verify(source, converted, .init(seed: seed, jobs: 2))
      #expect(report.verdict == .pass, "seed \(seed): \(report.summary)")
      #expect(report.levels.count == 4)
    }
  }
}
