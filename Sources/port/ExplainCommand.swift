import ArgumentParser
import ByteIO
import Conversion
import Reports
import TensorTypes
import WeightFormats

struct ExplainCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Shows how a tensor of the output comes about, rule by rule.",
    discussion: "Reads headers only and writes nothing.")

  @Argument(help: "The checkpoint.")
  var source: String

  @Argument(help: "The tensor's name, in the output or in the source.")
  var tensor: String

  @OptionGroup var conversion: ConversionOptions

  @Flag(help: "Print one JSON document.")
  var json = false

  var jsonDestination: String? { json ? "-" : nil }

  func run() throws {
    let checkpoint = try Checkpoint.open(source)
    let request = try conversion.request(destination: "output", jobs: 1)
    let reports = try Explanation.explaining(
      ByteString(tensor), converting: checkpoint, request
    ).map(ExplanationReport.init)
    if json {
      let document = JSON.members([
        "schema": .text("port.explain/1"), "explanations": .array(reports.map(\.json)),
      ])
      try Console.write(document.sortedText, to: "-")
    } else {
      try Console.print(Array(reports.map(\.lines).joined(separator: [""])))
    }
  }
}
