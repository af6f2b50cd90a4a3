import ByteIO
import TensorTypes
import Testing

@testable import Architectures

@Suite struct ModelConfigTests {
  private func config(_ text: String) throws -> ModelConfig {
    ModelConfig(try JSON(parsing: Array(text.utf8)), file: "m/config.json")
  }

  @Test func theFirstKeyThatIsThereCounts() throws {
    let config = try config(#"{"b": 2, "c": 3, "n": null}"#)
    #expect(try config.count("a", "b", "c") == 2)
    #expect(try config.count("a") == nil)
    #expect(try config.count("n", "b") == nil)  // a null is a value
    #expect(try config.number("b") == 2)
    #expect(config.has("n") && !config.has("a"))
  }

  @Test(arguments: ["-1", "1.5", "4294967296", "1e3", "\"8\"", "true", "[8]", "{}"])
  func otherValuesAreNoCounts(_ value: String) throws {
    let config = try config(#"{"num_attention_heads": \#(value)}"#)
    let failure = #expect(throws: Failure.self) { try config.headCount }
    #expect(failure?.kind == .badInput && failure?.file == "m/config.json")
    #expect(failure?.subject == .key("num_attention_heads"))
    #expect(failure?.expected != nil && failure?.found != nil)
  }

  @Test func zeroHeadsAreRefusedBeforeDividing() throws {
    let config = try config(#"{"num_attention_heads": 0, "hidden_size": 8}"#)
    #expect(throws: Failure.self) { try config.headLength }
  }

  @Test func theLengthOfAHeadIsGivenOrFollows() throws {
    #expect(try config(#"{"hidden_size": 64, "num_attention_heads": 4}"#).headLength == 16)
    #expect(
      try config(#"{"hidden_size": 64, "num_attention_heads": 4, "head_dim": 32}"#).headLength == 32
    )
    #expect(
      try config(#"{"n_embd": 64, "n_head": 4, "head_dim": null}"#).headLength == 16)
  }

  @Test func bothSpellingsOfRoPESettingsAreUnderstood() throws {
    let old = try config(
      #"{"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4}}"#)
    #expect(try old.ropeBase(default: 1) == 500_000)
    #expect(old.ropeScalingType == "linear")
    let new = try config(
      #"{"rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8}}"#)
    #expect(try new.ropeBase(default: 1) == 500_000)
    #expect(new.ropeScalingType == "llama3")
    let plain = try config(#"{"rope_parameters": {"rope_type": "default", "rope_theta": 7}}"#)
    #expect(plain.ropeScalingType == nil)
    #expect(try plain.ropeBase(default: 1) == 7)
    let none = try config(#"{"rope_scaling": null}"#)
    #expect(none.ropeScaling == nil && none.ropeScalingType == nil)
    #expect(try none.ropeBase(default: 3) == 3)
  }

  @Test(arguments: [
    #"{"architectures": ["FalconForCausalLM"]}"#, #"{"architectures": []}"#, "{}",
    #"{"architectures": "LlamaForCausalLM"}"#,
  ])
  func unknownArchitecturesNameTheKnownOnes(_ text: String) throws {
    let config = try config(text)
    let failure = #expect(throws: Failure.self) { try Architecture.of(config) }
    #expect(failure?.kind == .badInput && failure?.subject == .key("architectures"))
    for architecture in Architecture.all {
      #expect(failure?.expected?.contains(architecture.identifiers[0]) == true)
    }
    #expect(failure?.found == (text.contains("Falcon") ? "'FalconForCausalLM'" : "none"))
  }

  @Test func everyIdentifierIsFound() throws {
    for architecture in Architecture.all {
      for identifier in architecture.identifiers {
        let text = #""architectures": ["\#(identifier)"]"#
        let typed = try config(#"{\#(text), "model_type": "\#(architecture.modelType)"}"#)
        #expect(try Architecture.of(typed).name == architecture.name)
        // The model type decides only between rows that share a class.
        let first = Architecture.all.first { $0.identifiers.contains(identifier) }
        #expect(try Architecture.of(config("{\(text)}")).name == first?.name)
      }
    }
  }
}
