import ByteIO
import Support
import TensorTypes
import Testing

@testable import Accelerators

@Suite struct ModelCardTests {
  static let cards: [JSON] = {
    let folder = try? Folder(path: Golden.fixtures + "/targets/names")
    return (try? folder?.json("cards.json"))?.array ?? []
  }()

  @Test func theCardsAreThere() {
    #expect(ModelCardTests.cards.count >= 12)
  }

  /// Every card gives the keys and values that the reference writes, in its order.
  @Test(arguments: cards.indices)
  func authorshipEqualsTheReference(_ number: Int) throws {
    let card = ModelCardTests.cards[number]
    let text = try #require(card["card"]?.string)
    let counts = ParameterCounts(
      total: 7_000_000_000, shared: 7_000_000_000, expert: 0, expertCount: 0)
    let found = authorshipMetadata(
      ModelCard(Array(text.utf8)), folderName: "Tiny-Model-7B-Instruct-v0.3",
      config: .object(JSONObject()), parameters: counts)
    #expect(found.warnings == [])
    let expected = try #require(card["metadata"]?.array)
    let title = card["title"]?.string ?? ""
    #expect(
      found.metadata.items.map { JSON.array([.string($0.key), $0.value.goldenValue]) } == expected,
      "\(title)")
  }

  @Test func theConfigsNameComesBeforeTheFolders() throws {
    func name(_ config: String) throws -> (MetadataValue?, MetadataValue?) {
      let metadata = authorshipMetadata(
        ModelCard([]), folderName: "folder-2B",
        config: try JSON(parsing: Array(config.utf8)),
        parameters: ParameterCounts(total: 0, shared: 0, expert: 0, expertCount: 0)
      ).metadata
      return (metadata["general.name"], metadata["general.organization"])
    }
    #expect(try name("{}") == (.text("Folder 2B"), nil))
    #expect(try name(#"{"_name_or_path":"acme/model-2B"}"#) == (.text("Model 2B"), .text("Acme")))
    #expect(try name(#"{"_name_or_path":"/home/me/model"}"#) == (.text("Folder 2B"), nil))
    #expect(try name(#"{"_name_or_path":""}"#) == (nil, nil))
  }

  @Test func theCardIsTheFoldersReadMe() throws {
    let folder = TemporaryFolder()
    let counts = ParameterCounts(total: 0, shared: 0, expert: 0, expertCount: 0)
    try folder.write("README.md", "---\nlicense: mit\n---\n")
    let found = try authorshipMetadata(
      of: Folder(path: folder.path), config: .null, parameters: counts)
    #expect(found.metadata["general.license"] == .text("mit"))
  }

  @Test func whatCannotBeReadIsLeftOutWithAWarning() {
    let text = """
      ---
      license: mit
      author: &anchor me
      tags: [a, b
      name: ok
      ---
      """
    var card = ModelCard(Array(text.utf8))
    #expect(card.texts("license") == ["mit"])
    #expect(card.text("name") == "ok")
    #expect(card.text("author") == nil)
    #expect(card.texts("tags") == nil)
    #expect(card.warnings.count == 2)
    #expect(card.warnings[0].contains("line 3") && card.warnings[0].contains("'author'"))
    #expect(card.warnings[1].contains("line 4") && card.warnings[1].contains("'tags'"))
  }

  @Test func frontMatterMustBeClosedAndText() {
    #expect(ModelCard(Array("---\nlicense: mit\n".utf8)).warnings.count == 1)
    #expect(ModelCard(Array("---\nlicense: ".utf8) + [0xFF, 0x0A]).warnings.count == 1)
    let long = "---\n" + String(repeating: "a: b\n", count: ModelCard.byteLimit / 5) + "---\n"
    #expect(ModelCard(Array(long.utf8)).warnings.count == 1)
    #expect(ModelCard(Array("no card".utf8)).warnings == [])
  }
}

@Suite struct SamplingTests {
  private func sampling(_ text: String) throws -> (metadata: Metadata, warnings: [String]) {
    let folder = TemporaryFolder()
    try folder.write("generation_config.json", text)
    return try samplingMetadata(of: Folder(path: folder.path))
  }

  @Test func everyParameterHasItsTypeAndPlace() throws {
    let found = try sampling(
      #"""
      {"mirostat_eta": 0.5, "mirostat_tau": 5, "mirostat": 2, "repetition_penalty": 1.5,
       "penalty_last_n": 64, "temperature": 1, "xtc_threshold": 0.25, "xtc_probability": 0.5,
       "min_p": 0.125, "top_p": 0.75, "top_k": 40, "sequence": "k;p"}
      """#)
    #expect(found.warnings == [])
    #expect(
      found.metadata.items.map(\.key)
        == [
          "sequence", "top_k", "top_p", "min_p", "xtc_probability", "xtc_threshold", "temp",
          "penalty_last_n", "penalty_repeat", "mirostat", "mirostat_tau", "mirostat_eta",
        ].map { ByteString("general.sampling.\($0)") })
    #expect(found.metadata["general.sampling.top_k"] == .int32(40))
    #expect(found.metadata["general.sampling.temp"] == .float32(1))
    #expect(found.metadata["general.sampling.penalty_repeat"] == .float32(1.5))
  }

  @Test func theOwnKeyComesBeforeTheOtherOne() throws {
    let found = try sampling(#"{"repetition_penalty": 2, "penalty_repeat": 3, "top_p": null}"#)
    #expect(found.metadata.items.map(\.value) == [.float32(3)])
  }

  @Test(arguments: [
    #"{"top_k": 1.5}"#, #"{"top_k": 4294967296}"#, #"{"temperature": "hot"}"#,
    #"{"temperature": 1e300}"#, #"{"sequence": 1}"#, "{", "[",
  ])
  func whatIsNotUsableBecomesAWarning(_ text: String) throws {
    let found = try sampling(text)
    #expect(found.metadata.items.isEmpty)
    #expect(found.warnings.count == 1)
  }
}
