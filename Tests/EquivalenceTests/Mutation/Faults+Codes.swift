import Architectures
import ReferenceKernels
import TensorTypes

@testable import Equivalence

extension Fault {
  /// Codes with scales beside them: wrong codes, wrong scales, and what else belongs to them.
  static let codes: [Fault] = [
    Fault(
      "codes: one bit of a code",
      on("qwen2 kimi", .w8a8, .w8a16, .fp8Rows, .mx8)
        + on("qwen2 wide-mixtral", .mx4, .fp8, .fixed),
      cause: "one bit is flipped: bit 2 of byte",
      .output { $0.flip(.of(.attentionOutput), byte: 77, bit: 2) }),
    Fault(
      "codes: one bit of a scale",
      on("qwen2 kimi", .w8a8, .w8a16, .fp8Rows) + on("wide-qwen2", .fp8),
      cause: "one bit is flipped: bit 1 of byte",
      .output { output in
        output[output.name(.of(.attentionOutput), output.scales)][1] ^= 2
      }),
    Fault(
      "codes: one bit of an exponent", on("qwen2 mixtral", .mx8, .mx4),
      cause: "one bit is flipped: bit 0 of byte",
      .output { output in
        output[output.name(.of(.attentionOutput), output.scales)][3] ^= 1
      }),
    Fault(
      "codes: scales of the neighbouring row", on("qwen2 kimi", .w8a8, .w8a16, .fp8Rows),
      cause: "elements are shifted: element 0 holds element 1",
      .output { output in
        let name = output.name(.of(.attentionOutput), output.scales)
        let count = output[name].count / 4
        output.move(name, count: count) { ($0 + 1) % count }
      }),
    Fault(
      "codes: scales of the neighbouring layer",
      on("qwen2 kimi", .w8a8, .fp8Rows, .mx8) + on("wide-qwen2", .fp8),
      cause: "of layer 1 instead of 0",
      .output { output in
        output[output.name(.of(.attentionOutput), output.scales)] =
          output[output.name(.of(.attentionOutput, 1), output.scales)]
      }),
    Fault(
      "codes: scales are inverted",
      on("qwen2 kimi", .w8a8, .w8a16, .fp8Rows) + on("wide-qwen2 deepseek-bf16", .fp8),
      cause: "scales are inverted",
      .output { $0.mapFloats($0.name(.of(.attentionOutput), $0.scales)) { 1 / $0 } }),
    Fault(
      "codes: exponents have the other sign", on("qwen2 mixtral", .mx8, .mx4),
      cause: "scales are inverted",
      .output { output in
        let name = output.name(.of(.attentionOutput), output.scales)
        output[name] = output[name].map { 254 - $0 }
      }),
    Fault(
      "codes: exponents are rounded up", on("qwen2 mixtral", .mx8, .mx4), cause: "plus 1",
      .output { output in
        let name = output.name(.of(.attentionOutput), output.scales)
        output[name] = output[name].map { $0 + 1 }
      }),
    Fault(
      "codes: scales of blocks along the wrong axis", on("wide-qwen2 wide-llama", .fp8),
      cause: "transposed", .output { $0.transposeScales(.of(.attentionOutput)) }),
    Fault(
      "codes: the last, partial block has the scale of a whole one", on("deepseek-bf16", .fp8),
      cause: nil,
      .output { output in
        let name = output.name(.of(.attentionKeyValueDown), output.scales)
        for place in 8..<16 { output[name][place] = output[name][place - 8] }
      }),
    Fault(
      "codes: rows beyond the last whole block are left as codes of 1", on("deepseek-bf16", .fp8),
      cause: nil,
      .output { output in
        let role = RoleInstance.of(.attentionKeyValueDown)
        let length = output[role].count / output.rowCount(role)
        for place in 128 * length..<output[role].count { output[role][place] = 0x38 }
      }),
    Fault(
      "codes: scales are a little too large", on("qwen2 kimi", .w8a8, .fp8Rows),
      cause: "times the source's",
      .output { $0.mapFloats($0.name(.of(.attentionOutput), $0.scales)) { $0 * 1.01 } }),
    Fault(
      "codes: scales are rounded to BF16", on("qwen2 kimi", .w8a8, .w8a16) + on("qwen2", .fp8),
      cause: "rounded to BF16 first",
      .output { output in
        output.mapFloats(output.name(.of(.attentionOutput), output.scales)) {
          Float(FloatFormat.bf16.rounding(Double($0)))
        }
      }),
    Fault(
      "codes: halves are rounded up", on("between", .w8a8, .w8a16, .fixed),
      cause: "halves up instead",
      .conversion { $0.map(.of(.feedForwardUp)) { $0 > 0.9 ? $0 : $0.nextUp } }),
    Fault(
      "codes: halves are rounded away from zero", on("between", .w8a8, .w8a16, .fixed),
      cause: "halves away from zero instead",
      .conversion { source in
        source.map(.of(.feedForwardUp)) { $0 > 0.9 ? $0 : $0 < 0 ? $0.nextDown : $0.nextUp }
      }),
    Fault(
      "codes: codes are cut off", on("between", .w8a8, .w8a16, .fixed),
      cause: "towards zero instead",
      .conversion { source in
        source.map(.of(.feedForwardUp)) { $0 > 0.9 ? $0 : ($0 * 128).rounded(.towardZero) / 128 }
      }),
    Fault(
      "codes: values are rounded to BF16 first", on("llama-bias", .w8a8, .fp8Rows, .fixed),
      cause: "rounded to BF16 before they are quantized",
      .conversion { source in
        source.map(.of(.feedForwardUp)) { Float(FloatFormat.bf16.rounding(Double($0))) }
      }),
    Fault(
      "codes: every code is one too large", on("qwen2 kimi", .w8a8, .w8a16), cause: nil,
      .output { $0.mapCodes(.of(.attentionOutput)) { $0 == 127 ? $0 : $0 + 1 } }),
    Fault(
      "codes: codes are negated", on("qwen2 kimi", .w8a8, .w8a16), cause: "are -1 times",
      .output { $0.mapCodes(.of(.attentionOutput)) { -$0 } }),
    Fault(
      "codes: a matrix is transposed", on("qwen2 kimi", .w8a8, .fp8Rows), cause: "transposed",
      .output { $0.transpose(.of(.attentionOutput)) }),
    Fault(
      "codes: nibbles are exchanged", on("qwen2 mixtral", .mx4), cause: "nibbles of each byte",
      .output { output in
        output[.of(.attentionOutput)] = output[.of(.attentionOutput)].map { $0 << 4 | $0 >> 4 }
      }),
    Fault(
      "codes: one bit of a code of four bits", on("mixtral kimi", .w4a8),
      cause: "one bit is flipped: bit 5 of byte",
      .output { $0.flip(.of(.expertUp, 1, expert: 1), byte: 77, bit: 5) }),
    Fault(
      "codes: nibbles of experts are exchanged", on("mixtral kimi", .w4a8),
      cause: "nibbles of each byte",
      .output { output in
        let role = RoleInstance.of(.expertDown, 1, expert: 2)
        output[role] = output[role].map { $0 << 4 | $0 >> 4 }
      }),
    Fault(
      "codes: scales of four bits of another expert", on("mixtral kimi", .w4a8), cause: nil,
      .output { output in
        output[output.name(.of(.expertUp, 1, expert: 0), "weight_scale")] =
          output[output.name(.of(.expertUp, 1, expert: 3), "weight_scale")]
      }),
    Fault(
      "codes: sums of another expert", on("mixtral kimi", .w4a8), cause: "it holds",
      .output { output in
        output[output.name(.of(.expertUp, 1, expert: 0), "scale_bias")] =
          output[output.name(.of(.expertUp, 1, expert: 3), "scale_bias")]
      }),
    Fault(
      "codes: sums without their factor", on("mixtral kimi", .w4a8), cause: "0.125 times",
      .output { output in
        output.mapFloats(output.name(.of(.expertDown, 1, expert: 1), "scale_bias")) { $0 / 8 }
      }),
    Fault(
      "codes: the zero point is not zero", on("qwen2 kimi", .w8a8, .w8a16, .fp8Rows), cause: nil,
      .output { output in
        output.mapFloats(output.name(.of(.attentionOutput), "weight_offset")) { _ in 1 }
      }),
    Fault(
      "codes: the bias is not adjusted for the offset of inputs", on("qwen2 llama-bias", .fixed),
      cause: "the offset of inputs is left out", .output { $0.leaveOutOffset(.of(.attentionKey)) }),
    Fault(
      "codes: the bias is left out", on("qwen2 llama-bias", .fixed), cause: nil,
      .conversion { $0.map(.of(.attentionKey).bias) { _ in 0 } }),
    Fault(
      "codes: one bit of deq_scale", on("qwen2 qwen2-untied-f16", .fixed),
      cause: "one bit is flipped: bit 4 of byte",
      .output { $0[$0.name(.of(.attentionKey), "deq_scale")][2] ^= 16 }),
    Fault(
      "codes: deq_scale is the weight's scale", on("qwen2 llama-bias", .fixed),
      cause: "times the source's",
      .output { output in
        let scale = output[floats: output.name(.of(.attentionKey), "input_scale")][0]
        output.mapFloats(output.name(.of(.attentionKey), "deq_scale")) { $0 / scale }
      }),
  ]
}

extension EditedCheckpoint {
  /// What the tensors of scales are called.
  fileprivate var scales: String {
    tensors.contains { $0.name.hasSuffix("weight_scale_inv") } ? "weight_scale_inv" : "weight_scale"
  }

  fileprivate mutating func transposeScales(_ role: RoleInstance) {
    let name = name(role, scales)
    let axes = tensors[position(name)].type.shape.axes
    let old = self[floats: name]
    self[floats: name] = (0..<old.count).map { $0 % axes[0] * axes[1] + $0 / axes[0] }
      .map { old[$0] }
  }

  /// Takes out of a bias what the offset of inputs adds to it.
  fileprivate mutating func leaveOutOffset(_ role: RoleInstance) {
    let offset = Int(self[floats: name(role, "input_offset")][0])
    let codes = self[role].map { Int(Int8(bitPattern: $0)) }
    let length = codes.count / rowCount(role)
    let name = name(role, "quant_bias")
    for row in 0..<codes.count / length {
      let sum = codes[row * length..<(row + 1) * length].reduce(0, +)
      let old = (0..<4).reduce(UInt32(0)) {
        $0 | UInt32(self[name][4 * row + $1]) << UInt32(8 * $1)
      }
      let bits = UInt32(bitPattern: Int32(bitPattern: old) + Int32(offset * sum))
      for byte in 0..<4 { self[name][4 * row + byte] = UInt8(bits >> UInt32(8 * byte) & 255) }
    }
  }
}
