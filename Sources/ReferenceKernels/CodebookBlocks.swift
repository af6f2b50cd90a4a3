import TensorTypes

/// The block types whose codes stand for four or eight elements at once.
let codebookDecoders: [BlockDecoder] = [
  codebook("iq2_xxs") { block, values in
    let scale = block.half(0)
    for group in 0..<8 {
      let signs = block.long(2 + 8 * group + 4)
      let factor = scale * (0.5 + Float(signs >> 28)) * 0.25
      for part in 0..<4 {
        write(
          Codebooks.iq2XXS, Int(block.byte(2 + 8 * group + part)), count: 8,
          times: factor, signs: evenSigns(signs >> UInt32(7 * part)),
          to: values + 32 * group + 8 * part)
      }
    }
  },
  codebook("iq2_xs") { block, values in
    let scale = block.half(0)
    for part in 0..<32 {
      let code = block.word(2 + 2 * part)
      let small = block.byte(66 + part / 4) >> UInt8(part % 4 / 2 * 4) & 15
      write(
        Codebooks.iq2XS, Int(code & 511), count: 8, times: scale * (0.5 + Float(small)) * 0.25,
        signs: evenSigns(UInt32(code >> 9)), to: values + 8 * part)
    }
  },
  codebook("iq2_s") { block, values in
    let scale = block.half(0)
    for part in 0..<32 {
      let high = Int(block.byte(66 + part / 4)) >> (2 * (part % 4)) & 3
      let small = block.byte(74 + part / 4) >> UInt8(part % 4 / 2 * 4) & 15
      write(
        Codebooks.iq2S, Int(block.byte(2 + part)) | high << 8, count: 8,
        times: scale * (0.5 + Float(small)) * 0.25, signs: block.byte(34 + part),
        to: values + 8 * part)
    }
  },
  codebook("iq3_xxs") { block, values in
    let scale = block.half(0)
    for group in 0..<8 {
      let signs = block.long(66 + 4 * group)
      let factor = scale * (0.5 + Float(signs >> 28)) * 0.5
      for part in 0..<8 {
        let pair = evenSigns(signs >> UInt32(7 * (part / 2)))
        write(
          Codebooks.iq3XXS, Int(block.byte(2 + 8 * group + part)), count: 4, times: factor,
          signs: pair >> UInt8(part % 2 * 4), to: values + 32 * group + 4 * part)
      }
    }
  },
  codebook("iq3_s") { block, values in
    let scale = block.half(0)
    for group in 0..<8 {
      let small = block.byte(106 + group / 2) >> UInt8(group % 2 * 4) & 15
      let factor = scale * (1 + 2 * Float(small))
      for part in 0..<8 {
        let high = Int(block.byte(66 + group) >> UInt8(part) & 1)
        let signs = block.byte(74 + 4 * group + part / 2)
        write(
          Codebooks.iq3S, Int(block.byte(2 + 8 * group + part)) | high << 8, count: 4,
          times: factor, signs: signs >> UInt8(part % 2 * 4), to: values + 32 * group + 4 * part)
      }
    }
  },
  codebook("iq1_s") { block, values in
    let scale = block.half(0)
    for group in 0..<8 {
      let bits = block.word(34 + 2 * group)
      let factor = scale * Float(2 * (bits >> 12 & 7) + 1)
      let shift: Float = bits & 0x8000 != 0 ? -0.125 : 0.125
      for part in 0..<4 {
        let high = Int(bits >> UInt16(3 * part) & 7)
        write(
          Int(block.byte(2 + 4 * group + part)) | high << 8, shiftedBy: shift, times: factor,
          to: values + 32 * group + 8 * part)
      }
    }
  },
  codebook("iq1_m") { block, values in
    // The large scale stands in the top four bits of the four words of small scales.
    let scale = half(
      block.word(48) >> 12 | block.word(50) >> 8 & 0xF0 | block.word(52) >> 4 & 0xF00
        | block.word(54) & 0xF000)
    for part in 0..<32 {
      let group = part / 2
      let small = block.word(48 + group / 4 * 2) >> UInt16(3 * (group % 4)) & 7
      let bits = block.byte(32 + group) >> UInt8(part % 2 * 4)
      write(
        Int(block.byte(part)) | Int(bits & 7) << 8, shiftedBy: bits & 8 != 0 ? -0.125 : 0.125,
        times: scale * Float(2 * small + 1), to: values + 8 * part)
    }
  },
]

private func codebook(
  _ name: String,
  _ decode: @escaping @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void
) -> BlockDecoder {
  // The names above are those of the table.
  BlockDecoder(type: BlockType(named: name)!, kind: .codebook(decode))
}

/// Seven signs and the one that makes the number of negative ones even.
private func evenSigns(_ bits: UInt32) -> UInt8 {
  let seven = UInt8(bits & 127)
  return seven | UInt8(seven.nonzeroBitCount & 1) << 7
}

/// One point of a codebook of magnitudes, with signs.
private func write(
  _ book: [Float], _ point: Int, count: Int, times factor: Float, signs: UInt8,
  to values: UnsafeMutablePointer<Float>
) {
  for index in 0..<count {
    let magnitude = factor * book[point * count + index]
    values[index] = signs >> UInt8(index) & 1 == 1 ? -magnitude : magnitude
  }
}

/// One point of the codebook of IQ1, whose components are −1, 0 and 1, moved by a shift.
private func write(
  _ point: Int, shiftedBy shift: Float, times factor: Float,
  to values: UnsafeMutablePointer<Float>
) {
  for index in 0..<8 { values[index] = factor * (Codebooks.iq1S[8 * point + index] + shift) }
}
