import Accelerators
import Architectures
import TensorTypes
import Testing

/// The tables of names run both ways.
@Suite struct DialectTests {
  static let all = Architecture.all.map(\.name)

  private func named(_ name: String) throws -> Architecture {
    try #require(Architecture.all.first { $0.name == name })
  }

  /// Values for every variable of a pattern.
  private func bindings(of pattern: NamePattern) -> [NamePattern.Bindings] {
    let layers: [Int?] = pattern.hasLayer ? [0, 7, 120] : [nil]
    let experts: [Int?] = pattern.hasExpert ? [0, 255] : [nil]
    let parts: [NamePattern.Part] = pattern.hasPart ? [.weight, .bias] : [.weight]
    return layers.flatMap { layer in
      experts.flatMap { expert in
        parts.map { NamePattern.Bindings(layer: layer, expert: expert, part: $0) }
      }
    }
  }

  @Test(arguments: all)
  func everyNameIsReadAsItsRole(_ name: String) throws {
    let architecture = try named(name)
    for dialect in [architecture.huggingFace, architecture.gguf] {
      for mapping in dialect.mappings {
        for bindings in bindings(of: mapping.name) {
          for prefix in dialect.prefixes {
            let stored = ByteString(prefix + mapping.name.name(bindings).text)
            guard case .tensor(let found, let values) = dialect.read(stored) else {
              Issue.record("\(stored) is not read")
              continue
            }
            #expect(values == bindings, "\(stored)")
            #expect(found.contains { $0.role == mapping.role && $0.steps == mapping.steps })
            // Several mappings of one name are the halves of one tensor.
            #expect(
              found.count == 1
                || found.indices.allSatisfy { found[$0].steps.contains(.half($0)) }, "\(stored)")
          }
        }
      }
    }
  }

  @Test(arguments: all)
  func everyRoleIsWrittenAsItIsRead(_ name: String) throws {
    let architecture = try named(name)
    for dialect in [architecture.huggingFace, architecture.gguf] {
      for role in Set(architecture.mappings.map(\.role)) {
        let mapping = try #require(dialect.writing(role), "\(role)")
        #expect(!mapping.steps.contains { if case .half = $0 { true } else { false } })
        for bindings in bindings(of: mapping.name) {
          guard case .tensor(let found, let values) = dialect.read(dialect.name(mapping, bindings))
          else {
            Issue.record("\(role) is written but not read")
            continue
          }
          #expect(found.first?.role == role && values == bindings)
        }
      }
    }
  }

  /// Whatever Hugging Face's names say of a tensor, GGUF's can say too.
  @Test(arguments: all)
  func bothDialectsHaveTheSameVariables(_ name: String) throws {
    let architecture = try named(name)
    for mapping in architecture.mappings {
      let other = try #require(architecture.gguf.writing(mapping.role))
      #expect(other.name.hasLayer == mapping.name.hasLayer, "\(mapping.role)")
      #expect(other.name.hasPart || !mapping.name.hasPart, "\(mapping.role)")
    }
  }

  @Test(arguments: all)
  func whatIsDroppedHasAReasonAndNoRole(_ name: String) throws {
    let architecture = try named(name)
    for drop in architecture.drops {
      for bindings in bindings(of: drop.name) {
        let stored = drop.name.name(bindings)
        guard case .dropped(let found) = architecture.huggingFace.read(stored) else {
          Issue.record("\(stored) is not dropped")
          continue
        }
        #expect(!found.reason.isEmpty)
      }
    }
  }

  @Test(arguments: all)
  func unknownNamesAreNotRead(_ name: String) throws {
    let architecture = try named(name)
    for stored: ByteString in ["", "x", "model.layers.0.self_attn.q_proj.weight.lora", "weight"] {
      #expect(architecture.huggingFace.read(stored) == nil)
      #expect(architecture.gguf.read(stored) == nil)
    }
  }

  @Test func identifiersAreUnique() {
    let identifiers = Architecture.all.flatMap { row in
      row.identifiers.map { [$0, row.modelType] }
    }
    #expect(Set(identifiers).count == identifiers.count)
    #expect(Set(DialectTests.all).count == DialectTests.all.count)
  }
}
