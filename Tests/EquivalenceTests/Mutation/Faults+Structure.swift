import Architectures
import TensorTypes

@testable import Equivalence

extension Fault {
  /// Tensors that are missing, added, or of another shape or type.
  static let structure: [Fault] = [
    Fault(
      "a layer is left out", on("llama qwen2 bert gpt2", .bf16, .q8, .folder), .structure,
      cause: "layer 1 is missing as a whole",
      .output { $0.tensors.removeAll { $0.name.layerNumber == 1 } }),
    Fault(
      "a matrix is left out", on("llama bert gpt2", .bf16, .q8, .folder), .structure, cause: nil,
      .output { $0.remove($0.name(.of(.attentionOutput, 1))) }),
    Fault(
      "a bias is left out", on("qwen2 bert gpt2", .bf16, .q8, .folder), .structure, cause: nil,
      .output { $0.remove($0.name(.of(.attentionKey).bias(in: $0))) }),
    Fault(
      "a matrix has another name", on("llama mixtral gpt2", .bf16, .q8, .folder), .structure,
      cause: "it may be stored as '",
      .output { output in
        let position = output.position(output.name(.of(.attentionOutput)))
        let name = output.tensors[position].name.text
        output.tensors[position].name = ByteString(name.replacing("weight", with: "kernel"))
      }),
    Fault(
      "a layer for multi-token prediction stands behind the others",
      on("llama qwen2 mixtral", .bf16, .q8, .folder), .structure,
      cause: "the source has no layer 2",
      .output { output in
        for tensor in output.tensors where tensor.name.layerNumber == 1 {
          let name = tensor.name.text.replacing(".1.", with: ".2.", maxReplacements: 1)
          output.add(name, like: tensor.name.text, tensor.bytes)
        }
      }),
    Fault(
      "axes are exchanged", on("llama bert gpt2", .bf16, .f16, .folder), .structure,
      cause: "transposed",
      .output { output in
        output.retype(output.name(.of(.feedForwardUp))) { type in
          type.with(shape: Shape(type.shape.axes.reversed()))
        }
      }),
    Fault(
      "experts are not stacked", on("mixtral qwen3moe", .bf16, .q8), .structure, cause: nil,
      .output { $0.retype($0.name(.of(.expertDown))) { $0.with(shape: [128, 32]) } }),
    Fault(
      "the embedding is padded", on("llama qwen2 bert", .bf16, .folder), .structure, cause: nil,
      .output { output in
        let position = output.position(output.name(.of(.tokenEmbedding, nil)))
        let type = output.tensors[position].type
        output.tensors[position].type = type.with(shape: [type.shape.axes[0] + 8, 32])
        output.tensors[position].bytes += [UInt8](repeating: 0, count: 8 * 64)
      }),
    Fault(
      "a vector in F16", on("llama bert gpt2", .f16, .q8), .structure, cause: nil,
      .output { output in
        output.retype(output.name(.of(.norm(in: output), nil))) { $0.with(encoding: .f16) }
      }),
    Fault(
      "whole numbers instead of floats", on("llama bert", .folder), .structure, cause: nil,
      .output { $0.retype($0.name(.of(.attentionOutput))) { $0.with(encoding: .plain(.i16)) } }),
    Fault(
      "the file is of another model", on("llama qwen2", .bf16, .q8), .structure,
      cause: "different models",
      .output { output in
        let scratch = try Scratch()
        defer { withExtendedLifetime(scratch) {} }
        output = try EditedCheckpoint(scratch.convert(seeded("bert"), "bf16"))
      }),
  ]
}

extension Role {
  /// A norm without a layer.
  fileprivate static func norm(in checkpoint: EditedCheckpoint) -> Role {
    checkpoint.has(.of(.outputNorm, nil)) ? .outputNorm : .embeddingNorm
  }
}

extension RoleInstance {
  /// The bias of keys, or of the matrix that holds them.
  fileprivate func bias(in checkpoint: EditedCheckpoint) -> RoleInstance {
    checkpoint.has(bias) ? bias : RoleInstance.of(.attentionFusedQKV).bias
  }
}
