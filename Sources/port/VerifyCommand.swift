import ArgumentParser
import ByteIO
import Conversion
import Equivalence
import Reports
import TensorTypes
import WeightFormats

struct VerifyCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Proves or refutes that a converted checkpoint computes what its source computes.",
    discussion: """
      Re-reads both ends from disk; what should hold follows from the two alone, so conversions \
      made by other programs can be verified too. Exits with 1 when a check fails.
      """)

  @Argument(help: "The checkpoint that was converted.")
  var source: String

  @Argument(help: "What it was converted to.")
  var converted: String

  @Option(
    help: ArgumentHelp(
      """
      structure, values, operators or logits, each including those before; the highest that can \
      run by default.
      """,
      valueName: "LEVEL"))
  var level: Level?

  @Option(
    help: ArgumentHelp(
      "How many rows of each tensor are compared: a number, or all.", valueName: "N|all"))
  var sample = SampleSize.all

  @Option(help: ArgumentHelp("Chooses the sample.", valueName: "S"))
  var seed: UInt64 = 0

  @Option(
    help: ArgumentHelp(
      "The numbers of the tokens that models run on; without it, some that the seed chooses.",
      valueName: "FILE"))
  var tokens: String?

  @Flag(help: "Exit with 1 also when too little could be compared.")
  var strict = false

  @OptionGroup var resources: ResourceOptions

  @Option(help: "auto, plain, json or none.")
  var progress = ProgressStyle.auto

  @Option(help: ArgumentHelp("Write everything as a JSON document.", valueName: "FILE"))
  var json: String?

  @Option(help: ArgumentHelp("Write a JUnit report, a case for each check.", valueName: "FILE"))
  var junit: String?

  @Option(help: ArgumentHelp("Write a page with plots, for browsers.", valueName: "FILE"))
  var html: String?

  var jsonDestination: String? { json }

  func run() throws {
    var request = VerificationRequest(resources)
    request.level = level
    request.sample = sample.sampling
    request.seed = seed
    request.tokens = try tokens.map { path in
      // More is more tokens than are taken.
      let text = try InputFile(path: path).bytes(at: 0, atMost: 1 << 20)
      return try TokenIDs.parse(text, file: path)
    }
    let source = try Checkpoint.open(source)
    let converted = try Checkpoint.open(converted)
    for path in [json, junit, html].compactMap(\.self) where path != "-" {
      try source.checkIsNoInput(path)
      try converted.checkIsNoInput(path)
    }
    let report = try request.run(source: source, converted: converted, progress)
    if let json { try Console.write(report.json.sortedText, to: json) }
    if let junit { try Console.write(report.junit, to: junit) }
    if let html { try Console.write(report.html, to: html) }
    if ![json, junit, html].contains("-") { try Console.print(report.lines()) }
    if report.verdict == .fail || strict && report.verdict == .inconclusive { throw ExitCode(1) }
  }
}

extension VerificationRequest {
  init(_ resources: ResourceOptions) {
    self.init(memoryByteLimit: resources.memory.byteCount, jobs: resources.jobCount)
  }

  /// Verifies, showing progress and stopping at signals.
  func run(
    source: Checkpoint, converted: Checkpoint, _ progress: ProgressStyle
  ) throws(Failure) -> VerificationReport {
    let meter = ProgressMeter(
      "verifying", style: progress, totalByteCount: converted.payloadByteCount)
    let cancellation = Cancellation()
    let signals = Signals.cancelling(cancellation)
    defer { withExtendedLifetime(signals) {} }
    let report = try Verification.run(
      source: source, converted: converted, self,
      isCancelled: { cancellation.isCancelled },
      progress: { progress in
        switch progress {
        case .compared(let byteCount, let total): meter.advance(byteCount, .bytes, of: total)
        case .multiplied(let count, let total): meter.advance(count, .tensors, of: total)
        case .ran(let count, let total): meter.advance(count, .layers, of: total)
        }
      })
    meter.finish()
    return report
  }
}

/// `--sample`: a number of rows, or everything.
struct SampleSize: ExpressibleByArgument {
  let sampling: VerificationRequest.Sampling

  static let all = SampleSize(sampling: .all)

  init(sampling: VerificationRequest.Sampling) {
    self.sampling = sampling
  }

  init?(argument: String) {
    if argument == "all" {
      sampling = .all
    } else if let count = Int(argument), count > 0 {
      sampling = .rows(count)
    } else {
      return nil
    }
  }

  var defaultValueDescription: String { "all" }
}

extension Level: ExpressibleByArgument {}
