import ArgumentParser
import Conversion
import Equivalence
import Reports
import TensorTypes
import WeightFormats

struct DiffCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Says what differs between two checkpoints of any formats.",
    discussion: "Exits with 1 when something does.")

  @Argument(help: "A checkpoint.")
  var first: String

  @Argument(help: "Another.")
  var second: String

  @Flag(help: "Compare values too.")
  var values = false

  @OptionGroup var resources: ResourceOptions

  @Option(help: "auto, plain, json or none.")
  var progress = ProgressStyle.auto

  @Flag(help: "Print one JSON document.")
  var json = false

  var jsonDestination: String? { json ? "-" : nil }

  func run() throws {
    let second = try Checkpoint.open(second)
    let meter = ProgressMeter(
      "comparing", style: progress, totalByteCount: second.payloadByteCount)
    let cancellation = Cancellation()
    let signals = Signals.cancelling(cancellation)
    defer { withExtendedLifetime(signals) {} }
    let difference = try Difference(
      try Checkpoint.open(first), second, values: values ? VerificationRequest(resources) : nil,
      isCancelled: { cancellation.isCancelled }, progress: { meter.advance($0) })
    meter.finish()
    let report = DifferenceReport(difference)
    if json {
      try Console.write(report.json.sortedText, to: "-")
    } else {
      try Console.print(report.lines)
    }
    if !difference.isEmpty { throw ExitCode(1) }
  }
}
