import ArgumentParser
import Conversion
import Equivalence
import Reports
import TensorTypes
import WeightFormats

struct ConvertCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Converts a checkpoint for a runtime.",
    discussion: """
      SOURCE is a weight file, a shard index, the first part of a split GGUF, or a folder with any \
      of them. The output appears under its name when it is complete and durable, or not at all.
      """)

  @Argument(help: "The checkpoint.")
  var source: String

  @OptionGroup var conversion: ConversionOptions

  @Option(name: .shortAndLong, help: "The file or folder to write.")
  var output: String?

  @Flag(help: "Print what would be done, and how much memory it takes, and stop.")
  var plan = false

  @Flag(help: "Replace an existing output.")
  var force = false

  @Flag(help: "Verify the output afterwards, as 'port verify' does.")
  var verify = false

  @Option(help: "Divide the output into files with at most so many bytes of tensors.")
  var shardSize: ByteAmount?

  @OptionGroup var resources: ResourceOptions

  @Option(help: "auto, plain, json or none.")
  var progress = ProgressStyle.auto

  @Flag(help: "Print one JSON document.")
  var json = false

  var jsonDestination: String? { json ? "-" : nil }

  func validate() throws {
    if output == nil, !plan {
      throw ValidationError("Missing expected argument '--output <output>'")
    }
    if let shardSize, shardSize.byteCount == 0 {
      throw ValidationError("--shard-size must be above 0")
    }
  }

  func run() throws {
    let checkpoint = try Checkpoint.open(source)
    let fallback = conversion.to.lowercased() == "gguf" ? "model.gguf" : "model"
    var request = try conversion.request(
      destination: output ?? fallback, jobs: resources.jobCount)
    request.shardByteLimit = shardSize?.byteCount
    request.memoryByteLimit = resources.memory.byteCount
    let plan = try Plan(converting: checkpoint, request)
    let report = PlanReport(plan)
    if self.plan {
      if json {
        try Console.write(report.json.sortedText, to: "-")
      } else {
        try Console.print(report.summary)
        try Console.print(report.tensorLines)
        try Console.print(["", report.memoryLine])
      }
      return
    }
    for note in checkpoint.notes { Console.complain("note: \(note.escapingControlCharacters)") }
    for warning in plan.warnings {
      Console.complain("warning: \(warning.escapingControlCharacters)")
    }
    let meter = ProgressMeter(
      "converting", style: progress, totalByteCount: plan.payloadByteCount)
    let cancellation = Cancellation()
    let signals = Signals.cancelling(cancellation)
    try plan.execute(replaces: force, cancellation: cancellation) { meter.advance($0) }
    withExtendedLifetime(signals) {}
    meter.finish()
    if !json { try Console.print([report.resultLine]) }
    guard verify else {
      if json { try Console.write(report.json.sortedText, to: "-") }
      return
    }
    let verification = try VerificationRequest(resources).run(
      source: checkpoint, converted: try Checkpoint.open(plan.firstPath), progress)
    if json {
      try Console.write(verification.json.sortedText, to: "-")
    } else {
      try Console.print([""] + verification.lines())
    }
    if verification.verdict == .fail { throw ExitCode(1) }
  }
}
