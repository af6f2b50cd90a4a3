import ByteIO
import TensorTypes
import Testing

@testable import Accelerators

/// Names and counts give the same words as the reference's heuristics; see `Fixtures/targets`.
@Suite struct ModelNameTests {
  private static func table(_ name: ByteString) throws -> [[JSON]] {
    let folder = try Folder(path: Golden.fixtures + "/targets/names")
    let rows = try #require(try folder.json("names.json")?[name]?.array)
    return rows.compactMap(\.array)
  }

  @Test func componentsEqualTheReference() throws {
    let rows = try ModelNameTests.table("names")
    #expect(rows.count > 300)
    for row in rows {
      let id = try #require(row[0].string)
      let name = ModelName(id, parameterCount: try #require(row[1].integer))
      let found = [
        ModelName.title(name.full), name.full, name.organization, name.basename, name.finetune,
        name.version, name.sizeLabel,
      ]
      #expect(found == row[2...].map(\.string), "\(id) with \(row[1])")
    }
  }

  @Test func sizeLabelsEqualTheReference() throws {
    let rows = try ModelNameTests.table("labels")
    #expect(rows.count > 200)
    for row in rows {
      let counts = try row.prefix(4).map { try #require($0.integer) }
      let parameters = ParameterCounts(
        total: counts[0], shared: counts[1], expert: counts[2], expertCount: counts[3])
      #expect(parameters.sizeLabel == row[4].string, "\(counts)")
    }
  }

  @Test func hugeCountsDoNotOverflow() {
    #expect(ModelName("Model-7B", parameterCount: .max).finetune == "7b")
    #expect(ParameterCounts.rounded(.max) == "9223372T")
  }
}
