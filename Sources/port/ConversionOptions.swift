import Accelerators
import ArgumentParser
import Conversion
import Foundation
import Quantization
import TensorTypes
import WeightFormats

/// What `convert` and `explain` share: the target and how tensors are encoded.
struct ConversionOptions: ParsableArguments {
  @Option(help: "What the output is for; see 'port list targets'.")
  var to: String

  @Option(
    help: """
      How tensors are encoded; see 'port list schemes'. Without it, values stay exactly as they are.
      """)
  var quantize: String?

  @Option(
    name: .customLong("override"),
    help: ArgumentHelp(
      "Another scheme for the tensors whose output names match; the last that matches wins.",
      valueName: "GLOB=SCHEME"))
  var overrides: [String] = []

  @Option(
    help: ArgumentHelp("Tensors whose values stay exactly as they are.", valueName: "GLOB"))
  var exclude: [String] = []

  @Flag(help: "Give every matrix the block type that --quantize names, without exceptions.")
  var pure = false

  @Option(help: "The type of the output matrix.")
  var outputType: String?

  @Option(help: "The type of the token embedding.")
  var embeddingType: String?

  @Option(help: "How much the inputs of matrices matter, as llama.cpp's imatrix tool writes it.")
  var imatrix: String?

  @Option(
    help: ArgumentHelp(
      """
      How the inputs of layers are quantized: a folder or file with input_scale and input_offset, \
      or the least and greatest inputs as safetensors or JSON.
      """,
      valueName: "PATH"))
  var calibration: String?

  @Option(
    help: """
      How weights lie for Ascend: nd, as runtimes load them, or nz, which writes them a second time \
      in the tiles of FRACTAL_NZ, into a folder of their own.
      """)
  var layout = AscendLayout.nd

  @Option(
    help: """
      What becomes of layers that predict further tokens: keep, drop, or merge, which leaves out \
      their copies of embedding and head. Without it, what the target's runtime can use is kept.
      """)
  var mtp: NextTokenChoice?

  @Option(
    help: """
      How the scales of blocks are chosen: as llama.cpp does, or with less error and more time.
      """)
  var search = BlockSearch.reference

  @Flag(help: "Quantize infinities and NaNs, and values too large for a block's scale.")
  var allowNonfinite = false

  @Flag(help: "Quantize tensors again that are quantized already, which adds error to error.")
  var allowRequantize = false

  /// - Throws: `usage` for names that are unknown or malformed.
  func request(destination: String, jobs: Int) throws(Failure) -> ConversionRequest {
    var request = ConversionRequest(
      target: try Target.named(to), destination: destination, jobs: jobs)
    request.scheme = quantize
    for override in overrides {
      guard let sign = override.lastIndex(of: "="), sign > override.startIndex else {
        throw Failure(
          .usage, "--override is malformed", expected: "GLOB=SCHEME", found: "'\(override)'")
      }
      request.overrides.append(
        (Glob(String(override[..<sign])), String(override[override.index(after: sign)...])))
    }
    request.excluded = exclude.map(Glob.init)
    request.mixOptions.isPure = pure
    request.mixOptions.outputType = try outputType.map(request.target.typeOfOne)
    request.mixOptions.embeddingType = try embeddingType.map(request.target.typeOfOne)
    request.importance = try imatrix.map(ImportanceMatrix.init(path:))
    request.calibration = try calibration.map(Calibration.init(path:))
    request.nextTokens = mtp
    request.layout = layout
    request.search = search
    request.allowsNonfinite = allowNonfinite
    request.allowsRequantizing = allowRequantize
    return request
  }
}

extension BlockSearch: ExpressibleByArgument {}
extension NextTokenChoice: ExpressibleByArgument {}
extension AscendLayout: ExpressibleByArgument {}

extension Target {
  /// The type that an option for one tensor names.
  ///
  /// - Throws: `usage` for names that are unknown or stand for no type.
  fileprivate func typeOfOne(named name: String) throws(Failure) -> Encoding {
    guard let encoding = try encoding(named: name) else {
      throw Failure(
        .usage, "the name stands for no type; --exclude keeps tensors as they are",
        expected: "a type of the target", found: "'\(name)'")
    }
    return encoding
  }
}

/// How much of the machine is used.
struct ResourceOptions: ParsableArguments {
  @Option(help: "The most memory to use, such as 512MiB.")
  var memory = ByteAmount(argument: "1GiB")!  // a literal that parses

  @OptionGroup var workers: WorkerOptions

  var jobCount: Int { workers.jobCount }
}

/// How many threads work.
struct WorkerOptions: ParsableArguments {
  @Option(help: "Worker threads; as many as processors by default.")
  var jobs: Int?

  func validate() throws {
    if let jobs, !(1...1024).contains(jobs) {
      throw ValidationError("--jobs must be between 1 and 1024")
    }
  }

  var jobCount: Int { jobs ?? ProcessInfo.processInfo.activeProcessorCount }
}
