import Architectures
import ByteIO
import ReferenceKernels
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// What models compute with beside their weights, from configs and from GGUF metadata.
@Suite struct ModelSettingsTests {
  private func config(_ text: String) throws -> ModelSettings {
    let config = ModelConfig(try JSON(parsing: Array(text.utf8)), file: "config.json")
    return try ModelSettings(config, Architecture.of(config), folder: nil)
  }

  private func decoder(_ text: String) throws -> DecoderSettings {
    guard case .decoder(let settings) = try config(text) else {
      throw Failure(.defect, "no decoder")
    }
    return settings
  }

  private func llama(_ more: String, _ name: String = "LlamaForCausalLM") -> String {
    "{\"architectures\": [\"\(name)\"], \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
      + "\"hidden_size\": 32\(more.isEmpty ? "" : ", " + more)}"
  }

  @Test func takesTheDefaultsOfTransformers() throws {
    let llama = try decoder(llama(""))
    #expect(llama.keyValueHeadCount == 4)
    #expect(llama.epsilon == Double(Float(1e-6)))
    #expect(llama.attentionScale == 1 / 8.0.squareRoot())
    #expect(llama.rotary == RotaryEmbedding(length: 8, base: 10000))
    #expect(llama.windows.isEmpty && !llama.isTied && llama.routing == nil)
    let qwen3 = try decoder(self.llama("", "Qwen3ForCausalLM"))
    #expect(qwen3.rotary.frequencies.count == 64)
  }

  @Test func knowsWhichLayersSlide() throws {
    func windows(_ name: String, _ more: String) throws -> [Int: Int] {
      try decoder(llama(more, name)).windows
    }
    #expect(try windows("MistralForCausalLM", "\"sliding_window\": 7") == [0: 7, 1: 7])
    #expect(try windows("MistralForCausalLM", "\"sliding_window\": null") == [:])
    #expect(try windows("Qwen2ForCausalLM", "\"sliding_window\": 7") == [:])
    let late = "\"sliding_window\": 7, \"use_sliding_window\": true, \"max_window_layers\": 1"
    #expect(try windows("Qwen2ForCausalLM", late) == [1: 7])
    let types =
      "\"sliding_window\": 7, \"layer_types\": "
      + "[\"sliding_attention\", \"full_attention\"]"
    #expect(try windows("Qwen3ForCausalLM", types) == [0: 7])
  }

  @Test func readsBothSpellingsOfYaRN() throws {
    let old = try decoder(
      llama(
        "\"rope_theta\": 100.0, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, "
          + "\"original_max_position_embeddings\": 64}"))
    let new = try decoder(
      llama(
        "\"rope_parameters\": {\"rope_type\": \"yarn\", \"rope_theta\": 100.0, "
          + "\"factor\": 4.0, \"original_max_position_embeddings\": 64}"))
    #expect(old.rotary == new.rotary)
    #expect(abs(old.rotary.amplitude - 1.1386294361119891) < 1e-12)
    let given = try decoder(
      llama(
        "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, \"attention_factor\": 1.5, "
          + "\"original_max_position_embeddings\": 64}"))
    #expect(given.rotary.amplitude == 1.5)
  }

  @Test func chooserOfExperts() throws {
    let experts = "\"num_experts\": 8, \"num_experts_per_tok\": 2"
    let plain = try decoder(llama(experts, "Qwen3MoeForCausalLM")).routing
    #expect(plain == Routing(score: .softmax, usedCount: 2, normalises: false))
    let norm = try decoder(
      llama(experts + ", \"norm_topk_prob\": true", "Qwen3MoeForCausalLM")
    ).routing
    #expect(norm == Routing(score: .softmax, usedCount: 2, normalises: true))
    #expect(throws: Failure.self) {
      try decoder(llama("\"num_experts\": 8, \"num_experts_per_tok\": 9", "Qwen3MoeForCausalLM"))
    }
  }

  /// A config that cannot be computed says which key is to blame.
  @Test(
    arguments: [
      ("\"hidden_act\": \"snake\"", "hidden_act"),
      ("\"head_dim\": 7", "head_dim"),
      ("\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}", "rope_scaling"),
      ("\"rope_scaling\": {\"type\": \"linear\"}", "factor"),
      ("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}", "original_max_position_embeddings"),
    ])
  func refusesConfigs(_ more: String, _ key: String) throws {
    do {
      _ = try config(llama(more))
      Issue.record("the config was taken")
    } catch let failure as Failure {
      #expect(failure.subject == .key(ByteString(key)))
    }
  }

  /// Metadata without a key that llama.cpp needs.
  @Test(
    arguments: [
      ("llama", "block_count"), ("llama", "attention.head_count"), ("llama", "embedding_length"),
      ("llama", "attention.layer_norm_rms_epsilon"), ("gpt2", "context_length"),
      ("bert", "attention.layer_norm_epsilon"),
    ])
  func refusesMetadata(_ architecture: String, _ missing: String) throws {
    let keys: [(String, MetadataValue)] = [
      ("block_count", .uint32(2)), ("attention.head_count", .uint32(4)),
      ("context_length", .uint32(64)), ("embedding_length", .uint32(32)),
      ("attention.layer_norm_rms_epsilon", .float32(1e-5)),
      ("attention.layer_norm_epsilon", .float32(1e-5)),
    ]
    func settings(without missing: String) throws -> ModelSettings {
      var metadata = Metadata([("general.architecture", .text(architecture))])
      for (key, value) in keys where key != missing {
        metadata.append(ByteString("\(architecture).\(key)"), value)
      }
      return try ModelSettings(gguf: metadata, file: "x.gguf", ropeFactors: nil)
    }
    #expect(throws: Never.self) { try settings(without: "") }
    do {
      _ = try settings(without: missing)
      Issue.record("the metadata was taken")
    } catch let failure as Failure {
      #expect(failure.subject == .key(ByteString("\(architecture).\(missing)")))
      #expect(failure.file == "x.gguf")
    }
  }

  @Test func sameSettingsFromBothForms() throws {
    for model in seededModels {
      let scratch = try Scratch()
      let source = try ModelEvaluator(Checkpoint.open(seeded(model)), jobs: 1)
      let converted = try ModelEvaluator(
        Checkpoint.open(try scratch.convert(seeded(model), "f16")), jobs: 1)
      #expect(
        source.settings.differences(from: converted.settings).isEmpty, "\(model)")
    }
  }
}
