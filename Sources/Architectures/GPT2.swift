import TensorTypes

extension Architecture {
  /// GPT-2. Its projections are stored `[in, out]`, the transpose of a linear layer.
  static let gpt2 = Architecture(
    name: "gpt2",
    identifiers: ["GPT2LMHeadModel"],
    ggufName: "gpt2",
    prefixes: ["", "transformer."],
    mappings: [
      Mapping("wte.weight", .tokenEmbedding),
      Mapping("wpe.weight", .positionEmbedding),
      Mapping("ln_f.{p}", .outputNorm),
      Mapping("lm_head.weight", .output),
      Mapping("h.{L}.ln_1.{p}", .attentionNorm),
      Mapping("h.{L}.attn.c_attn.{p}", .attentionFusedQKV, [.transpose]),
      Mapping("h.{L}.attn.c_proj.{p}", .attentionOutput, [.transpose]),
      Mapping("h.{L}.ln_2.{p}", .feedForwardNorm),
      Mapping("h.{L}.mlp.c_fc.{p}", .feedForwardUp, [.transpose]),
      Mapping("h.{L}.mlp.c_proj.{p}", .feedForwardDown, [.transpose]),
    ],
    drops: [
      Drop("h.{L}.attn.bias", because: "the causal mask holds no information"),
      Drop("h.{L}.attn.masked_bias", because: "the causal mask holds no information"),
    ],
    hyperparameters: [
      .required("block_count", "n_layer", "num_hidden_layers"),
      .count("context_length", "n_positions", "max_position_embeddings", default: 1024),
      .required("embedding_length", "n_embd", "hidden_size"),
      Hyperparameter("feed_forward_length", configKey: "n_inner") { (config) throws(Failure) in
        if let stated = try config.count("n_inner") { return .uint32(UInt32(stated)) }  // fits
        let embedding = try config.embeddingLength
        guard embedding <= Int(UInt32.max) / 4 else {
          throw Failure(
            .badInput, "the value is too large", file: config.file, subject: .key("n_embd"),
            expected: "at most \(UInt32.max / 4)", found: "\(embedding)")
        }
        return .uint32(UInt32(4 * embedding))
      },
      .required("attention.head_count", "n_head", "num_attention_heads"),
      .real("attention.layer_norm_epsilon", "layer_norm_epsilon", default: 1e-5),
    ],
    tokenizer: .byteLevelBPE,
    source: "transformers 5.24.0 modeling_gpt2.py; llama.cpp conversion/gpt2.py")
}
