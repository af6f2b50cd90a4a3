import Testing

@testable import Reports

@Suite struct AmountTests {
  @Test(arguments: [
    (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12.3 kB"), (999_949, "999.9 kB"),
    (999_950, "1.0 MB"), (689_500_000_000, "689.5 GB"), (Int.max, "9.2 EB"),
  ])
  func bytes(_ count: Int, _ text: String) {
    #expect(Amount.bytes(count) == text)
  }

  @Test func countsHaveCommas() {
    #expect(Amount.count(0) == "0")
    #expect(Amount.count(999) == "999")
    #expect(Amount.count(-1_234_567) == "-1,234,567")
    #expect(Amount.count(1, of: "tensor") == "1 tensor")
    #expect(Amount.count(91_991, of: "tensor") == "91,991 tensors")
  }

  @Test(arguments: [
    (0.0, "0"), (1, "1.000"), (-0.5, "-0.50000"), (123.456, "123.5"), (1e-8, "1.00e-08"),
    (65504, "65504.0"), (-2.5e7, "-2.50e+07"), (.infinity, "inf"),
  ])
  func reals(_ value: Double, _ text: String) {
    #expect(Amount.real(value) == text)
  }

  @Test(arguments: [
    (0, "0.0 %"), (1e-9, "<0.1 %"), (0.0006, "0.1 %"), (0.125, "12.5 %"), (0.9994, "99.9 %"),
    (0.9996, ">99.9 %"), (1, "100.0 %"),
  ])
  func shares(_ value: Double, _ text: String) {
    #expect(Amount.share(value) == text)
  }

  @Test func durations() {
    #expect(Amount.duration(seconds: 3.14) == "3.1 s")
    #expect(Amount.duration(seconds: 125) == "2 min 05 s")
    #expect(Amount.duration(seconds: 11_220) == "3 h 07 min")
  }

  @Test func progressLineAndBar() {
    let report = ProgressReport(
      activity: "converting", doneCount: 250_000_000, totalCount: 1_000_000_000,
      seconds: 0.5)
    #expect(
      report.line == "converting  25 %, 250.0 MB of 1.0 GB, 500.0 MB/s, 1.5 s left")
    #expect(report.bar(width: 120).hasPrefix("[########........................] converting"))
    #expect(report.bar(width: 100).count <= 99)
    #expect(report.bar(width: 40).count == 39)
    let layers = ProgressReport(
      activity: "verifying", doneCount: 26, totalCount: 61, unit: .layers, seconds: 52)
    #expect(layers.line == "verifying  42 %, 26 of 61 layers, 1 min 10 s left")
    let start = ProgressReport(activity: "x", doneCount: 0, totalCount: 0, seconds: 0)
    #expect(start.line == "x 100 %, 0 B of 0 B, 0 B/s")
  }

  @Test func tablesAlignByWidth() {
    var table = TextTable("name", ">n")
    table.append("é", "10")
    table.append("abcdef", "7")
    #expect(table.lines(indentation: 1) == [" name     n", " é       10", " abcdef   7"])
  }
}
