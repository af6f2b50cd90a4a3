import Architectures
import TensorTypes

extension Architecture {
  /// The names and forms of llama.cpp's GGUF files.
  ///
  /// Experts are stacked in one tensor; where llama.cpp rotates neighbouring pairs, the rows of
  /// queries and keys are interleaved.
  ///
  /// - Source: llama.cpp `gguf-py/gguf/constants.py`, `TENSOR_NAMES`; `conversion/llama.py`,
  ///   `permute`.
  public var gguf: Dialect {
    guard interleavesRoPE else { return Dialect(mappings: ggufMappings) }
    return Dialect(
      mappings: ggufMappings.map { row in
        switch row.role {
        case .attentionQuery: Mapping(row.name, row.role, [.interleavedHeads(.query)])
        case .attentionKey: Mapping(row.name, row.role, [.interleavedHeads(.keyValue)])
        default: row
        }
      })
  }
}

/// GGUF's name for each role.
private let ggufMappings: [Mapping] = [
  Mapping("token_embd.weight", .tokenEmbedding),
  Mapping("position_embd.weight", .positionEmbedding),
  Mapping("token_types.weight", .tokenTypeEmbedding),
  Mapping("token_embd_norm.{p}", .embeddingNorm),
  Mapping("output.weight", .output),
  Mapping("output_norm.{p}", .outputNorm),
  Mapping("rope_freqs.weight", .ropeFactors),
  Mapping("blk.{L}.attn_norm.{p}", .attentionNorm),
  Mapping("blk.{L}.attn_q.{p}", .attentionQuery),
  Mapping("blk.{L}.attn_k.{p}", .attentionKey),
  Mapping("blk.{L}.attn_v.{p}", .attentionValue),
  Mapping("blk.{L}.attn_qkv.{p}", .attentionFusedQKV),
  Mapping("blk.{L}.attn_q_a.{p}", .attentionQueryDown),
  Mapping("blk.{L}.attn_q_a_norm.weight", .attentionQueryDownNorm),
  Mapping("blk.{L}.attn_q_b.weight", .attentionQueryUp),
  Mapping("blk.{L}.attn_kv_a_mqa.{p}", .attentionKeyValueDown),
  Mapping("blk.{L}.attn_kv_a_norm.weight", .attentionKeyValueDownNorm),
  Mapping("blk.{L}.attn_k_b.weight", .attentionKeyValueUp, [.latent(.keys)]),
  Mapping("blk.{L}.attn_v_b.weight", .attentionKeyValueUp, [.latent(.values)]),
  Mapping("blk.{L}.attn_output.{p}", .attentionOutput),
  Mapping("blk.{L}.attn_q_norm.{p}", .attentionQueryNorm),
  Mapping("blk.{L}.attn_k_norm.{p}", .attentionKeyNorm),
  Mapping("blk.{L}.attn_output_norm.{p}", .attentionOutputNorm),
  Mapping("blk.{L}.ffn_norm.{p}", .feedForwardNorm),
  Mapping("blk.{L}.ffn_gate.{p}", .feedForwardGate),
  Mapping("blk.{L}.ffn_up.{p}", .feedForwardUp),
  Mapping("blk.{L}.ffn_down.{p}", .feedForwardDown),
  Mapping("blk.{L}.ffn_gate_inp.{p}", .router),
  Mapping("blk.{L}.exp_probs_b.bias", .routerCorrection),
  Mapping("blk.{L}.ffn_gate_exps.weight", .expertGate),
  Mapping("blk.{L}.ffn_up_exps.weight", .expertUp),
  Mapping("blk.{L}.ffn_down_exps.weight", .expertDown),
  Mapping("blk.{L}.ffn_gate_shexp.weight", .sharedExpertGate),
  Mapping("blk.{L}.ffn_up_shexp.weight", .sharedExpertUp),
  Mapping("blk.{L}.ffn_down_shexp.weight", .sharedExpertDown),
  Mapping("blk.{L}.layer_output_norm.{p}", .layerOutputNorm),
  Mapping("blk.{L}.nextn.embed_tokens.weight", .nextTokenEmbedding),
  Mapping("blk.{L}.nextn.enorm.weight", .nextTokenEmbeddingNorm),
  Mapping("blk.{L}.nextn.hnorm.weight", .nextTokenHiddenNorm),
  Mapping("blk.{L}.nextn.eh_proj.weight", .nextTokenProjection),
  Mapping("blk.{L}.nextn.shared_head_norm.weight", .nextTokenOutputNorm),
  Mapping("blk.{L}.nextn.shared_head_head.weight", .nextTokenOutput),
]
