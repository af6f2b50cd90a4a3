import TensorTypes

extension Architecture {
  /// BERT encoders, sentence encoders among them.
  static let bert = Architecture(
    name: "bert",
    identifiers: ["BertModel", "BertForMaskedLM"],
    ggufName: "bert",
    prefixes: ["", "bert."],
    mappings: [
      Mapping("embeddings.word_embeddings.weight", .tokenEmbedding),
      Mapping("embeddings.position_embeddings.weight", .positionEmbedding),
      Mapping("embeddings.token_type_embeddings.weight", .tokenTypeEmbedding),
      Mapping("embeddings.LayerNorm.{p}", .embeddingNorm),
      Mapping("encoder.layer.{L}.attention.self.query.{p}", .attentionQuery),
      Mapping("encoder.layer.{L}.attention.self.key.{p}", .attentionKey),
      Mapping("encoder.layer.{L}.attention.self.value.{p}", .attentionValue),
      Mapping("encoder.layer.{L}.attention.output.dense.{p}", .attentionOutput),
      Mapping("encoder.layer.{L}.attention.output.LayerNorm.{p}", .attentionOutputNorm),
      Mapping("encoder.layer.{L}.intermediate.dense.{p}", .feedForwardUp),
      Mapping("encoder.layer.{L}.output.dense.{p}", .feedForwardDown),
      Mapping("encoder.layer.{L}.output.LayerNorm.{p}", .layerOutputNorm),
    ],
    drops: [
      Drop("embeddings.position_ids", because: "the positions 0, 1, 2 … hold no information"),
      Drop("pooler.dense.{p}", because: "the runtime pools by its own rule"),
      Drop("cls.predictions.bias", because: "the runtime has no masked-language head"),
      Drop("cls.predictions.decoder.{p}", because: "the runtime has no masked-language head"),
      Drop(
        "cls.predictions.transform.dense.{p}", because: "the runtime has no masked-language head"),
      Drop(
        "cls.predictions.transform.LayerNorm.{p}",
        because: "the runtime has no masked-language head"),
      Drop("cls.seq_relationship.{p}", because: "the runtime has no next-sentence head"),
    ],
    // The names of the first releases.
    spellings: [.ending(".gamma", meaning: ".weight"), .ending(".beta", meaning: ".bias")],
    hyperparameters: [
      .required("block_count", "num_hidden_layers"),
      .count("context_length", "max_position_embeddings", default: 512),
      .required("embedding_length", "hidden_size"),
      .required("feed_forward_length", "intermediate_size"),
      .required("attention.head_count", "num_attention_heads"),
      .real("attention.layer_norm_epsilon", "layer_norm_eps", default: 1e-12),
    ],
    ownHyperparameters: [
      Hyperparameter("attention.causal") { (_) throws(Failure) in .bool(false) }
    ],
    tokenizer: .wordPiece,
    pools: true,
    source: "transformers 5.24.0 modeling_bert.py; llama.cpp conversion/bert.py")
}
