import Architectures
import TensorTypes

@testable import Equivalence

extension Fault {
  /// Blocks whose scales, offsets or codes are wrong.
  static let blocks: [Fault] = [
    Fault(
      "one bit of a code", on("llama bert gpt2 mixtral", .q8), cause: "one bit is flipped: bit 1",
      .output { $0.flip(.of(.attentionOutput), byte: 34 * 5 + 9, bit: 1) }),
    Fault(
      "one bit of a scale", on("llama bert gpt2 mixtral", .q8), cause: "one bit is flipped: bit 5",
      .output { $0.flip(.of(.attentionOutput), byte: 34 * 5, bit: 5) }),
    Fault(
      "one bit of a code of a super-block", on("wide-llama wide-qwen2", .k4),
      cause: "one bit is flipped: bit 3",
      .output { $0.flip(.of(.feedForwardUp), byte: 144 * 7 + 40, bit: 3) }),
    Fault(
      "one bit of a super-block's scale", on("wide-llama wide-qwen2", .k4),
      cause: "one bit is flipped: bit 2",
      .output { $0.flip(.of(.feedForwardUp), byte: 144 * 7 + 1, bit: 2) }),
    Fault(
      "one bit of a group's scale", on("wide-llama wide-qwen2", .k4),
      cause: "one bit is flipped: bit 5",
      .output { $0.flip(.of(.feedForwardUp), byte: 144 * 7 + 4, bit: 5) }),
    Fault(
      "the scale of a block overflows", on("llama qwen2 bert", .q8),
      cause: "the scale of a block overflows",
      .output { output in
        output.mapBlocks(.of(.attentionOutput)) { block, number in
          if number == 3 { block.replaceSubrange(0..<2, with: [0x00, 0x7C]) }
        }
      }),
    Fault(
      "every code is one too large", on("llama bert", .q8), cause: nil,
      .output { output in
        output.mapBlocks(.of(.attentionOutput)) { block, _ in
          for place in 2..<34 where block[place] != 127 { block[place] &+= 1 }
        }
      }),
    Fault(
      "scales are a little too large", on("llama bert", .q8), cause: nil,
      .output { output in
        output.mapBlocks(.of(.attentionOutput)) { block, _ in
          let scale = (UInt16(block[0]) | UInt16(block[1]) << 8) + 40
          block.replaceSubrange(0..<2, with: [UInt8(scale & 0xFF), UInt8(scale >> 8)])
        }
      }),
    Fault(
      "scales are inverted", on("wide-llama llama bert", .q8), cause: "scales are inverted",
      .output { output in
        output.mapBlocks(.of(.attentionOutput)) { block, _ in
          let scale = halfValue(UInt16(block[0]) | UInt16(block[1]) << 8)
          let inverse = half(1 / scale)
          block.replaceSubrange(0..<2, with: [UInt8(inverse & 0xFF), UInt8(inverse >> 8)])
        }
      }),
    Fault(
      "scales of the neighbouring block", on("wide-llama wide-qwen2 wide-mixtral", .q8),
      cause: "the scales of blocks are those of others or wrong",
      .output { $0.moveScales(.of(.attentionOutput)) { $0 / 8 * 8 + ($0 + 1) % 8 } }),
    Fault(
      "scales along the wrong axis", on("wide-llama wide-qwen2", .q8),
      cause: "the scales of blocks are those of others or wrong",
      .output { $0.moveScales(.of(.attentionOutput)) { $0 % 256 * 8 + $0 / 256 } }),
    Fault(
      "scales of the neighbouring layer", on("wide-llama wide-qwen2", .q8),
      cause: "the scales of blocks are those of others or wrong",
      .output { $0.moveScales(.of(.attentionOutput), from: .of(.attentionOutput, 1)) { $0 } }),
    Fault(
      "the last, partial block of 128 has the scale of a whole one",
      on("wide-llama wide-qwen2", .q8), cause: "the scales of blocks are those of others or wrong",
      .output { $0.moveScales(.of(.attentionOutput)) { $0 % 8 < 5 ? $0 : $0 / 8 * 8 } }),
    Fault(
      "nibbles are exchanged", on("llama qwen2 bert", .q4),
      cause: "nibbles of each byte are exchanged",
      .output { output in
        output.mapBlocks(.of(.attentionOutput)) { block, _ in
          for place in 2..<18 { block[place] = block[place] << 4 | block[place] >> 4 }
        }
      }),
    Fault(
      "nibbles of super-blocks are exchanged", on("wide-llama wide-qwen2", .k4),
      cause: "nibbles of each byte are exchanged",
      .output { output in
        output.mapBlocks(.of(.feedForwardUp)) { block, _ in
          for place in 16..<144 { block[place] = block[place] << 4 | block[place] >> 4 }
        }
      }),
    Fault(
      "the zero point has the wrong sign", on("llama qwen2 bert", .q41),
      cause: "the offsets of blocks have the wrong sign",
      .output { $0.mapBlocks(.of(.attentionOutput)) { block, _ in block[3] ^= 0x80 } }),
    Fault(
      "the zero point of super-blocks has the wrong sign", on("wide-llama wide-qwen2", .k4),
      cause: "the offsets of blocks have the wrong sign",
      .output { $0.mapBlocks(.of(.feedForwardUp)) { block, _ in block[3] ^= 0x80 } }),
    Fault(
      "the zero point is left out", on("wide-llama wide-qwen2", .k4),
      cause: "the offsets of blocks are missing",
      .output { output in
        output.mapBlocks(.of(.feedForwardUp)) { block, _ in
          block.replaceSubrange(2..<4, with: [0, 0])
        }
      }),
    Fault(
      "upper bits of codes are left out", on("wide-llama wide-qwen2", .k4), cause: nil,
      .output { output in
        output.mapBlocks(.of(.output(in: output), nil)) { block, _ in
          for place in 128..<192 { block[place] = 0 }
        }
      }),
    Fault(
      "blocks of another type's encoder", on("llama qwen2 bert", .q8), cause: "another revision",
      .output { output in
        output.mapBlocks(.of(.attentionOutput)) { block, _ in
          // The codes of four bits, spread.
          for place in 2..<34 {
            let code = (Float(Int8(bitPattern: block[place])) / 16).rounded() * 16
            block[place] = UInt8(bitPattern: Int8(max(-127, min(127, code))))
          }
        }
      }),
  ]
}

extension Role {
  /// The head, or the embedding where it is tied.
  fileprivate static func output(in checkpoint: EditedCheckpoint) -> Role {
    checkpoint.has(.of(.output, nil)) ? .output : .tokenEmbedding
  }
}
