import Accelerators
import Architectures
import ByteIO
import GraphRewriting
import Quantization
import TensorTypes
import WeightFormats

/// What the user asks of a conversion.
public struct ConversionRequest: Sendable {
  public var target: Target
  /// nil for the target's lossless default.
  public var scheme: String?
  /// Schemes for the tensors whose output names match; the last that matches wins.
  public var overrides: [(names: Glob, scheme: String)] = []
  /// Tensors that keep the target's lossless encoding.
  public var excluded: [Glob] = []
  /// What is changed about a mix of GGUF block types.
  public var mixOptions = GGUFMixOptions()
  /// Whether tensors that are quantized already may be quantized again.
  public var allowsRequantizing = false
  /// Whether infinities and NaNs may be quantized.
  public var allowsNonfinite = false
  /// How the scales of blocks are chosen.
  public var search = BlockSearch.reference
  /// How much the inputs of matrices matter.
  public var importance: ImportanceMatrix?
  /// How the inputs of layers are quantized, for static activations.
  public var calibration: Calibration?
  /// What becomes of layers that predict further tokens; nil for what the target does.
  public var nextTokens: NextTokenChoice?
  /// How weights of layers lie beside those as they are.
  public var layout = AscendLayout.nd
  public var destination: String
  /// - Units: bytes of payload in one file; nil for no limit.
  public var shardByteLimit: Int?
  /// - Units: bytes.
  public var memoryByteLimit = 1 << 30
  public var jobs: Int

  public init(target: Target, destination: String, jobs: Int) {
    self.target = target
    self.destination = destination
    self.jobs = max(1, jobs)
  }
}

extension Plan {
  /// Works out everything about a conversion. Reads headers and small files only.
  ///
  /// - Throws: `usage` for a request that cannot be met, `badInput` for a checkpoint that cannot be
  ///   converted.
  public init(
    converting source: Checkpoint, _ request: ConversionRequest
  ) throws(Failure) {
    if let file = source.files.first(where: \.isCompressed) {
      throw Failure(
        .usage, "compressed files can be inspected, not converted; decompress it first",
        file: file.source.name)
    }
    var program = try Program(source, request)
    let (rewritten, firings) = try program.takeRewritten()
    var lowered: [(pieces: [Piece], importance: TensorImportance?)] = []
    for output in rewritten.outputs {
      do throws(Failure) {
        let type = rewritten[output.node].type
        var pieces = try rewritten.pieces(of: output.node)
        var importance: TensorImportance?
        if pieces.contains(where: { $0.encodings.first != type.encoding }) {
          importance = try request.importance(of: output.name, type, program.scheme)
          try request.checkSearch(type)
        }
        if importance != nil {
          pieces = pieces.map { $0.encodingWholeRows(of: type.shape.rowLength) }
        }
        for piece in pieces { try piece.checkConvertible(from: source) }
        lowered.append((pieces, importance))
      } catch {
        throw error.located(subject: .tensor(output.name))
      }
    }
    var pieces = lowered.map(\.pieces)
    pieces.alignParts()
    let writing = try Writing(source, request, program, rewritten)
    self.source = source
    target = request.target
    scheme = program.scheme
    architecture = program.architecture
    self.graph = rewritten
    self.firings = firings
    files = writing.files
    sidecars = writing.sidecars
    destination = request.destination
    isFolder = writing.isFolder
    copies = program.nextTokens.copies
    dropped = program.dropped.map { (source.tensors[$0.source].name, $0.reason) }
    search = request.search
    allowsNonfinite = request.allowsNonfinite
    tensors = writing.order.map { place in
      let output = rewritten.outputs[place.output]
      let type = rewritten[output.node].type
      return Tensor(
        name: output.name, type: type, role: program.roles[place.output], output: place.output,
        node: output.node,
        pieces: pieces[place.output], importance: lowered[place.output].importance,
        file: place.file,
        offset: writing.files[place.file].framing.offsets[place.position],
        byteCount: type.byteCount!)  // the framing has checked it
    }
    warnings = program.warnings + writing.warnings + request.unused(by: program, tensors)
    memory = try MemoryPlan.fitting(
      tensors.map(\.pieces), of: source,
      headerByteCount: files.reduce(0) { $0 + $1.framing.prefix.count }
        + sidecars.reduce(0) { $0 + $1.bytes.count },
      parsedByteCount: source.metadataByteCount
        + (request.target.name == .gguf && program.config != nil ? source.tokenizerByteCount : 0),
      jobs: request.jobs, limit: request.memoryByteLimit)
    for output in isFolder ? [destination] : files.map(\.name) {
      try source.checkIsNoInput(output, beside: request.calibration?.path)
    }
  }

  /// The phases of rules, in order.
  public static let phases: [RuleSet] = [.canonicalise]
}

extension Piece {
  /// Checks that every conversion on the way exists.
  fileprivate func checkConvertible(from source: Checkpoint) throws(Failure) {
    if case .view(let view) = origin, !encodings[0].hasKnownByteOrder {
      let file = source.files[source.tensors[view.source].file]
      guard file.manifest.byteOrder == .little else {
        throw Failure(
          .usage, "blocks of this type cannot be read from a big-endian file",
          file: file.source.name, expected: "plain elements or q8_0", found: "\(encodings[0])")
      }
    }
    // Whole rows are encoded by other means.
    let steps = encodings.dropLast(wholeRowLength == nil ? 0 : 1)
      .dropFirst(scales == nil ? 0 : 1)  // codes with scales become F32
    for (from, to) in zip(steps, steps.dropFirst())
    where RowKernel(from: from, to: to) == nil {
      throw Failure(
        .usage, "there is no conversion between these types", expected: "\(to)", found: "\(from)")
    }
  }
}
