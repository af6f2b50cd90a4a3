import Architectures

@testable import Equivalence

extension Fault {
  /// Tensors that hold another one's values.
  static let places: [Fault] = [
    Fault(
      "gate and up are exchanged",
      on("llama qwen2", .bf16, .q8, .folder) + on("wide-llama", .k4), cause: "exchanged with",
      .conversion { $0.exchange(.of(.feedForwardGate, 1), .of(.feedForwardUp, 1)) }),
    Fault(
      "queries and keys are exchanged", on("bert", .bf16, .q8, .folder), cause: "exchanged with",
      .conversion { $0.exchange(.of(.attentionQuery), .of(.attentionKey)) }),
    Fault(
      "two layers are exchanged", on("qwen2 gpt2 mixtral", .bf16, .q8), cause: "exchanged with",
      .conversion { $0.exchangeLayers(0, 1) }),
    Fault(
      "a matrix of the neighbouring layer",
      on("llama bert gpt2", .bf16, .q8, .folder) + on("wide-qwen2", .k4),
      cause: "of layer 1 instead of 0",
      .conversion { $0[.of(.feedForwardDown, 0)] = $0[.of(.feedForwardDown, 1)] }),
    Fault(
      "a norm of the neighbouring layer", on("llama qwen2 gpt2", .bf16, .q8, .folder),
      cause: "of layer 0 instead of 1",
      .conversion { $0[.of(.attentionNorm, 1)] = $0[.of(.attentionNorm, 0)] }),
    Fault(
      "a bias of the neighbouring layer", on("qwen2 bert", .bf16, .q8, .folder),
      cause: "of layer 1 instead of 0",
      .conversion { $0[.of(.attentionKey, 0).bias] = $0[.of(.attentionKey, 1).bias] }),
    Fault(
      "a router of the neighbouring layer", on("mixtral qwen3moe", .bf16, .q8, .folder),
      cause: "of layer 0 instead of 1",
      .conversion { $0[.of(.router, 1)] = $0[.of(.router, 0)] }),
    Fault(
      "experts are shifted by one", on("mixtral qwen3moe", .bf16, .q8) + on("wide-mixtral", .k4),
      cause: "experts are shifted: expert 0 holds expert 1",
      .conversion { $0.moveExperts(.expertUp) { ($0 + 1) % 4 } }),
    Fault(
      "experts are shifted by one, each a tensor", on("mixtral qwen3moe", .folder),
      cause: "it holds 'model.layers.0.",
      .conversion { $0.moveExperts(.expertUp) { ($0 + 1) % 4 } }),
    Fault(
      "two experts are exchanged", on("mixtral qwen3moe", .bf16, .q8),
      cause: "experts stand in another order: expert 1 holds expert 2",
      .conversion { $0.moveExperts(.expertDown, 1) { [0, 2, 1, 3][$0] } }),
    Fault(
      "experts of the neighbouring layer", on("mixtral qwen3moe", .bf16, .q8),
      cause: "of layer 1 instead of 0",
      .output { $0[.of(.expertGate, 0)] = $0[.of(.expertGate, 1)] }),
    Fault(
      "the head holds the embedding", on("llama mixtral qwen3moe", .bf16, .q8, .folder),
      cause: "it holds",
      .conversion { $0[.of(.output, nil)] = $0[.of(.tokenEmbedding, nil)] }),
    Fault(
      "a head beside a tied embedding, from elsewhere", on("qwen2 llama-bias", .bf16, .q8),
      cause: "rows stand in another order",
      .output { output in
        let embedding = output.name(.of(.tokenEmbedding, nil))
        let head = output.name(.of(.output, nil))
        output.add(head, like: embedding, output[embedding])
        let count = output.rowCount(.of(.output, nil))
        output.move(head, count: count) { $0 * 7 % count }
      }),
    Fault(
      "a shard of another revision", on("tiny-llama", .bf16, .q8, .folder),
      cause: "another revision",
      .conversion { source in
        for tensor in source.tensors.suffix(source.tensors.count / 2) {
          let position = source.position(tensor.name.text)
          // In F16 values change by less than a quarter.
          source.tensors[position].bytes = tensor.bytes.enumerated().map { index, byte in
            index % 2 == 0 ? byte &* 167 &+ 13 : byte
          }
        }
      }),
  ]

  /// Tensors whose own values stand in another order.
  static let order: [Fault] = [
    Fault(
      "queries are left in halves", on("llama mixtral", .bf16, .q8),
      cause: "each head of 8 are in halves instead of pairs",
      .output { $0.deinterleave(.of(.attentionQuery, 1), 8) }),
    Fault(
      "keys are left in halves", on("llama mistral", .f16, .q8),
      cause: "each head of 8 are in halves instead of pairs",
      .output { $0.deinterleave(.of(.attentionKey), 8) }),
    Fault(
      "queries of long heads are left in halves", on("wide-llama wide-mixtral", .k4),
      cause: "each head of 64 are in halves instead of pairs",
      .output { $0.deinterleave(.of(.attentionQuery), 64) }),
    Fault(
      "the bias of queries is left in halves", on("llama-bias", .f32, .bf16, .q8),
      cause: "each head of 8 are in halves instead of pairs",
      .output { $0.deinterleave(.of(.attentionQuery).bias, 8) }),
    Fault(
      "queries are interleaved twice", on("llama mixtral", .bf16, .q8),
      cause: "each head of 8 are interleaved once too often",
      .output { $0.interleave(.of(.attentionQuery), 8) }),
    Fault(
      "queries are interleaved for a runtime that rotates halves",
      on("qwen2", .bf16, .q8, .folder) + on("llama bert", .folder),
      cause: "each head of 8 are interleaved once too often",
      .output { $0.interleave(.of(.attentionQuery), 8) }),
    Fault(
      "keys are interleaved as one head", on("llama", .bf16, .q8),
      cause: "rows stand in another order",
      .output { output in
        output.deinterleave(.of(.attentionKey), 8)
        output.interleave(.of(.attentionKey), 16)
      }),
    Fault(
      "heads are exchanged", on("llama qwen2", .bf16, .q8, .folder),
      cause: "the two halves of the rows are exchanged",
      .conversion { $0.moveRows(.of(.attentionValue)) { ($0 + 8) % 16 } }),
    Fault(
      "a square matrix is transposed",
      on("llama bert gpt2", .bf16, .q8, .folder) + on("wide-qwen2", .k4), cause: "transposed",
      .conversion { $0.transpose(.of(.attentionOutput, 1)) }),
    Fault(
      "bytes of a projection that is stored transposed are taken as they are",
      on("gpt2", .bf16, .q8), cause: "transposed",
      .conversion { $0.transpose(.of(.attentionFusedQKV), rowCount: 96) }),
    Fault(
      "query, key and value stand in another order", on("gpt2", .f32, .bf16, .q8),
      cause: "rows are shifted: row 0 holds row 32",
      .output { $0.moveRows(.of(.attentionFusedQKV)) { ($0 + 32) % 96 } }),
    Fault(
      "rows of the embedding are shifted by one",
      on("llama bert", .bf16, .q8, .folder) + on("wide-qwen2", .k4),
      cause: "rows are shifted: row 0 holds row 1",
      .conversion { source in
        let count = source.rowCount(.of(.tokenEmbedding, nil))
        source.moveRows(.of(.tokenEmbedding, nil)) { ($0 + 1) % count }
      }),
    Fault(
      "positions are shifted by two", on("gpt2 bert", .f32, .bf16, .q8),
      cause: "rows are shifted: row 0 holds row 2",
      .output { $0.moveRows(.of(.positionEmbedding, nil)) { ($0 + 2) % 64 } }),
    Fault(
      "two rows are exchanged", on("qwen2 bert", .bf16, .q8, .folder),
      cause: "row 17 holds row 18",
      .output {
        $0.moveRows(.of(.tokenEmbedding, nil)) { $0 == 17 ? 18 : $0 == 18 ? 17 : $0 }
      }),
    Fault(
      "tiles stand in the order of columns", on("wide-llama", .q8, .k4), cause: nil,
      .output { output in
        guard case .block(let type) = output.type(.of(.attentionOutput)).encoding else { return }
        let count = output[.of(.attentionOutput)].count / type.byteCount
        let rows = output.rowCount(.of(.attentionOutput))
        let width = count / rows
        // Pairs of rows form a tile where a row has one block.
        output.move(output.name(.of(.attentionOutput)), count: count) {
          width > 1 ? $0 % rows * width + $0 / rows : $0 % 2 * (rows / 2) + $0 / 2
        }
      }),
  ]
}
