import TensorTypes

/// The block types with one scale, or a few, in full.
let simpleGrids: [ScalarGrid] = [
  ScalarGrid("q4_0", group: 32, levels: integers(from: -8, count: 16)) { block, out in
    out.scales[0] = block.half(0)
    readNibbles(block + 2, out.codes)
  },
  ScalarGrid("q4_1", group: 32, levels: integers(from: 0, count: 16), hasOffset: true) {
    block, out in
    out.scales[0] = block.half(0)
    out.offsets[0] = block.half(2)
    readNibbles(block + 4, out.codes)
  },
  ScalarGrid("q5_0", group: 32, levels: integers(from: -16, count: 32)) { block, out in
    out.scales[0] = block.half(0)
    readNibbles(block + 6, out.codes)
    addFifthBits(block.long(2), out.codes)
  },
  ScalarGrid("q5_1", group: 32, levels: integers(from: 0, count: 32), hasOffset: true) {
    block, out in
    out.scales[0] = block.half(0)
    out.offsets[0] = block.half(2)
    readNibbles(block + 8, out.codes)
    addFifthBits(block.long(4), out.codes)
  },
  ScalarGrid("q8_0", group: 32, levels: integers(from: -128, count: 256)) { block, out in
    out.scales[0] = block.half(0)
    readSigned(block + 2, out.codes, count: 32)
  },
  ScalarGrid("q8_1", group: 32, levels: integers(from: -128, count: 256)) { block, out in
    out.scales[0] = block.half(0)
    readSigned(block + 4, out.codes, count: 32)
  },
  ScalarGrid("q8_k", group: 256, levels: integers(from: -128, count: 256)) { block, out in
    out.scales[0] = Float(bitPattern: block.long(0))
    readSigned(block + 4, out.codes, count: 256)
  },
  ScalarGrid("q1_0", group: 128, levels: [-1, 1]) { block, out in
    out.scales[0] = block.half(0)
    for index in 0..<128 { out.codes[index] = block.byte(2 + index / 8) >> UInt8(index % 8) & 1 }
  },
  ScalarGrid("q2_0", group: 64, levels: integers(from: -1, count: 4)) { block, out in
    out.scales[0] = block.half(0)
    for index in 0..<64 {
      out.codes[index] = block.byte(2 + index / 4) >> UInt8(2 * (index % 4)) & 3
    }
  },
  ScalarGrid("iq4_nl", group: 32, levels: nonlinear4) { block, out in
    out.scales[0] = block.half(0)
    readNibbles(block + 2, out.codes)
  },
  ScalarGrid("mxfp4", group: 32, levels: doubledF4) { block, out in
    let exponent = Int(block.byte(0)) - 128
    out.scales[0] = Float(Double(sign: .plus, exponent: exponent, significand: 1))
    readNibbles(block + 1, out.codes)
  },
  ScalarGrid("nvfp4", group: 16, levels: doubledF4) { block, out in
    for group in 0..<4 {
      let code = block.byte(group)
      let isZero = code == 0 || code == 0x7F
      out.scales[group] = isZero ? 0 : Float(unsignedE4M3.value(of: UInt64(code & 0x7F))) * 0.5
      for index in 0..<8 {
        let byte = block.byte(4 + 8 * group + index)
        out.codes[16 * group + index] = byte & 15
        out.codes[16 * group + 8 + index] = byte >> 4
      }
    }
  },
]

/// The sixteen levels of IQ4_NL and IQ4_XS.
let nonlinear4: [Float] = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
]

/// Twice the values of the codes of F4, as MXFP4 and NVFP4 take them with halved scales; whole
/// numbers, so without a negative zero.
let doubledF4: [Float] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]

private let unsignedE4M3 = FloatFormat(
  exponentBitWidth: 4, fractionBitWidth: 3, specials: .none)

/// Consecutive whole numbers.
func integers(from first: Int, count: Int) -> [Float] {
  (first..<first + count).map { Float($0) }
}

/// 16 bytes hold elements 0 to 15 in their low nibbles and 16 to 31 in their high ones.
func readNibbles(_ bytes: UnsafeRawPointer, _ codes: UnsafeMutablePointer<UInt8>) {
  for index in 0..<16 {
    codes[index] = bytes.byte(index) & 15
    codes[index + 16] = bytes.byte(index) >> 4
  }
}

private func addFifthBits(_ bits: UInt32, _ codes: UnsafeMutablePointer<UInt8>) {
  for index in 0..<32 { codes[index] |= UInt8(bits >> UInt32(index) & 1) << 4 }
}

/// Signed bytes as codes from 0 for −128.
private func readSigned(
  _ bytes: UnsafeRawPointer, _ codes: UnsafeMutablePointer<UInt8>, count: Int
) {
  for index in 0..<count { codes[index] = bytes.byte(index) ^ 0x80 }
}
