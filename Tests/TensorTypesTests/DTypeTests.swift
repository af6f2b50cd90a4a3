import Testing

@testable import TensorTypes

@Suite struct DTypeTests {
  @Test func thereAreTwentyTwoInTheOrderOfTheWriter() {
    #expect(DType.allCases.count == 22)
    #expect(DType.allCases.sorted() == DType.allCases)
    #expect(DType.f64 > DType.f32)
    #expect(DType.bool < DType.f4)
  }

  @Test(arguments: [
    (DType.f4, 4), (.f6e2m3, 6), (.bool, 8), (.f8e4m3, 8), (.bf16, 16), (.f32, 32), (.c64, 64),
  ])
  func bitWidths(_ dtype: DType, _ bits: Int) {
    #expect(dtype.bitWidth == bits)
  }
}

@Suite struct TensorTypeTests {
  @Test func byteCountsFollowFromTheType() {
    #expect(TensorType(shape: [2, 3], encoding: .f32).byteCount == 24)
    #expect(TensorType(shape: [], encoding: .bf16).byteCount == 2)
    #expect(TensorType(shape: [3, 64], encoding: .q8_0).byteCount == 3 * 2 * 34)
    #expect(TensorType(shape: [4], encoding: .plain(.f6e2m3)).byteCount == 3)
    #expect(TensorType(shape: [0, 1 << 40], encoding: .f32).byteCount == 0)
  }

  @Test func whatDoesNotFitHasNoByteCount() {
    #expect(TensorType(shape: [3], encoding: .plain(.f4)).byteCount == nil)
    #expect(TensorType(shape: [2, 33], encoding: .q8_0).byteCount == nil)
    #expect(TensorType(shape: [1 << 62, 4], encoding: .f32).byteCount == nil)
    #expect(TensorType(shape: [1 << 62, 4, 0], encoding: .f32).byteCount == nil)
    #expect(TensorType(shape: [0, 1 << 62, 4], encoding: .f32).byteCount == nil)
  }

  @Test func tilesArePadded() {
    let nz = Layout.tiled(rows: 16, columns: 32)
    #expect(
      TensorType(shape: [17, 33], encoding: .plain(.i8), layout: nz).byteCount == 32 * 64)
  }
}

@Suite struct ByteStringTests {
  @Test func canonicallyEquivalentSpellingsAreTwoNames() {
    let composed = ByteString("caf\u{e9}")
    let decomposed = ByteString("cafe\u{301}")
    #expect(composed.text == decomposed.text)
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect((composed < decomposed) != (decomposed < composed))
  }

  @Test func controlCharactersAreEscapedWherePrinted() {
    #expect(ByteString("a\u{1b}[31m\nb").description == "a\\u{1b}[31m\\u{a}b")
  }

  @Test func badUTF8IsNoText() {
    #expect(ByteString(validating: [0x61, 0xFF]) == nil)
    #expect(ByteString(validating: [0x61, 0xC3, 0xA9]) == ByteString("aé"))
  }
}

@Suite struct FailureTests {
  @Test func textNamesFileSubjectByteExpectedAndFound() {
    let failure = Failure(
      .badInput, "the shape is wrong", file: "a.gguf", subject: .tensor("w"), offset: 12,
      expected: "4 bytes", found: "5")
    #expect(
      failure.description
        == "a.gguf: tensor 'w': at byte 12: the shape is wrong (expected 4 bytes, found 5)")
    #expect(Failure(.usage, "no").located(file: "f").description == "f: no")
  }
}
