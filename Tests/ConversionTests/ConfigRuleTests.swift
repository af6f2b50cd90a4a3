import Accelerators
import ByteIO
import Testing

@testable import Conversion

/// Rules for configs change what they name and leave every other byte.
@Suite struct ConfigRuleTests {
  @Test(arguments: ConfigRule.examples.indices)
  func changesItsExample(_ number: Int) throws {
    let (rule, before, after) = ConfigRule.examples[number]
    var text = try ConfigText(Array(before.utf8), file: "config.json")
    text.apply([rule])
    #expect(String(decoding: text.bytes, as: UTF8.self) == after, "\(rule.name)")
    let found = try JSON(parsing: text.bytes).object
    let source = try JSON(parsing: Array(before.utf8)).object
    let expected = ConfigRule.applying([rule], to: try #require(source))
    #expect(Set(expected.members) == Set(try #require(found).members))
  }

  @Test func namesAreUnique() {
    #expect(Set(ConfigRule.examples.map(\.rule.name)).count == ConfigRule.examples.count)
  }

  /// What several rules change does not depend on where the members stand.
  @Test func rulesAreAppliedTogether() throws {
    let rules = ConfigRule.examples.map(\.rule).filter { $0 != .stateBlocks }
    let members = [
      #""quantization_config": {}"#, #""model_type": "deepseek_v3""#, #""quantize": "float""#,
      #""compression_config": {}"#, #""dtype": "bfloat16""#,
      #""text_config": {"dtype": "float32"}"#,
    ]
    for turn in members.indices {
      let turned = members[turn...] + members[..<turn]
      var text = try ConfigText(
        Array("{\(turned.joined(separator: ", "))}".utf8), file: "config.json")
      text.apply(rules)
      let json = try JSON(parsing: text.bytes)
      #expect(json["model_type"] == .text("deepseekv2"))
      #expect(json["quantize"] == .text("w8a8_dynamic"))
      #expect(json["quantization_config"]?["group_size"] == .integer(0))
      #expect(json["compression_config"] == nil)
      #expect(json["dtype"] == .text("float16"))
      #expect(json["text_config"]?["dtype"] == .text("float16"))
    }
  }
}
