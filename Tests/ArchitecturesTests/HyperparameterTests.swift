import ByteIO
import RealModule
import TensorTypes
import Testing

@testable import Architectures

/// What each architecture makes of a config that says as little as it may.
@Suite struct HyperparameterTests {
  static let least = """
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 160
    """

  private func values(_ architecture: Architecture, _ text: String) throws -> [String:
    MetadataValue]
  {
    let config = ModelConfig(try JSON(parsing: Array("{\(text)}".utf8)), file: "config.json")
    var values: [String: MetadataValue] = [:]
    for row in architecture.hyperparameters + architecture.ownHyperparameters {
      guard let value = try row.value(config) else { continue }
      #expect(values.updateValue(value, forKey: row.key) == nil, "\(row.key) comes twice")
    }
    return values
  }

  private func decoder(
    context: UInt32, keyValueHeads: UInt32, epsilon: Float, base: Float, headLength: UInt32?
  ) -> [String: MetadataValue] {
    var values: [String: MetadataValue] = [
      "block_count": .uint32(2), "embedding_length": .uint32(64),
      "feed_forward_length": .uint32(160), "attention.head_count": .uint32(4),
      "context_length": .uint32(context), "attention.head_count_kv": .uint32(keyValueHeads),
      "attention.layer_norm_rms_epsilon": .float32(epsilon), "rope.freq_base": .float32(base),
    ]
    if let headLength {
      values["attention.key_length"] = .uint32(headLength)
      values["attention.value_length"] = .uint32(headLength)
    }
    return values
  }

  /// What the rows of DeepSeek's family have in common.
  private func latent(
    context: UInt32, _ more: [String: MetadataValue]
  ) -> [String: MetadataValue] {
    var values = decoder(
      context: context, keyValueHeads: 1, epsilon: 1e-6, base: 10000, headLength: nil)
    values.merge([
      "vocab_size": .uint32(100), "attention.kv_lora_rank": .uint32(512),
      "attention.key_length": .uint32(576), "attention.value_length": .uint32(512),
      "attention.key_length_mla": .uint32(192), "attention.value_length_mla": .uint32(128),
      "rope.dimension_count": .uint32(64),
    ]) { $1 }
    return values.merging(more) { $1 }
  }

  /// The defaults of transformers' config classes.
  @Test func defaultsAreThoseOfTransformers() throws {
    let llama: [String: MetadataValue] = [
      "vocab_size": .uint32(100), "rope.dimension_count": .uint32(16),
    ]
    let expected: [(Architecture, String, [String: MetadataValue])] = [
      (
        .llama, #", "vocab_size": 100"#,
        decoder(context: 2048, keyValueHeads: 4, epsilon: 1e-6, base: 10000, headLength: 16)
          .merging(llama) { $1 }
      ),
      (
        .mistral, #", "vocab_size": 100"#,
        decoder(context: 131_072, keyValueHeads: 8, epsilon: 1e-6, base: 10000, headLength: 16)
          .merging(llama) { $1 }
      ),
      (
        .mixtral, #", "vocab_size": 100"#,
        decoder(
          context: 131_072, keyValueHeads: 8, epsilon: 1e-5, base: 1_000_000, headLength: nil
        ).merging(llama) { $1 }.merging(["expert_count": .uint32(8)]) { $1 }
      ),
      (
        .qwen2, "",
        decoder(context: 32768, keyValueHeads: 32, epsilon: 1e-6, base: 10000, headLength: nil)
      ),
      (
        .qwen3, "",
        decoder(context: 32768, keyValueHeads: 32, epsilon: 1e-6, base: 10000, headLength: 128)
      ),
      (
        .qwen3moe, "",
        decoder(context: 32768, keyValueHeads: 4, epsilon: 1e-6, base: 10000, headLength: nil)
          .merging(
            ["expert_count": .uint32(128), "expert_feed_forward_length": .uint32(768)]
          ) { $1 }
      ),
      (
        .deepseekV2, #", "vocab_size": 100"#,
        latent(
          context: 2048,
          [
            "leading_dense_block_count": .uint32(0), "attention.q_lora_rank": .uint32(1536),
            "expert_feed_forward_length": .uint32(1407), "expert_shared_count": .uint32(2),
            "expert_weights_scale": .float32(1), "expert_count": .uint32(64),
          ])
      ),
      (
        .deepseekV3, #", "vocab_size": 100"#,
        latent(
          context: 4096,
          [
            "leading_dense_block_count": .uint32(3), "attention.q_lora_rank": .uint32(1536),
            "expert_feed_forward_length": .uint32(2048), "expert_shared_count": .uint32(1),
            "expert_weights_scale": .float32(2.5), "expert_weights_norm": .bool(true),
            "expert_group_count": .uint32(8), "expert_group_used_count": .uint32(4),
            "expert_count": .uint32(256), "expert_gating_func": .uint32(2),
          ])
      ),
      (
        .kimiK2, #", "vocab_size": 100"#,
        latent(
          context: 131_072,
          ["leading_dense_block_count": .uint32(0), "expert_shared_count": .uint32(0)])
      ),
      (
        .bert, "",
        [
          "block_count": .uint32(2), "context_length": .uint32(512),
          "embedding_length": .uint32(64), "feed_forward_length": .uint32(160),
          "attention.head_count": .uint32(4), "attention.layer_norm_epsilon": .float32(1e-12),
          "attention.causal": .bool(false),
        ]
      ),
      (
        .gpt2, "",
        [
          "block_count": .uint32(2), "context_length": .uint32(1024),
          "embedding_length": .uint32(64), "feed_forward_length": .uint32(256),
          "attention.head_count": .uint32(4), "attention.layer_norm_epsilon": .float32(1e-5),
        ]
      ),
    ]
    #expect(expected.map(\.0.name) == Architecture.all.map(\.name))
    for (architecture, more, values) in expected {
      let found = try self.values(architecture, HyperparameterTests.least + more)
      for key in Set(found.keys).union(values.keys) {
        #expect(found[key] == values[key], "\(architecture.name), \(key)")
      }
    }
  }

  @Test(arguments: ["hidden_size", "num_hidden_layers", "num_attention_heads"])
  func whatHasNoDefaultIsRequired(_ key: String) throws {
    let text = HyperparameterTests.least.replacing("\"\(key)\"", with: "\"other\"")
    for architecture in Architecture.all {
      let failure = #expect(throws: Failure.self) {
        try values(architecture, text + #", "vocab_size": 100"#)
      }
      #expect(failure?.kind == .badInput && failure?.message == "the key is missing")
      #expect(failure?.subject != nil)
    }
  }

  @Test func keyValueHeadsAreAsManyAsHeadsWhenNull() throws {
    for architecture in [Architecture.qwen2, .mistral] {
      let found = try values(
        architecture,
        HyperparameterTests.least + #", "num_key_value_heads": null, "vocab_size": 100"#)
      #expect(found["attention.head_count_kv"] == .uint32(4))
    }
  }

  @Test func scaledRoPEIsWritten() throws {
    let yarn = try values(
      .qwen2,
      HyperparameterTests.least + """
        , "rope_scaling": {"type": "yarn", "factor": 4.0,
        "original_max_position_embeddings": 32768, "beta_fast": 32}
        """)
    #expect(yarn["rope.scaling.type"] == .text("yarn"))
    #expect(yarn["rope.scaling.factor"] == .float32(4))
    #expect(yarn["rope.scaling.original_context_length"] == .uint32(32768))
    #expect(yarn["rope.scaling.yarn_beta_fast"] == .float32(32))
    let linear = try values(
      .qwen2, HyperparameterTests.least + #", "rope_scaling": {"type": "linear", "factor": 2}"#)
    #expect(linear["rope.scaling.type"] == .text("linear"))
    #expect(linear["rope.scaling.original_context_length"] == nil)
  }

  /// Wavelengths below, between and above the bounds of Llama 3.1.
  @Test func llama3FactorsAreOneThenASlopeThenTheFactor() {
    let factors = Llama3RoPE(
      headLength: 128, base: 500_000, factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4,
      originalContextLength: 8192
    ).factors
    #expect(factors.count == 64)
    for (pair, factor) in factors.enumerated() {
      let wavelength = 2 * Double.pi * pow(500_000, Double(pair) / 64)
      let expected: Double
      if wavelength < 2048 {
        expected = 1
      } else if wavelength > 8192 {
        expected = 8
      } else {
        let smooth = (8192 / wavelength - 1) / 3
        expected = 1 / ((1 - smooth) / 8 + smooth)
      }
      #expect(abs(Double(factor) - expected) < 1e-5 * expected, "pair \(pair)")
    }
    #expect(factors.first == 1 && factors.last == 8)
    #expect(factors.contains { $0 > 1 && $0 < 8 })
  }
}

/// A power of a positive number.
private func pow(_ base: Double, _ exponent: Double) -> Double {
  Double.exp(exponent * Double.log(base))
}
