import Testing

@testable import Accelerators

@Suite struct YAMLReaderTests {
  private func read(_ text: String) -> (values: YAML, unreadable: [String]) {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if text.hasSuffix("\n") { lines.removeLast() }
    let (values, unreadable) = YAMLReader.topLevel(lines)
    return (values, unreadable.map(\.key))
  }

  /// Texts with the value of their key `k`.
  static let readable: [(String, YAML)] = [
    ("k: v", .text("v")), ("k:   v  ", .text("v")), ("k: v # c", .text("v")),
    ("k: v#c", .text("v#c")), ("k: http://x", .text("http://x")), ("\"k\": v", .text("v")),
    ("'k': v", .text("v")), ("k: \"\"", .text("")), ("k: 'a''b'", .text("a'b")),
    ("k: \"a\\tb\\x41\\u00e9\\\"\"", .text("a\tbA\u{e9}\"")), ("k: \"a\n  b\"", .text("a b")),
    ("k:", .null), ("k: ~", .null), ("k: null # c", .null), ("k: # c", .null),
    ("k: 1.5", .other("1.5")), ("k: -3", .other("-3")), ("k: 0x1F", .other("0x1F")),
    ("k: 1e3", .text("1e3")), ("k: 1.0e+3", .other("1.0e+3")), ("k: .inf", .other(".inf")),
    ("k: No", .other("No")), ("k: nO", .text("nO")), ("k: 2024-05-31", .other("2024-05-31")),
    ("k: 1.2.3", .text("1.2.3")), ("k: v1", .text("v1")), ("k: -", .text("-")),
    ("k: a\n  b\n\n  c", .text("a b\nc")),
    ("k:\n- a\n- b", .sequence([.text("a"), .text("b")])),
    ("k:\n  - a\n  # c\n\n  -\n    b", .sequence([.text("a"), .text("b")])),
    ("k:\n-\n- b", .sequence([.null, .text("b")])),
    ("k:\n- - a\n  - b\n- c", .sequence([.sequence([.text("a"), .text("b")]), .text("c")])),
    (
      "k:\n- a: 1\n  b:\n  - x\n- c: d",
      .sequence([
        .map([("a", .other("1")), ("b", .sequence([.text("x")]))]), .map([("c", .text("d"))]),
      ])
    ),
    ("k:\n  a:\n    b: c\n  d: e", .map([("a", .map([("b", .text("c"))])), ("d", .text("e"))])),
    ("k: []", .sequence([])), ("k: {}", .map([])),
    ("k: [a, b,]", .sequence([.text("a"), .text("b")])),
    ("k: [a, 'b, c', [d]] # c", .sequence([.text("a"), .text("b, c"), .sequence([.text("d")])])),
    ("k: [a,\n  b\n  ]", .sequence([.text("a"), .text("b")])),
    (
      "k: {a: b, c: [1], d}",
      .map([("a", .text("b")), ("c", .sequence([.other("1")])), ("d", .null)])
    ),
    ("k: |\n  a\n   b\n\n  c\n", .text("a\n b\n\nc\n")), ("k: |-\n  a\n\n", .text("a")),
    ("k: |+\n  a\n\n", .text("a\n\n")), ("k: |2\n    a", .text("  a\n")),
    ("k: >\n  a\n  b\n\n  c\n", .text("a b\nc\n")), ("k: >-\n  a\n   b\n  c", .text("a\n b\nc")),
    ("k: |\n  # no comment", .text("# no comment\n")), ("j: x\nk: a\nk: b", .text("b")),
  ]

  @Test(arguments: readable.indices)
  func valuesAreRead(_ number: Int) {
    let (text, value) = YAMLReaderTests.readable[number]
    let found = read(text)
    #expect(found.unreadable == [], "\(text)")
    #expect(found.values["k"] == value, "\(text)")
  }

  @Test(arguments: [
    "k: &a b", "k: *a", "k: !tag b", "k: @b", "k: [a", "k: {a: b", "k: \"a", "k: [a] b",
    "k: \"\\q\"", "k: \"\\ud800\"", "k: [&a b]", "k:\n  a: b\n c: d", "k:\n  a: b\n  c",
    "k:\n  - a\n b: c", "text", "? k : v", "k: |x\n  a", "k: a\n  b: c", "k: [a # c\n  ]",
  ])
  func otherValuesAreLeftOut(_ text: String) {
    let found = read(text + "\nnext: fine")
    #expect(found.unreadable.count == 1, "\(found)")
    #expect(found.values["next"] == .text("fine"))
  }

  @Test func nestingHasALimit() {
    let deep = YAMLReader.depthLimit + 1
    for text in [
      "k: " + String(repeating: "[", count: deep) + String(repeating: "]", count: deep),
      "k: " + String(repeating: "{a: ", count: deep) + String(repeating: "}", count: deep),
      "k:\n" + String(repeating: "- ", count: deep) + "a",
      "k: [" + String(repeating: "\n", count: YAMLReader.flowLineLimit + 1) + "]",
    ] {
      #expect(read(text).unreadable == ["k"])
    }
  }

  /// No text stops the reader: every prefix of every readable text is read or left out.
  @Test func everyPrefixIsReadOrLeftOut() {
    for (text, _) in YAMLReaderTests.readable {
      for length in 0...text.count {
        let found = read(String(text.prefix(length)))
        if case .mapping = found.values { continue }
        Issue.record("\(text.prefix(length))")
      }
    }
  }
}

extension YAML {
  fileprivate static func text(_ text: String) -> YAML { .scalar(text, isText: true) }
  fileprivate static func other(_ text: String) -> YAML { .scalar(text, isText: false) }
  fileprivate static func map(_ pairs: [(String, YAML)]) -> YAML {
    .mapping(pairs.map { Pair(key: $0.0, value: $0.1) })
  }
}
