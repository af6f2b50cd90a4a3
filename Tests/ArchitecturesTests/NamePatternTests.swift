import Architectures
import TensorTypes
import Testing

@Suite struct NamePatternTests {
  @Test func variablesAreReadAndWritten() throws {
    let pattern: NamePattern = "model.layers.{L}.mlp.experts.{E}.up_proj.{p}"
    let bindings = try #require(pattern.match("model.layers.10.mlp.experts.0.up_proj.bias"))
    #expect(bindings == NamePattern.Bindings(layer: 10, expert: 0, part: .bias))
    #expect(pattern.name(bindings) == "model.layers.10.mlp.experts.0.up_proj.bias")
    #expect(pattern.hasLayer && pattern.hasExpert && pattern.hasPart)
    #expect(pattern.description == pattern.spelling)
  }

  @Test(arguments: [
    "", "model.layers", "model.layers.1", "model.layers..x.weight", "model.layers.01.x.weight",
    "model.layers.+1.x.weight", "model.layers.-1.x.weight", "model.layers.1000000.x.weight",
    "model.layers.18446744073709551617.x.weight", "model.layers.1.x.weights",
    "model.layers.1.x.weight ", " model.layers.1.x.weight", "model.layers.1.x.Weight",
    "model.layers.1.x.", "model.layers.1.x.weight\0", "model.layers.١.x.weight",
    "MODEL.layers.1.x.weight",
  ])
  func otherNamesAreNot(_ name: String) {
    let pattern: NamePattern = "model.layers.{L}.x.{p}"
    #expect(pattern.match(ByteString(name)) == nil)
  }

  @Test func equivalentSpellingsAreDifferentNames() {
    let pattern: NamePattern = "caf\u{e9}"
    #expect(pattern.match("caf\u{e9}") != nil)
    #expect(pattern.match("cafe\u{301}") == nil)
  }

  @Test func theLargestNumberIsBelowTheLimit() {
    let pattern: NamePattern = "h.{L}"
    #expect(pattern.match("h.999999")?.layer == 999_999)
    #expect(pattern.match("h.0")?.layer == 0)
  }
}
