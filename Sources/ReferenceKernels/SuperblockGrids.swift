import TensorTypes

/// The block types of 256 elements whose groups have small scales under one large one.
let superblockGrids: [ScalarGrid] = [
  ScalarGrid("q2_k", group: 16, levels: integers(from: 0, count: 4), hasOffset: true) {
    block, out in
    let scale = block.half(80)
    let least = block.half(82)
    for group in 0..<16 {
      out.scales[group] = scale * Float(block.byte(group) & 15)
      out.offsets[group] = -(least * Float(block.byte(group) >> 4))
    }
    readCrumbs(block + 16, out.codes)
  },
  ScalarGrid("q3_k", group: 16, levels: integers(from: -4, count: 8)) { block, out in
    let scale = block.half(108)
    for group in 0..<16 {
      let low = block.byte(96 + group % 8) >> UInt8(4 * (group / 8)) & 15
      let high = block.byte(104 + group % 4) >> UInt8(2 * (group / 4)) & 3
      out.scales[group] = scale * Float(Int(low | high << 4) - 32)
    }
    readCrumbs(block + 32, out.codes)
    for index in 0..<256 {
      out.codes[index] |= (block.byte(index % 32) >> UInt8(index / 32) & 1) << 2
    }
  },
  ScalarGrid("q4_k", group: 32, levels: integers(from: 0, count: 16), hasOffset: true) {
    block, out in
    readSixBitScales(block, out)
    readChunkedNibbles(block + 16, out.codes)
  },
  ScalarGrid("q5_k", group: 32, levels: integers(from: 0, count: 32), hasOffset: true) {
    block, out in
    readSixBitScales(block, out)
    readChunkedNibbles(block + 48, out.codes)
    for index in 0..<256 {
      out.codes[index] |= (block.byte(16 + index % 32) >> UInt8(index / 32) & 1) << 4
    }
  },
  ScalarGrid("q6_k", group: 16, levels: integers(from: -32, count: 64)) { block, out in
    let scale = block.half(208)
    for group in 0..<16 {
      out.scales[group] = scale * Float(Int8(bitPattern: block.byte(192 + group)))
    }
    for half in 0..<2 {
      for index in 0..<32 {
        let high = block.byte(128 + 32 * half + index)
        let first = block.byte(64 * half + index)
        let second = block.byte(64 * half + 32 + index)
        let codes = out.codes + 128 * half + index
        codes[0] = first & 15 | (high & 3) << 4
        codes[32] = second & 15 | (high >> 2 & 3) << 4
        codes[64] = first >> 4 | (high >> 4 & 3) << 4
        codes[96] = second >> 4 | (high >> 6) << 4
      }
    }
  },
  ScalarGrid("iq4_xs", group: 32, levels: nonlinear4) { block, out in
    let scale = block.half(0)
    let high = block.word(2)
    for group in 0..<8 {
      let low = block.byte(4 + group / 2) >> UInt8(4 * (group % 2)) & 15
      let top = UInt8(high >> UInt16(2 * group) & 3)
      out.scales[group] = scale * Float(Int(low | top << 4) - 32)
      readNibbles(block + 8 + 16 * group, out.codes + 32 * group)
    }
  },
  ScalarGrid("tq1_0", group: 256, levels: [-1, 0, 1]) { block, out in
    out.scales[0] = block.half(52)
    for index in 0..<256 {
      switch index {
      case ..<160: out.codes[index] = trit(block.byte(index % 32), index / 32)
      case ..<240: out.codes[index] = trit(block.byte(32 + index % 16), (index - 160) / 16)
      default: out.codes[index] = trit(block.byte(48 + index % 4), (index - 240) / 4)
      }
    }
  },
  ScalarGrid("tq2_0", group: 256, levels: integers(from: -1, count: 4)) { block, out in
    out.scales[0] = block.half(64)
    readCrumbs(block, out.codes)
  },
]

/// 64 bytes, of which each 32 hold 128 elements: 32 in the lowest two bits of each byte, the next
/// 32 in the two bits above, and so on.
private func readCrumbs(_ bytes: UnsafeRawPointer, _ codes: UnsafeMutablePointer<UInt8>) {
  for index in 0..<256 {
    let byte = bytes.byte(32 * (index / 128) + index % 32)
    codes[index] = byte >> UInt8(2 * (index % 128 / 32)) & 3
  }
}

/// 128 bytes, of which each 32 hold 32 elements in their low nibbles and then 32 in the high ones.
private func readChunkedNibbles(_ bytes: UnsafeRawPointer, _ codes: UnsafeMutablePointer<UInt8>) {
  for chunk in 0..<4 {
    for index in 0..<32 {
      let byte = bytes.byte(32 * chunk + index)
      codes[64 * chunk + index] = byte & 15
      codes[64 * chunk + 32 + index] = byte >> 4
    }
  }
}

/// Scale and minimum of eight groups, six bits each in 12 bytes, under two F16.
private func readSixBitScales(_ block: UnsafeRawPointer, _ out: ScalarBlock) {
  let scale = block.half(0)
  let least = block.half(2)
  for group in 0..<8 {
    let own = block.byte(4 + group % 4)
    let other = block.byte(8 + group % 4)
    let last = block.byte(12 + group % 4)
    let factor = group < 4 ? own & 63 : last & 15 | (own >> 6) << 4
    let minimum = group < 4 ? other & 63 : last >> 4 | (other >> 6) << 4
    out.scales[group] = scale * Float(factor)
    out.offsets[group] = -(least * Float(minimum))
  }
}

/// Digit `position` of a byte that holds five base-3 digits as a fraction of 256, first one most
/// significant.
private func trit(_ byte: UInt8, _ position: Int) -> UInt8 {
  let powers: (UInt8, UInt8, UInt8, UInt8, UInt8) = (1, 3, 9, 27, 81)
  let power =
    switch position {
    case 0: powers.0
    case 1: powers.1
    case 2: powers.2
    case 3: powers.3
    default: powers.4
    }
  return UInt8((UInt16(byte &* power) * 3) >> 8)
}
