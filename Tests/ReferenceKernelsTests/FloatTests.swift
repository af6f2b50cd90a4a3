import TensorTypes
import Testing

@testable import ReferenceKernels

@Suite struct FloatFormatTests {
  @Test func roundingToF32IsSwifts() {
    var random = SplitMix(seed: 1)
    for _ in 0..<20_000 {
      let x = Double(bitPattern: random.next())
      let near =
        Double(sign: .plus, exponent: Int(random.next() % 300) - 160, significand: 1)
        * x
        .significand
      for value in [x, near] where !value.isNaN {
        #expect(FloatFormat.f32.rounding(value).bitPattern == Double(Float(value)).bitPattern)
      }
    }
  }

  @Test func roundingToBF16IsTheFormulaOfTheReference() {
    var random = SplitMix(seed: 2)
    for _ in 0..<20_000 {
      let bits = UInt32(truncatingIfNeeded: random.next())
      let value = Float(bitPattern: bits)
      guard !value.isNaN else { continue }
      let rounded = (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000
      #expect(
        FloatFormat.bf16.rounding(Double(value)) == Double(Float(bitPattern: rounded)), "\(value)")
    }
  }

  /// Between two neighbours, everything below the middle goes down, everything above goes up, and
  /// the middle goes to the one with the even code.
  @Test func roundingToF16GoesToTheNearer() {
    for code in UInt64(0)..<0x7BFF {
      let low = FloatFormat.f16.value(of: code)
      let high = FloatFormat.f16.value(of: code + 1)
      let middle = (low + high) / 2
      #expect(FloatFormat.f16.rounding(low) == low)
      #expect(FloatFormat.f16.rounding(middle.nextDown) == low)
      #expect(FloatFormat.f16.rounding(middle.nextUp) == high)
      #expect(FloatFormat.f16.rounding(-middle) == -(code % 2 == 0 ? low : high))
      #expect(FloatFormat.f16.ordinal(low) == Int(code))
      #expect(FloatFormat.f16.ordinal(-low) == -Int(code))
    }
    #expect(FloatFormat.f16.rounding(65519.99) == 65504)
    #expect(FloatFormat.f16.rounding(65520) == .infinity)
    #expect(FloatFormat.f16.rounding(-1e300) == -.infinity)
    #expect(FloatFormat.f16.ordinal(.infinity) == 0x7C00)
    #expect(FloatFormat.f16.rounding(-1e-300).sign == .minus)
    #expect(FloatFormat.f16.rounding(.nan).isNaN)
  }

  @Test func narrowFloatsHaveTheirPublishedExtremes() throws {
    let rows: [(DType, UInt64, Double)] = [
      (.f4, 7, 6), (.f4, 8, 0), (.f4, 9, -0.5), (.f6e2m3, 31, 7.5), (.f6e3m2, 31, 28),
      (.f8e4m3, 0x7E, 448), (.f8e4m3, 1, 0x1p-9), (.f8e5m2, 0x7B, 57344),
      (.f8e5m2, 0xFC, -.infinity), (.f8e4m3fnuz, 0x7F, 240), (.f8e5m2fnuz, 0x7F, 57344),
      (.f8e4m3fnuz, 1, 0x1p-10), (.f8e5m2fnuz, 1, 0x1p-17),
    ]
    for (dtype, code, value) in rows {
      #expect(try #require(FloatFormat(dtype)).value(of: code) == value, "\(dtype) \(code)")
    }
    for (dtype, code) in [
      (DType.f8e4m3, UInt64(0xFF)), (.f8e5m2, 0x7D), (.f8e4m3fnuz, 0x80), (.f8e5m2fnuz, 0x80),
    ] {
      #expect(try #require(FloatFormat(dtype)).value(of: code).isNaN)
    }
  }
}

@Suite struct PlainDecodingTests {
  private func values(_ dtype: DType, _ bytes: [UInt8], _ count: Int) -> [Double] {
    Cell(.plain(dtype)).values(ofPacked: bytes, elementCount: count)
  }

  @Test func everyDTypeDecodes() {
    #expect(values(.bool, [0, 1], 2) == [0, 1])
    #expect(values(.u8, [255], 1) == [255])
    #expect(values(.i8, [255], 1) == [-1])
    #expect(values(.i16, [0xFE, 0xFF], 1) == [-2])
    #expect(values(.u16, [0xFE, 0xFF], 1) == [65534])
    #expect(values(.i32, [0, 0, 0, 0x80], 1) == [-0x1p31])
    #expect(values(.u32, [0, 0, 0, 0x80], 1) == [0x1p31])
    #expect(values(.i64, [0, 0, 0, 0, 0, 0, 0, 0x80], 1) == [-0x1p63])
    #expect(values(.u64, [0, 0, 0, 0, 0, 0, 0, 0x80], 1) == [0x1p63])
    #expect(values(.f16, [0x00, 0xC0, 0x01, 0x00], 2) == [-2, 0x1p-24])
    #expect(values(.bf16, [0x80, 0x3F, 0x01, 0x00], 2) == [1, 0x1p-133])
    #expect(values(.f32, [0, 0, 0x80, 0x3F], 1) == [1])
    #expect(values(.f64, [0, 0, 0, 0, 0, 0, 0xF0, 0x3F], 1) == [1])
    #expect(values(.c64, [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0], 1) == [1, -2])
    #expect(values(.f8e8m0, [0, 127, 254], 3) == [0x1p-127, 1, 0x1p127])
    #expect(values(.f8e8m0, [255], 1)[0].isNaN)
    #expect(values(.f8e4m3, [0x7E, 0x81], 2) == [448, -0x1p-9])
    #expect(values(.f8e5m2, [0x7B], 1) == [57344])
    #expect(values(.f8e4m3fnuz, [0x7F], 1) == [240])
    #expect(values(.f8e5m2fnuz, [0x7F], 1) == [57344])
  }

  @Test func halvesAgreeWithTheirDefinition() {
    for code in UInt16.min...UInt16.max {
      let value = Double(half(code))
      let expected = FloatFormat.f16.value(of: UInt64(code))
      #expect(value.isNaN == expected.isNaN && (value.isNaN || value == expected))
    }
  }

  @Test func narrowElementsArePackedFromTheLowestBits() {
    #expect(values(.f4, [0x21, 0xF7], 4) == [0.5, 1, 6, -6])
    // Codes 1, 2, 3, 32 of six bits: 000001 000010 000011 100000 from the lowest bit on.
    let bits = 1 | 2 << 6 | 3 << 12 | 32 << 18
    let bytes = [0, 8, 16].map { UInt8(truncatingIfNeeded: bits >> $0) }
    #expect(values(.f6e2m3, bytes, 4) == [0.125, 0.25, 0.375, 0])
    #expect(values(.f6e3m2, bytes, 4) == [0.0625, 0.125, 0.1875, 0])
  }
}

/// Random numbers that depend on nothing but the seed.
struct SplitMix {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
