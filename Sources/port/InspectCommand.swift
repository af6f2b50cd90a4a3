import ArgumentParser
import ByteIO
import Equivalence
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

  @Flag(help: "Read all values and print what they are like.")
  var stats = false

  @Flag(help: "Read everything and exit with 1 when values are infinite or NaN.")
  var check = false

  @OptionGroup var workers: WorkerOptions

  @Option(help: "auto, plain, json or none.")
  var progress = ProgressStyle.auto

  @Flag(help: "Print one JSON document.")
  var json = false

  var jsonDestination: String? { json ? "-" : nil }

  func run() throws {
    var texts: [[String]] = []
    var documents: [JSON] = []
    var problems: [String] = []
    var checkpoints: [Checkpoint] = []
    for path in paths {
      let checkpoint = try Checkpoint.open(path)
      checkpoints.append(checkpoint)
      var inspection = Inspection(
        checkpoint, selection: tensors.map(Glob.init), showsWholeMetadata: metadata)
      if check { for file in checkpoint.files { try file.checkComplete() } }
      if stats || check && !checkpoint.files.contains(where: \.isCompressed) {
        let values = try values(of: inspection)
        if stats { inspection.values = values }
        if check { problems += values.problems.map { "\(path): \($0)" } }
      }
      if json { documents.append(inspection.json) } else { texts.append(inspection.lines) }
    }
    if json {
      let document =
        documents.count == 1
        ? documents[0]
        : JSON.members([
          "schema": .text("port.inspections/1"), "checkpoints": .array(documents),
        ])
      try Console.write(document.sortedText, to: "-")
    } else {
      try Console.print(Array(texts.joined(separator: [""])))
    }
    for problem in problems {
      Console.complain("check failed: \(problem.escapingControlCharacters)")
    }
    // The system frees a hundred thousand names faster than they are freed one by one.
    withExtendedLifetime(checkpoints) { Console.exit(problems.isEmpty ? 0 : 1) }
  }

  private func values(of inspection: Inspection) throws(Failure) -> ValueInspection {
    let checkpoint = inspection.checkpoint
    let numbers = checkpoint.tensors.indices.filter {
      inspection.selection?.matches(checkpoint.tensors[$0].name) ?? true
    }
    let chosen = numbers.map { checkpoint.tensors[$0] }
    let meter = ProgressMeter(
      "reading", style: progress, totalByteCount: chosen.reduce(0) { $0 + $1.byteCount })
    let statistics = try checkpoint.statistics(of: numbers, jobs: workers.jobCount) {
      meter.advance($0)
    }
    meter.finish()
    return ValueInspection(tensors: chosen, statistics: statistics)
  }
}
