import ArgumentParser
import ByteIO
import Reports
import TensorTypes
import WeightFormats

struct InspectCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Says what checkpoints hold.",
    discussion: "Reads headers only, unless --stats or --check asks for more.")

  @Argument(help: "Weight files, shard indexes or folders.")
  var paths: [String]

  @Option(help: ArgumentHelp("List the tensors with matching names.", valueName: "GLOB"))
  var tensors: String?

  @Flag(help: "Print metadata values in full.")
  var metadata = false

  @Flag(help: "Print one JSON document.")
  var json = false

  var jsonDestination: String? { json ? "-" : nil }

  func run() throws {
    var inspections: [Inspection] = []
    for path in paths {
      inspections.append(
        Inspection(
          try Checkpoint.open(path), selection: tensors.map(Glob.init),
          showsWholeMetadata: metadata))
    }
    guard json else {
      return Console.print(Array(inspections.map(\.lines).joined(separator: [""])))
    }
    let document =
      inspections.count == 1
      ? inspections[0].json
      : JSON.members([
        "schema": .text("port.inspections/1"), "checkpoints": .array(inspections.map(\.json)),
      ])
    try Console.write(document.sortedText, to: "-")
  }
}
