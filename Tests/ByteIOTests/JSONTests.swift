import TensorTypes
import Testing

@testable import ByteIO

@Suite struct JSONTests {
  private func parse(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8)) }

  @Test func valuesKeepOrderAndSpelling() throws {
    let value = try parse(#" {"b": [1, -2.5e1, "x\u0041\ud83d\ude00", null, true], "a": {}} "#)
    #expect(value.object?.members.map(\.key) == ["b", "a"])
    #expect(
      value["b"]?.array
        == [.integer(1), .number(-25), .string("xA😀"), .null, .bool(true)])
  }

  @Test func equivalentSpellingsAreDifferentKeys() throws {
    #expect(try parse("{\"caf\u{e9}\":1,\"cafe\u{301}\":2}").object?.members.count == 2)
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "01", "+1", "1.",
    "1e", "\"\u{1}\"", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "nul", "NaN", "[1] 2",
    "\u{feff}1", "{'a':1}", "// x\n1", "\"abc",
  ])
  func malformedTextIsRefused(_ text: String) {
    #expect(throws: Failure.self) { try parse(text) }
  }

  @Test func nestingHasALimit() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(throws: Failure.self) { try parse(deep) }
    #expect(throws: Never.self) {
      try parse(String(repeating: "[", count: 64) + String(repeating: "]", count: 64))
    }
  }

  @Test func errorsNameTheByte() {
    let failure = #expect(throws: Failure.self) {
      var scanner = JSONScanner(Array("{\"a\" 1}".utf8), base: 8, file: "m.safetensors")
      try scanner.skipValue()
    }
    #expect(failure?.offset == 13)
    #expect(failure?.expected == "':'")
    #expect(failure?.found == "'1'")
  }

  @Test func countsAreWholeNumbers() throws {
    for (text, value) in [("0", 0), ("9223372036854775807", Int.max)] {
      var scanner = JSONScanner(Array(text.utf8))
      #expect(try scanner.count() == value)
    }
    for text in [
      "9223372036854775808", "18446744073709551616", "-1", "1.0", "1e0", "-0", "00", "x",
    ] {
      var scanner = JSONScanner(Array(text.utf8))
      #expect(throws: Failure.self, "\(text)") { try scanner.count() }
    }
  }

  @Test func truncatedAtEveryLengthIsAnError() {
    let text = Array(#"{"a":[1,{"b":"c\n"}],"d":false}"#.utf8)
    for length in 0..<text.count {
      #expect(throws: Failure.self) { try JSON(parsing: Array(text.prefix(length))) }
    }
  }
}

@Suite struct CursorTests {
  @Test func readsBothByteOrders() throws {
    let source = MemorySource(name: "m", bytes: [1, 2, 3, 4, 1, 2, 3, 4, 0x61])
    var cursor = Cursor(source, windowByteCount: 4)
    #expect(try cursor.read(UInt32.self) == 0x0403_0201)
    cursor.byteOrder = .big
    #expect(try cursor.read(UInt32.self) == 0x0102_0304)
    #expect(try cursor.readText(1) == "a")
    #expect(cursor.remaining == 0)
  }

  @Test func theEndIsAnErrorWithAPlace() {
    let source = MemorySource(name: "m", bytes: [1, 2, 3])
    let failure = #expect(throws: Failure.self) {
      var cursor = Cursor(source)
      _ = try cursor.read(UInt8.self)
      _ = try cursor.read(UInt32.self)
    }
    #expect(failure?.offset == 1)
    #expect(failure?.file == "m")
    for count in [Int.max, 4, -1] {
      #expect(throws: Failure.self) {
        var cursor = Cursor(source)
        _ = try cursor.readBytes(count)
      }
    }
  }
}
