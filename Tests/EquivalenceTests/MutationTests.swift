import ByteIO
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// A fault put into a correct conversion, and what must be said of it.
struct Fault: Sendable, CustomTestStringConvertible {
  let name: String
  let model: String
  let scheme: String
  let check: Check.Name
  /// The tensor or key that must be named; nil for any.
  let subject: String?
  /// Words of the likely cause.
  let cause: String?
  let inject: @Sendable (inout EditedGGUF) throws -> Void

  init(
    _ name: String, _ model: String, _ scheme: String, _ check: Check.Name, _ subject: String?,
    cause: String?,
    inject: @escaping @Sendable (inout EditedGGUF) throws -> Void
  ) {
    self.name = name
    self.model = model
    self.scheme = scheme
    self.check = check
    self.subject = subject
    self.cause = cause
    self.inject = inject
  }

  /// The lowest level that can see it.
  var level: Level { Check[check].level }

  var testDescription: String { "\(name), \(model) in \(scheme)" }

  static let all: [Fault] = values + structure

  private static let values: [Fault] = [
    Fault(
      "gate and up exchanged", "qwen2", "bf16", .bitExact, "blk.1.ffn_gate.weight",
      cause: "exchanged with 'blk.1.ffn_up.weight'"
    ) { $0.exchange("blk.1.ffn_gate.weight", "blk.1.ffn_up.weight") },
    Fault(
      "gate and up exchanged", "qwen2", "q8_0", .nearestCode, "blk.1.ffn_gate.weight",
      cause: "exchanged with 'blk.1.ffn_up.weight'"
    ) { $0.exchange("blk.1.ffn_gate.weight", "blk.1.ffn_up.weight") },
    Fault(
      "neighbour layer", "qwen2", "f32", .correctlyRounded, "blk.0.ffn_down.weight",
      cause: "'blk.1.ffn_down.weight', of layer 1 instead of 0"
    ) { $0["blk.0.ffn_down.weight"] = $0["blk.1.ffn_down.weight"] },
    Fault(
      "norm of the neighbour layer", "qwen2", "f32", .correctlyRounded,
      "blk.0.attn_norm.weight", cause: "of layer 1 instead of 0"
    ) { $0["blk.0.attn_norm.weight"] = $0["blk.1.attn_norm.weight"] },
    Fault(
      "queries left in halves", "llama", "f32", .correctlyRounded, "blk.0.attn_q.weight",
      cause: "each head of 8 are in halves instead of pairs"
    ) { $0.move("blk.0.attn_q.weight", count: 32) { $0 / 8 * 8 + $0 % 4 * 2 + $0 % 8 / 4 } },
    Fault(
      "keys left in halves", "llama", "q8_0", .nearestCode, "blk.1.attn_k.weight",
      cause: "each head of 8 are in halves instead of pairs"
    ) { $0.move("blk.1.attn_k.weight", count: 16) { $0 / 8 * 8 + $0 % 4 * 2 + $0 % 8 / 4 } },
    Fault(
      "queries interleaved twice", "llama", "bf16", .bitExact, "blk.0.attn_q.weight",
      cause: "each head of 8 are interleaved once too often"
    ) { $0.move("blk.0.attn_q.weight", count: 32) { $0 / 8 * 8 + $0 % 2 * 4 + $0 % 8 / 2 } },
    Fault(
      "bias of queries left in halves", "llama-bias", "f32", .bitExact, "blk.0.attn_q.bias",
      cause: "each head of 8 are in halves instead of pairs"
    ) { $0.move("blk.0.attn_q.bias", count: 32) { $0 / 8 * 8 + $0 % 4 * 2 + $0 % 8 / 4 } },
    Fault(
      "square matrix transposed", "llama", "f16", .correctlyRounded, "blk.1.attn_output.weight",
      cause: "transposed"
    ) { $0.transpose("blk.1.attn_output.weight", order: 32) },
    Fault(
      "experts shifted by one", "mixtral", "bf16", .bitExact, "blk.0.ffn_up_exps.weight",
      cause: "expert 0 holds expert 1"
    ) { $0.move("blk.0.ffn_up_exps.weight", count: 4) { ($0 + 1) % 4 } },
    Fault(
      "experts shifted by one", "qwen3moe", "q8_0", .nearestCode, "blk.1.ffn_down_exps.weight",
      cause: "expert 0 holds expert 3"
    ) { $0.move("blk.1.ffn_down_exps.weight", count: 4) { ($0 + 3) % 4 } },
    Fault(
      "two rows exchanged", "qwen2", "bf16", .bitExact, "token_embd.weight",
      cause: "row 17 holds row 18"
    ) { $0.move("token_embd.weight", count: 384) { $0 == 17 ? 18 : $0 == 18 ? 17 : $0 } },
    Fault(
      "one bit of a copied value", "qwen2", "bf16", .bitExact, "blk.0.ffn_up.weight",
      cause: "one bit is flipped: bit 3 of byte"
    ) { $0.flip("blk.0.ffn_up.weight", byte: 1000, bit: 3) },
    Fault(
      "the last bit of a rounded value", "llama-bias", "f16", .correctlyRounded,
      "blk.0.ffn_up.weight", cause: "one bit is flipped: bit 0 of byte"
    ) { $0.flip("blk.0.ffn_up.weight", byte: 1000, bit: 0) },
    Fault(
      "one bit of a code", "qwen2", "q8_0", .nearestCode, "blk.0.ffn_up.weight",
      cause: "one bit is flipped: bit 1 of byte"
    ) { $0.flip("blk.0.ffn_up.weight", byte: 34 * 5 + 9, bit: 1) },
    Fault(
      "one bit of a scale", "qwen2", "q8_0", .nearestCode, "blk.0.ffn_up.weight",
      cause: "one bit is flipped: bit 5 of byte"
    ) { $0.flip("blk.0.ffn_up.weight", byte: 34 * 5, bit: 5) },
    Fault(
      "exponent of a scale", "tiny", "q4_k_m", .nearestCode, nil, cause: "one bit is flipped"
    ) { edited in
      let tensor = edited.tensors.first { $0.type.encoding.name == "q5_0" }!  // in this mix
      edited.flip(tensor.name.text, byte: 22 * 3 + 1, bit: 3)
    },
    Fault(
      "rounding halves up", "ties", "bf16", .correctlyRounded, "blk.0.ffn_up.weight",
      cause: "halves up instead"
    ) { edited in
      // Every value of the source is halfway between an even and an odd one.
      edited["blk.0.ffn_up.weight"] = edited.halvesUp(edited["blk.0.ffn_up.weight"])
    },
    Fault(
      "rounding towards zero", "llama-bias", "bf16", .correctlyRounded, "blk.0.ffn_up.weight",
      cause: "towards zero"
    ) { edited in
      let source = try Checkpoint.open(seeded("llama-bias"))
      let tensor = try #require(source["model.layers.0.mlp.up_proj.weight"])
      let bytes = try source.files[0].source.bytes(at: tensor.offset, count: tensor.byteCount)
      edited["blk.0.ffn_up.weight"] = stride(from: 0, to: bytes.count, by: 4).flatMap {
        bytes[$0 + 2..<$0 + 4]
      }
    },
    Fault(
      "F16 overflow", "large", "f16", .finite, "blk.0.ffn_up.weight", cause: "overflow F16"
    ) { _ in },
    Fault(
      "norm offset missing", "qwen2", "f32", .correctlyRounded, "output_norm.weight",
      cause: "plus -1"
    ) { $0[floats: "output_norm.weight"] = $0[floats: "output_norm.weight"].map { $0 - 1 } },
    Fault(
      "scale inverted", "qwen2", "f32", .correctlyRounded, "blk.0.attn_v.weight",
      cause: "times the source's"
    ) { $0[floats: "blk.0.attn_v.weight"] = $0[floats: "blk.0.attn_v.weight"].map { $0 / 16 } },
    Fault(
      "byte order", "qwen2", "f32", .correctlyRounded, "blk.0.attn_v.weight",
      cause: "bytes of each element are reversed"
    ) {
      $0[floats: "blk.0.attn_v.weight"] = $0[floats: "blk.0.attn_v.weight"].map {
        Float(bitPattern: $0.bitPattern.byteSwapped)
      }
    },
    Fault(
      "nibbles exchanged", "tiny", "q4_0", .nearestCode, "blk.0.ffn_up.weight",
      cause: "nibbles of each byte are exchanged"
    ) { edited in
      edited["blk.0.ffn_up.weight"] = edited["blk.0.ffn_up.weight"].enumerated().map {
        $0.offset % 18 < 2 ? $0.element : $0.element << 4 | $0.element >> 4
      }
    },
    Fault(
      "tail not written", "qwen2", "bf16", .bitExact, "blk.1.ffn_up.weight",
      cause: "rows from 40 on are zero"
    ) { edited in
      let bytes = edited["blk.1.ffn_up.weight"]
      edited["blk.1.ffn_up.weight"] =
        bytes.prefix(40 * 64) + [UInt8](repeating: 0, count: bytes.count - 40 * 64)
    },
    Fault(
      "tied embedding from the wrong matrix", "qwen2", "bf16", .bitExact, "output.weight",
      cause: nil
    ) { $0.add("output.weight", like: "token_embd.weight", $0["token_embd.weight"].reversed()) },
  ]

  private static let structure: [Fault] = [
    Fault(
      "layer dropped", "qwen2", "bf16", .tensorPresent, "blk.1.ffn_up.weight",
      cause: "layer 1 is missing as a whole"
    ) { $0.tensors.removeAll { $0.name.hasPrefix("blk.1.") } },
    Fault(
      "tensor dropped", "qwen2", "bf16", .tensorPresent, "blk.1.attn_q.bias",
      cause: nil
    ) { $0.tensors.removeAll { $0.name == "blk.1.attn_q.bias" } },
    Fault(
      "tensor added", "qwen2", "bf16", .tensorExpected, "blk.2.ffn_up.weight",
      cause: "the source has no layer 2"
    ) { $0.add("blk.2.ffn_up.weight", like: "blk.1.ffn_up.weight", $0["blk.1.ffn_up.weight"]) },
    Fault(
      "shape transposed", "qwen2", "bf16", .shape, "blk.0.ffn_up.weight",
      cause: "transposed"
    ) { $0.retype("blk.0.ffn_up.weight") { $0.with(shape: [32, 64]) } },
    Fault(
      "vector in F16", "qwen2", "bf16", .encoding, "output_norm.weight", cause: nil
    ) { $0.retype("output_norm.weight") { $0.with(encoding: .f16) } },
    Fault(
      "RoPE base", "qwen2", "bf16", .hyperparameter, "qwen2.rope.freq_base",
      cause: "0.01 times"
    ) { $0.metadata.set("qwen2.rope.freq_base", .float32(10_000)) },
    Fault(
      "epsilon", "qwen2", "bf16", .hyperparameter,
      "qwen2.attention.layer_norm_rms_epsilon", cause: "times the source's"
    ) { $0.metadata.set("qwen2.attention.layer_norm_rms_epsilon", .float32(1e-5)) },
    Fault(
      "RoPE scaling", "llama-json", "f16", .hyperparameter,
      "llama.rope.scaling.factor", cause: "times the source's"
    ) { $0.metadata.set("llama.rope.scaling.factor", .float32(3)) },
    Fault(
      "heads", "llama", "bf16", .hyperparameter, "llama.attention.head_count",
      cause: "2 times"
    ) { $0.metadata.set("llama.attention.head_count", .uint32(8)) },
    Fault(
      "key left out", "llama", "bf16", .hyperparameter,
      "llama.attention.head_count_kv", cause: nil
    ) { $0.metadata = $0.metadata.without("llama.attention.head_count_kv") },
    Fault(
      "key added", "llama", "bf16", .hyperparameter, "llama.rope.scaling.factor",
      cause: "was added"
    ) { $0.metadata.set("llama.rope.scaling.factor", .float32(4)) },
    Fault(
      "tokens in another order", "llama", "bf16", .tokenizer,
      "tokenizer.ggml.tokens", cause: "the same entries in another order"
    ) { edited in
      guard case .array(.string(var tokens)) = edited.metadata["tokenizer.ggml.tokens"] else {
        return
      }
      tokens.swapAt(100, 200)
      edited.metadata.set("tokenizer.ggml.tokens", .array(.string(tokens)))
    },
    Fault(
      "end token", "qwen2", "bf16", .tokenizer, "tokenizer.ggml.eos_token_id",
      cause: nil
    ) { $0.metadata.set("tokenizer.ggml.eos_token_id", .uint32(5)) },
    Fault(
      "file of another model", "llama", "bf16", .architecture,
      "general.architecture", cause: "different models"
    ) { edited in
      let scratch = try Scratch()
      edited = try EditedGGUF(try scratch.convert(seeded("bert"), "bf16"))
    },
  ]
}

extension EditedGGUF {
  /// BF16 made from halfway values by rounding them up: towards larger values.
  fileprivate func halvesUp(_ bytes: [UInt8]) -> [UInt8] {
    stride(from: 0, to: bytes.count, by: 2).flatMap { place in
      // The nearest even of two neighbours; the source lies above it when its own code is even.
      var code = UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8
      let isNegative = code & 0x8000 != 0
      // The tests make sources whose codes are even, so that rounding to even went towards zero.
      if !isNegative { code += 1 }
      return [UInt8(truncatingIfNeeded: code), UInt8(code >> 8)]
    }
  }
}

extension Metadata {
  fileprivate func without(_ key: ByteString) -> Metadata {
    Metadata(items.filter { $0.key != key }.map { ($0.key, $0.value) })
  }
}

@Suite struct MutationTests {
  @Test(arguments: Fault.all)
  func isFoundAndNamed(_ fault: Fault) throws {
    let scratch = try Scratch()
    let source = try source(of: fault.model, scratch)
    let path = try scratch.convert(source, fault.scheme)
    let request = VerificationRequest(level: .values, jobs: 2)
    let before = try verify(source, path, request)
    if fault.model != "large" { #expect(before.verdict == .pass, before.summary) }
    var edited = try EditedGGUF(path)
    try fault.inject(&edited)
    let broken = scratch.path + "/broken.gguf"
    try edited.write(broken)
    let report = try verify(source, broken, request)
    #expect(report.verdict == .fail)
    #expect(report.levels.first { $0.verdict == .fail }?.level == fault.level, report.summary)
    let finding = report.failures.first { finding in
      finding.check == fault.check && (fault.subject.map { finding.subject.isNamed($0) } ?? true)
    }
    let found = try #require(finding, report.summary)
    if let cause = fault.cause {
      #expect(found.likelyCause?.contains(cause) == true, report.summary)
    }
    if fault.level == .values {
      // Nothing else is accused, but the other half of an exchange.
      let accused = Set(report.failures.map(\.subject))
      #expect(accused.count <= (fault.name.contains("exchanged") ? 2 : 1), report.summary)
      #expect(found.place != nil && found.derivation != nil)
    }
  }

  /// The folder of a model, with what some faults need.
  private func source(of model: String, _ scratch: Scratch) throws -> String {
    switch model {
    case "tiny": return fixtures + "/models/tiny-qwen2"
    case "ties":
      return try changed("llama-bias", scratch) { bits in bits & 0xFFFE_0000 | 0x8000 }
    case "large":
      return try changed("llama-bias", scratch) { bits in
        Float(bitPattern: bits) > 0.03 ? Float(100_000).bitPattern : bits
      }
    default: return seeded(model)
    }
  }

  /// A copy of a checkpoint in F32 with the values of one matrix changed.
  private func changed(
    _ model: String, _ scratch: Scratch, _ change: (UInt32) -> UInt32
  ) throws -> String {
    let folder = scratch.path + "/" + model
    try FileManager.default.copyItem(atPath: seeded(model), toPath: folder)
    let checkpoint = try Checkpoint.open(folder)
    let tensor = try #require(checkpoint["model.layers.0.mlp.up_proj.weight"])
    let file = checkpoint.files[0].source
    var bytes = try file.bytes(at: 0, count: file.byteCount)
    bytes.withUnsafeMutableBytes { bytes in
      for place in stride(from: tensor.offset, to: tensor.offset + tensor.byteCount, by: 4) {
        let bits = bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)
        bytes.storeBytes(of: change(bits), toByteOffset: place, as: UInt32.self)
      }
    }
    try save(bytes, to: folder + "/model.safetensors")
    return folder
  }

  @Test func aTruncatedFileIsNoCheckpoint() throws {
    let scratch = try Scratch()
    let path = try scratch.convert(seeded("qwen2"), "bf16")
    let bytes = try InputFile(path: path)
    try save(try bytes.bytes(at: 0, count: bytes.byteCount - 100), to: path)
    let failure = #expect(throws: Failure.self) { try verify(seeded("qwen2"), path) }
    #expect(failure?.kind == .badInput)
  }

  @Test func theResultDoesNotDependOnThreadsOrMemory() throws {
    let scratch = try Scratch()
    let path = try scratch.convert(seeded("qwen2"), "q8_0")
    let one = try verify(seeded("qwen2"), path, .init(level: .values, jobs: 1))
    let four = try verify(
      seeded("qwen2"), path, .init(level: .values, memoryByteLimit: 64 << 20, jobs: 4))
    #expect(one.findings == four.findings)
    #expect(one.tensors.map(\.metrics) == four.tensors.map(\.metrics))
    let failure = #expect(throws: Failure.self) {
      try verify(seeded("qwen2"), path, .init(memoryByteLimit: 1 << 20, jobs: 1))
    }
    #expect(failure?.kind == .usage)
  }
}

extension Finding.Subject {
  fileprivate func isNamed(_ name: String) -> Bool {
    switch self {
    case .tensor(let own), .key(let own): own.text == name
    case .file(let own): own == name
    case .model: false
    }
  }
}
