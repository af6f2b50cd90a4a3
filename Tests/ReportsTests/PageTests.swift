import TensorTypes
import Testing

@testable import Equivalence
@testable import Reports

@Suite struct PageTests {
  @Test(arguments: Verdict.allCases)
  func pagesAreWellFormed(_ verdict: Verdict) {
    let page = TagReader(sampleReport(verdict: verdict).html)
    #expect(page.problem == nil)
    #expect(page.elementCount > 100)
    #expect(page.attributes["data-verdict"]?.first == verdict.rawValue)
    #expect(page.text.contains(verdict.word))
    let ids = page.attributes["id"] ?? []
    #expect(Set(ids).count == ids.count)
    for reference in (page.attributes["aria-labelledby"] ?? []).flatMap({ $0.split(separator: " ") }
    ) {
      #expect(ids.contains(String(reference)))
    }
  }

  @Test func nothingFromOutsideIsMarkup() {
    let page = TagReader(sampleReport(names: hostileNames).html)
    #expect(page.problem == nil)
    // As many elements as with tame names: no name became one.
    let tame = TagReader(sampleReport(names: hostileNames.indices.map { "t\($0)" }).html)
    #expect(page.elementCount == tame.elementCount)
    #expect(Set(page.attributes.keys) == Set(tame.attributes.keys))
    #expect(page.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(page.text.contains("right\\u{202e}to\\u{2066}left"))
    #expect(page.text.contains("é and 漢字"))
  }

  @Test func nothingIsLoadedFromElsewhere() {
    let page = TagReader(sampleReport().html)
    #expect(page.attributes["src"] == nil)
    #expect((page.attributes["href"] ?? []).allSatisfy { $0.hasPrefix("#") || $0 == "data:," })
    let text = String(decoding: sampleReport().html, as: UTF8.self)
    #expect(!text.contains("<script") && !text.contains("url(") && !text.contains("@import"))
  }

  @Test func reportsWithoutAnythingArePagesToo() {
    let empty = VerificationReport(
      source: "a", converted: "b", VerificationRequest(sample: .rows(3), jobs: 1))
    let page = TagReader(empty.html)
    #expect(page.problem == nil)
    #expect(page.text.contains("No values were compared."))
    #expect(page.text.contains("port verify a b --sample 3 --seed 0"))
    #expect(TagReader(empty.junit).problem == nil)
  }

  @Test func equalReportsAreEqualPages() {
    #expect(sampleReport().html == sampleReport().html)
    // Dictionaries are ordered anew in every process; many kinds would show it.
    let names = (0..<60).map { "m\($0 % 12).\($0 / 12).w" }
    let kinds = ErrorSurvey(sampleReport(names: names, role: nil).tensors).kinds
    #expect(kinds.map(\.name) == (0..<12).map { "m\($0).*.w" }.sorted())
    #expect(kinds.allSatisfy { $0.points.map(\.layer) == [0, 1, 2, 3, 4] })
  }

  @Test func kindsThatFailAreNotCalledExact() {
    var tensors = sampleReport(verdict: .pass).tensors
    for index in tensors.indices { tensors[index].metrics?.squaredError = 0 }
    #expect(ErrorSurvey(tensors).kinds.map(\.isExact) == [true])
    tensors[1].verdict = .fail
    #expect(ErrorSurvey(tensors).kinds.map(\.isExact) == [false])
  }

  @Test func modelsAreDescribed() {
    var report = sampleReport()
    #expect(!TagReader(report.html).text.contains("The whole model"))
    report.model = ModelMetrics(
      tokenCount: 5, error: 0.25, errorBound: 0.5,
      distribution: ModelMetrics.Distribution(meanKL: 0.0625, sameFirst: 0.75),
      layerErrors: [0, 0.125, .nan], layerNoise: [0, 0.1, 0.2])
    let page = TagReader(report.html)
    #expect(page.problem == nil)
    #expect(page.text.contains("0.25000, bound 0.50000") && page.text.contains("75.0 %"))
    #expect(page.attributes["data-mean-kl"] == ["0.0625"])
    #expect(page.attributes["data-error"]?.contains("0.125") == true)
  }

  @Test func figuresStandUnroundedInAttributes() throws {
    let report = sampleReport()
    let page = TagReader(report.html)
    let errors = try #require(page.attributes["data-relative-rmse"]).compactMap(Double.init)
    let expected = report.tensors.compactMap(\.metrics?.relativeRMSE)
    #expect(errors.sorted() == expected.sorted())
    #expect(page.attributes["data-compared-values"] == ["192"])
  }

  @Test func largePagesAreLimited() {
    let report = sampleReport(names: (0..<3000).map { "blk.\($0).w" })
    let page = TagReader(report.html)
    #expect(page.problem == nil)
    #expect(page.text.contains("2,000 of 3,000"))
    #expect(page.text.contains("And 2,800 that only --json FILE lists."))
  }

  @Test(arguments: [
    ("plain/path-1.gguf", "plain/path-1.gguf"), ("with space", "'with space'"), ("", "''"),
    ("it's", "'it'\\''s'"), ("$(x)", "'$(x)'"),
  ])
  func pathsAreWordsOfTheShell(_ path: String, _ word: String) {
    #expect(path.quotedForShell == word)
  }

  @Test(arguments: [Double.infinity, .nan, 1e-300, 1e300])
  func strangeErrorsArePlotted(_ error: Double) {
    var report = sampleReport()
    report.tensors[0].metrics?.squaredError = error
    #expect(TagReader(report.html).problem == nil)
  }
}

/// The reader that the other tests trust finds what is wrong.
@Suite struct TagReaderTests {
  @Test(arguments: [
    "<a><b></a></b>", "<a>", "<a", "</a>", "<a t=\"1\" t=\"2\"/>", "<a t=1/>", "<a>1 > 2</a>",
    "<a>b & c</a>", "<a>&nbsp;</a>", "<a t=\"\u{202E}\"/>", "<a>\u{7}</a>",
  ])
  func faultsAreFound(_ text: String) {
    #expect(TagReader(Array(text.utf8)).problem != nil)
  }

  @Test func soundTextPasses() {
    let reader = TagReader(Array("<!doctype html>\n<a t=\"1 &gt; 0\">b &amp; c<d/></a>\n".utf8))
    #expect(reader.problem == nil)
    #expect(reader.elementCount == 2 && reader.attributes == ["t": ["1 &gt; 0"]])
  }
}

@Suite struct JUnitTests {
  @Test func nothingFromOutsideIsMarkup() {
    let report = sampleReport(names: hostileNames)
    let document = TagReader(report.junit)
    #expect(document.problem == nil)
    let count = report.findings.count
    #expect(
      document.attributes["tests"] == ["\(count)"] + report.levels.map { "\($0.findingCount)" })
    #expect(document.attributes["classname"]?.count == count)
  }

  @Test func failuresSayWhatIsKnown() {
    let text = TagReader(sampleReport(names: ["x"]).junit).text
    for line in ["x (bound: 0)", "at x", "likely cause: x", "derivation: x"] {
      #expect(text.contains(line))
    }
  }
}

@Suite struct LogScaleTests {
  @Test(arguments: [
    ([0.004, 0.04], [0.002, 0.005, 0.01, 0.02, 0.05]), ([0.0, 0.1], [0, 0.05, 0.1, 0.2]),
    ([0.25, 0.4], [0.1, 0.2, 0.5]), ([1e-9, 0.5], [1e-9, 1e-7, 1e-5, 1e-3, 0.1]),
    ([], [0.05, 0.1, 0.2]), ([.infinity], [0.05, 0.1, 0.2]),
  ])
  func axesEndAtRoundNumbers(_ values: [Double], _ ticks: [Double]) {
    let scale = LogScale(covering: values)
    #expect(scale.ticks == ticks)
    #expect(scale.ticks.map(scale.position) == scale.ticks.map(scale.position).sorted())
    for value in values { #expect((0...1).contains(scale.position(value))) }
  }

  @Test func equalFactorsAreEqualLengths() {
    let scale = LogScale(covering: [0.001, 0.09])
    let steps = [0.001, 0.01, 0.1].map(scale.position)
    #expect(abs(steps[1] - steps[0] - (steps[2] - steps[1])) < 1e-12)
    #expect(steps[0] == 0 && steps[2] == 1)
  }
}
