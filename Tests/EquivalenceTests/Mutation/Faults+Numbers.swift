import Architectures
import ReferenceKernels

@testable import Equivalence

extension Fault {
  /// Values that are changed one by one.
  static let numbers: [Fault] = [
    Fault(
      "one bit of a copied value", on("qwen2 llama mixtral", .bf16, .folder),
      cause: "one bit is flipped: bit 3 of byte",
      .output { $0.flip(.of(.attentionOutput), byte: 1000, bit: 3) }),
    Fault(
      "the sign of a value", on("bert gpt2", .f32, .f16, .bf16), cause: "one bit is flipped: bit 7",
      .output { output in
        let role = RoleInstance.of(.feedForwardUp)
        let width = output.type(role).encoding == .f32 ? 4 : 2
        output.flip(role, byte: 500 * width + width - 1, bit: 7)
      }),
    Fault(
      "the last bit of a rounded value", on("bert llama-bias gpt2", .f16, .bf16, .folder),
      cause: "one bit is flipped: bit 0 of byte",
      .output { $0.flip(.of(.feedForwardUp), byte: 1000, bit: 0) }),
    Fault(
      "halves are rounded up", on("ties", .bf16, .folder), cause: "halves up instead",
      .conversion { $0.map(.of(.feedForwardUp)) { $0.nextUp } }),
    Fault(
      "halves are rounded away from zero", on("ties", .bf16, .folder),
      cause: "halves away from zero instead",
      .conversion { source in
        source.map(.of(.feedForwardUp)) { $0 < 0 ? $0.nextDown : $0.nextUp }
      }),
    Fault(
      "values are cut off instead of rounded", on("bert llama-bias gpt2", .bf16, .folder),
      cause: "towards zero instead",
      .conversion { source in
        source.map(.of(.feedForwardUp)) { Float(bitPattern: $0.bitPattern & 0xFFFF_0000) }
      }),
    Fault(
      "values are rounded to BF16 first", on("bert llama-bias gpt2", .f32, .f16),
      cause: "rounded to BF16 first",
      .conversion { source in
        source.map(.of(.feedForwardUp)) { Float(FloatFormat.bf16.rounding(Double($0))) }
      }),
    Fault(
      "subnormal values become zero", on("small", .f16), cause: "subnormal values are zero",
      .conversion { source in
        source.map(.of(.feedForwardUp)) { $0.magnitude < 0x1p-14 ? 0 : $0 }
      }),
    Fault(
      "values overflow", on("bert llama-bias qwen2", .f16), cause: "overflow F16",
      .output { output in
        let places = output[.of(.feedForwardUp)].indices.filter { $0 % 64 == 1 }
        // Infinity of the sign that is there.
        for place in places {
          output[.of(.feedForwardUp)][place] |= 0x7C
          output[.of(.feedForwardUp)][place] &= 0xFC
          output[.of(.feedForwardUp)][place - 1] = 0
        }
      }),
    Fault(
      "a value is not a number", on("bert gpt2", .f32, .f16, .bf16, .folder), cause: nil,
      .output { output in
        let role = RoleInstance.of(.attentionOutput)
        let width = output.type(role).encoding == .f32 ? 4 : 2
        for byte in 0..<width { output[role][100 * width + byte] = 0x7F }
        output[role][100 * width + width - 2] = 0xFF
      }),
    Fault(
      "the offset of a norm is missing", on("llama qwen2 mixtral", .bf16, .q8), cause: "plus -1",
      .output { $0.map(.of(.outputNorm, nil)) { $0 - 1 } }),
    Fault(
      "the offset of a norm is added", on("llama gpt2 qwen3moe", .bf16, .q8), cause: "plus 1",
      .output { $0.map(.of(.attentionNorm, 1)) { $0 + 1 } }),
    Fault(
      "a bias is negated", on("qwen2 bert gpt2", .bf16, .q8), cause: "are -1 times the source's",
      .output { $0.map(.of(.attentionOutput).bias(in: $0)) { -$0 } }),
    Fault(
      "the scale of attention is folded in",
      on("llama bert", .bf16, .q8, .folder) + on("wide-qwen2", .k4), cause: "times the source's",
      .conversion { $0.map(.of(.attentionQuery)) { $0 / 8 } }),
    Fault(
      "a scale is inverted", on("llama bert", .bf16, .q8, .folder), cause: "are 256 times",
      .conversion { $0.map(.of(.feedForwardUp)) { $0 * 256 } }),
    Fault(
      "values are a little too large", on("bert gpt2", .f32), cause: "1.0001 times",
      .output { $0.map(.of(.feedForwardUp)) { $0 * 1.0001 } }),
    Fault(
      "bytes of each value stand in the other order", on("bert llama", .f32, .f16, .bf16, .folder),
      cause: "bytes of each element are reversed",
      .output { output in
        let role = RoleInstance.of(.attentionOutput)
        let width = output.type(role).encoding == .f32 ? 4 : 2
        let old = output[role]
        output[role] = old.indices.map { old[$0 / width * width + width - 1 - $0 % width] }
      }),
    Fault(
      "the end of a tensor was not written",
      on("llama bert mixtral", .bf16, .q8, .folder) + on("wide-qwen2", .k4),
      cause: "rows from 25 on are zero",
      .output { $0.clear(.of(.attentionOutput, 1), fromRow: 25) }),
    Fault(
      "a tensor was not written", on("llama bert gpt2", .bf16, .q8, .folder),
      cause: "the tensor is zero",
      .output { $0.clear(.of(.attentionOutput), fromRow: 0) }),
    Fault(
      "a row of another layer", on("llama gpt2", .bf16, .q8, .folder), cause: nil,
      .output { output in
        let role = RoleInstance.of(.feedForwardUp)
        let length = output[role].count / output.rowCount(role)
        output[role].replaceSubrange(
          5 * length..<6 * length,
          with: output[.of(.feedForwardUp, 1)][5 * length..<6 * length])
      }),
  ]
}

extension RoleInstance {
  /// Its bias, or that of keys where it has none.
  fileprivate func bias(in checkpoint: EditedCheckpoint) -> RoleInstance {
    checkpoint.has(bias) ? bias : RoleInstance.of(.attentionKey).bias
  }
}
