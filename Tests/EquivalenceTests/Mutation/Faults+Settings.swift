import TensorTypes

extension Fault {
  private static func setting(
    _ name: String, _ models: String, key: String, _ value: MetadataValue, cause: String?
  ) -> Fault {
    Fault(
      name, on(models, .bf16, .q8), .structure, of: .setting(key), cause: cause,
      .output { $0.set(key, value) })
  }

  private static func tokenizer(
    _ name: String, _ models: String, key: String, cause: String?, _ edit: @escaping Edit
  ) -> Fault {
    Fault(
      name, on(models, .bf16, .q8), .structure, of: .key("tokenizer.\(key)"), cause: cause,
      .output(edit))
  }

  /// What a GGUF file says beside its tensors.
  static let settings: [Fault] = [
    setting(
      "the base of RoPE", "llama qwen2 mixtral", key: "rope.freq_base", .float32(500_000),
      cause: "times the source's"),
    setting(
      "the factor of RoPE", "llama-json", key: "rope.scaling.factor", .float32(3),
      cause: "1.5 times the source's"),
    setting(
      "the form of RoPE", "llama-json qwen2-untied-f16", key: "rope.scaling.type", .text("none"),
      cause: nil),
    setting(
      "a factor of RoPE that the source does not have", "llama qwen2 mixtral",
      key: "rope.scaling.factor", .float32(4), cause: "was added"),
    setting(
      "epsilon", "llama qwen2 mixtral", key: "attention.layer_norm_rms_epsilon", .float32(3e-6),
      cause: "times the source's"),
    setting(
      "epsilon of layer norms", "bert gpt2", key: "attention.layer_norm_epsilon", .float32(1e-6),
      cause: "times the source's"),
    setting(
      "the number of heads", "llama bert gpt2", key: "attention.head_count", .uint32(8),
      cause: "2 times"),
    Fault(
      "the number of key heads is left out", on("llama qwen2 mixtral", .bf16, .q8), .structure,
      of: .setting("attention.head_count_kv"), cause: "left out: the runtime takes 4",
      .output { $0.remove(key: $0.setting("attention.head_count_kv")) }),
    setting(
      "the number of layers", "llama bert gpt2", key: "block_count", .uint32(1),
      cause: "0.5 times"),
    setting(
      "the length of the context", "llama bert gpt2", key: "context_length", .uint32(16),
      cause: "times the source's"),
    setting(
      "experts for each token", "mixtral qwen3moe", key: "expert_used_count", .uint32(1),
      cause: "0.5 times"),
    setting(
      "causal attention in an encoder", "bert", key: "attention.causal", .bool(true), cause: nil),
    setting("the way of pooling", "bert", key: "pooling_type", .uint32(2), cause: "2 times"),
    Fault(
      "one bit of a number", on("llama qwen2 bert", .bf16, .q8), .structure,
      of: .setting("embedding_length"), cause: "one bit differs",
      .output { $0.set("embedding_length", .uint32(32 | 1 << 9)) }),
    Fault(
      "another architecture", on("llama qwen2 mixtral", .bf16, .q8), .structure,
      of: .key("general.architecture"), cause: "different models",
      .output { $0.metadata.set("general.architecture", .text("gemma")) }),
    tokenizer(
      "tokens in another order", "llama qwen2 bert", key: "ggml.tokens",
      cause: "the same entries in another order: entry 100 is"
    ) { $0.editStrings("tokenizer.ggml.tokens") { $0.swapAt(100, 200) } },
    tokenizer(
      "a token is missing", "llama qwen2 gpt2", key: "ggml.tokens", cause: "1 entry less"
    ) { $0.editStrings("tokenizer.ggml.tokens") { $0.remove(at: 150) } },
    tokenizer(
      "one bit of a token", "llama qwen2 bert", key: "ggml.tokens", cause: "entry 40 is"
    ) { output in
      output.editStrings("tokenizer.ggml.tokens") { tokens in
        tokens[40] = ByteString(tokens[40].text + "\u{1}")
      }
    },
    tokenizer(
      "merges in another order", "qwen2 gpt2 qwen3moe", key: "ggml.merges",
      cause: "the same entries in another order"
    ) { $0.editStrings("tokenizer.ggml.merges") { $0.swapAt(3, 4) } },
    tokenizer(
      "the token that ends", "llama qwen2 gpt2", key: "ggml.eos_token_id", cause: "times"
    ) { $0.metadata.set("tokenizer.ggml.eos_token_id", .uint32(7)) },
    tokenizer(
      "the start token is not added", "llama bert", key: "ggml.add_bos_token", cause: nil
    ) { $0.metadata.set("tokenizer.ggml.add_bos_token", .bool(false)) },
    tokenizer(
      "another way to split text", "qwen2 gpt2", key: "ggml.pre", cause: nil
    ) { $0.metadata.set("tokenizer.ggml.pre", .text("default")) },
    tokenizer(
      "the chat template of another model", "qwen2 qwen3moe", key: "chat_template", cause: nil
    ) { $0.metadata.set("tokenizer.chat_template", .text("{{ messages }}")) },
  ]

  private static func config(
    _ name: String, _ models: String, key: String, _ value: String
  ) -> Fault {
    Fault(
      name, on(models, .folder), .structure, of: .key(key), cause: nil,
      .output { $0.editConfig(key) { _ in value } })
  }

  /// What stands beside the weights of a folder, and files that are none.
  static let files: [Fault] = [
    config("config: the base of RoPE", "llama qwen2 mixtral", key: "rope_theta", "500000.0"),
    config("config: epsilon", "llama qwen2 mixtral", key: "rms_norm_eps", "1e-4"),
    config("config: heads", "llama bert mixtral", key: "num_attention_heads", "8"),
    config("config: tied embeddings", "llama qwen2 mixtral", key: "tie_word_embeddings", "null"),
    Fault(
      "a tokenizer of another revision", on("llama qwen2 bert", .folder), .structure,
      of: .file("tokenizer.json"), cause: nil,
      .output { output in
        output.editFile("tokenizer.json") { text in
          if let digit = text.range(of: "\"id\": ") { text.insert("1", at: digit.upperBound) }
        }
      }),
    Fault(
      "tokenizer files are left out", on("llama qwen2 gpt2", .folder), .structure,
      of: .file("tokenizer.json"), cause: nil, .output { $0.files["tokenizer.json"] = nil }),
    Fault(
      "the config is left out", on("llama qwen2 bert", .folder), .structure,
      of: .file("config.json"), cause: nil, .output { $0.files["config.json"] = nil }),
    Fault(
      "the end is cut off", on("llama qwen2 bert", .bf16, .q8, .folder), nil, cause: nil,
      .bytes { $0.removeLast(100) }),
    Fault(
      "bytes are missing in the middle", on("llama qwen2 bert", .bf16, .q8, .folder), nil,
      cause: nil, .bytes { $0.removeSubrange($0.count / 2..<$0.count / 2 + 64) }),
    Fault(
      "one bit of the number of tensors", on("llama qwen2 bert", .bf16, .q8), nil, cause: nil,
      .bytes { $0[8] ^= 1 << 6 }),
    Fault(
      "one bit of the length of the header", on("llama qwen2 bert", .folder), nil, cause: nil,
      .bytes { $0[0] ^= 1 << 3 }),
  ]
}
