import Accelerators
import Architectures
import ByteIO
import GraphRewriting
import TensorTypes
import WeightFormats

/// How the outputs of a graph are divided into files, with all metadata and files beside them.
struct Writing {
  /// Where an output goes: its file, and its position among that file's tensors.
  struct Place {
    let output: Int
    let file: Int
    let position: Int
  }

  var order: [Place] = []
  var files: [Plan.File] = []
  var sidecars: [(name: String, bytes: [UInt8])] = []
  var isFolder = false
  var warnings: [String] = []

  init(
    _ source: Checkpoint, _ request: ConversionRequest, _ program: Program, _ graph: WeightGraph
  ) throws(Failure) {
    let declarations = graph.outputs.map {
      Declaration(name: $0.name, type: graph[$0.node].type)
    }
    guard !declarations.isEmpty else {
      throw Failure(.badInput, "there is no tensor to write", file: source.path)
    }
    switch request.target.name {
    case .gguf:
      let shards = try Writing.shards(declarations, limit: request.shardByteLimit)
      try writeGGUF(source, request, program, declarations, shards)
    case .safetensors:
      let shards = try Writing.shards(declarations, limit: request.shardByteLimit)
      try writeSafetensors(source, request, program, declarations, shards)
    case .ascend910c, .ascend910b:
      try writeAscend(source, request, program, declarations)
    }
  }

  /// Fills one shard after another; a tensor larger than the limit gets its own.
  ///
  /// - Parameter range: the tensors that are divided; nil for all.
  static func shards(
    _ tensors: [Declaration], in range: Range<Int>? = nil, limit: Int?
  ) throws(Failure) -> [[Int]] {
    let range = range ?? tensors.indices
    guard let limit else { return [Array(range)] }
    var shards: [[Int]] = [[]]
    var filled = 0
    for number in range {
      let tensor = tensors[number]
      guard let byteCount = tensor.type.byteCount else {
        throw Failure(.badInput, "the tensor is too large", subject: .tensor(tensor.name))
      }
      let (next, overflow) = filled.addingReportingOverflow(byteCount)
      if overflow || next > limit, shards[shards.count - 1] != [] {
        shards.append([])
        filled = 0
      }
      shards[shards.count - 1].append(number)
      filled += byteCount
    }
    return shards
  }

  // MARK: - GGUF

  private mutating func writeGGUF(
    _ source: Checkpoint, _ request: ConversionRequest, _ program: Program,
    _ tensors: [Declaration], _ shards: [[Int]]
  ) throws(Failure) {
    guard shards.count <= Int(UInt16.max) else {
      throw Failure(
        .usage, "there would be too many parts; use a larger --shard-size",
        expected: "at most \(UInt16.max)", found: "\(shards.count)")
    }
    let metadata = try ggufMetadata(source, request, program, tensors)
    for (number, shard) in shards.enumerated() {
      var own = number == 0 ? metadata : Metadata()
      if shards.count > 1 {
        own.set(GGUFSplit.numberKey, .uint16(UInt16(number)))  // checked above
        own.set(GGUFSplit.countKey, .uint16(UInt16(shards.count)))
        own.set(GGUFSplit.tensorCountKey, .int32(Int32(tensors.count)))
      }
      let framing = try Format[.gguf].frame(own, shard.map { tensors[$0] })
      let name =
        shards.count == 1
        ? request.destination
        : Writing.splitName(request.destination, number: number, count: shards.count)
      add(Plan.File(name: name, framing: framing), shard)
    }
  }

  private static func splitName(_ path: String, number: Int, count: Int) -> String {
    let base = path.hasSuffix(".gguf") ? String(path.dropLast(5)) : path
    return base + GGUFSplit.suffix(number: number, count: count)
  }

  private mutating func ggufMetadata(
    _ source: Checkpoint, _ request: ConversionRequest, _ program: Program,
    _ tensors: [Declaration]
  ) throws(Failure) -> Metadata {
    let (scheme, choice) = (program.scheme, program.choice)
    guard let architecture = program.architecture, let config = program.config,
      let folder = source.folder
    else {
      var metadata = source.metadata
      if scheme != .lossless, let type = scheme.fileType(matrices: choice.rule.matrices ?? .f32) {
        metadata.set("general.file_type", .uint32(type))
        metadata.set("general.quantization_version", .uint32(2))
      }
      request.importance?.describe(in: &metadata)
      return metadata
    }
    let matrices = choice.rule.matrices ?? Writing.firstMatrix(tensors)
    var (metadata, warnings) = try Accelerators.ggufMetadata(
      architecture, config: config, folder: folder,
      fileType: scheme.fileType(matrices: matrices) ?? 0,
      parameters: Writing.parameters(tensors))
    self.warnings += warnings
    request.importance?.describe(in: &metadata)
    return metadata
  }

  private static func firstMatrix(_ tensors: [Declaration]) -> Encoding {
    tensors.first { $0.type.shape.rank >= 2 && $0.type.encoding != .f32 }?.type.encoding ?? .f32
  }

  /// - Source: llama.cpp `gguf-py/gguf/gguf_writer.py`, `get_total_parameter_count`.
  private static func parameters(_ tensors: [Declaration]) -> ParameterCounts {
    var counts = ParameterCounts(total: 0, shared: 0, expert: 0, expertCount: 0)
    var expertSum = 0
    var expertTensors = 0
    for tensor in tensors {
      let elements = tensor.type.shape.elementCount ?? 0
      counts.total += elements
      if tensor.name.text.contains("_exps."), tensor.type.shape.rank >= 3 {
        let experts = tensor.type.shape.axes[tensor.type.shape.rank - 3]
        counts.expert += experts > 0 ? elements / experts : 0
        expertSum += experts
        expertTensors += 1
      } else {
        counts.shared += elements
      }
    }
    counts.expertCount = expertTensors > 0 ? expertSum / expertTensors : 0
    return counts
  }

  mutating func add(_ file: Plan.File, _ outputs: [Int]) {
    for (position, output) in outputs.enumerated() {
      order.append(Place(output: output, file: files.count, position: position))
    }
    files.append(file)
  }

  // MARK: - safetensors

  private mutating func writeSafetensors(
    _ source: Checkpoint, _ request: ConversionRequest, _ program: Program,
    _ tensors: [Declaration], _ shards: [[Int]]
  ) throws(Failure) {
    isFolder = !request.destination.hasSuffix(".safetensors")
    guard isFolder || shards.count == 1 else {
      throw Failure(
        .usage, "several shards need a folder", file: request.destination,
        expected: "a path that does not end in .safetensors", found: "\(shards.count) shards")
    }
    var metadata = Metadata()
    if source.format == .safetensors {
      metadata = source.metadata
    } else {
      metadata.append("format", .text("pt"))
    }
    var places: [(name: ByteString, file: String)] = []
    for (number, shard) in shards.enumerated() {
      let sorted = Writing.inFileOrder(shard, tensors)
      let framing = try Format[.safetensors].frame(metadata, sorted.map { tensors[$0] })
      let name =
        !isFolder
        ? request.destination
        : shards.count == 1
          ? "model.safetensors"
          : "model-\(fiveDigits(number + 1))-of-\(fiveDigits(shards.count)).safetensors"
      add(Plan.File(name: name, framing: framing), sorted)
      places += shard.map { (tensors[$0].name, name) }
    }
    guard isFolder else { return }
    if shards.count > 1 {
      let total = tensors.reduce(0) { $0 + ($1.type.byteCount ?? 0) }
      sidecars.append(
        (
          "model.safetensors.index.json",
          SafetensorsIndex.text(totalByteCount: total, fileOfTensor: places)
        ))
    }
    if source.format == .gguf {
      try writeConfig(source, program, tensors)
    } else {
      try copySmallFiles(source, configRules(program))
    }
  }

  /// By descending dtype, then by name.
  static func inFileOrder(_ shard: [Int], _ tensors: [Declaration]) -> [Int] {
    shard.sorted {
      let (a, b) = (tensors[$0], tensors[$1])
      guard case .plain(let x) = a.type.encoding, case .plain(let y) = b.type.encoding, x != y
      else { return a.name < b.name }
      return x > y
    }
  }

  /// The config that the GGUF file's metadata and tensors imply.
  private mutating func writeConfig(
    _ source: Checkpoint, _ program: Program, _ tensors: [Declaration]
  ) throws(Failure) {
    guard let architecture = program.architecture else { return }
    var roles: [(role: RoleInstance, type: TensorType)] = []
    for (role, tensor) in zip(program.roles, tensors) {
      if let role { roles.append((role, tensor.type)) }
    }
    let (config, warnings) = huggingFaceConfig(
      architecture, metadata: source.metadata, tensors: roles,
      ropeFactors: try source.ropeFactors())
    sidecars.append(("config.json", config.sortedText))
    self.warnings += warnings
  }

  /// How the source's config says in which form the tensors are stored now.
  func configRules(_ program: Program) -> [ConfigRule] {
    let choice = program.choice
    var rules = program.nextTokens.configRules
    if !choice.keepsCodes { rules.append(.dropQuantization) }
    if program.hasBlocks { rules.append(.stateBlocks) }
    if case .plain(let dtype) = choice.rule.matrices, let name = dtype.torchName {
      rules.append(.stateDType(name))
    }
    return rules
  }

  /// Config, tokenizer and what else a checkpoint folder holds beside the weights.
  mutating func copySmallFiles(
    _ source: Checkpoint, _ rules: [ConfigRule]
  ) throws(Failure) {
    guard let folder = source.folder, folder.contains("config.json") else { return }
    let endings = [".json", ".txt", ".model", ".jinja", ".md", ".tiktoken", ".py"]
    for name in folder.names
    where endings.contains(where: { name.hasSuffix($0) }) && !name.hasSuffix(".index.json") {
      guard var bytes = try folder.bytes(of: name) else { continue }
      if name == "config.json" {
        var config = try ConfigText(bytes, file: folder.path(of: name))
        config.apply(rules)
        bytes = config.bytes
      }
      sidecars.append((name, bytes))
    }
    if let bytes = try folder.bytes(of: Checkpoint.pooling) {
      sidecars.append((Checkpoint.pooling, bytes))
    }
  }
}

extension Checkpoint {
  /// The values of a GGUF file's RoPE factors; nil when it has none.
  fileprivate func ropeFactors() throws(Failure) -> [Float]? {
    guard let tensor = self["rope_freqs.weight"], tensor.type.encoding == .f32,
      tensor.byteCount <= 1 << 20
    else { return nil }
    return try numbers(of: tensor)
  }
}

extension ImportanceMatrix {
  /// Adds the keys by which a file says what it was quantized with.
  ///
  /// - Source: llama.cpp `tools/quantize/quantize.cpp`.
  fileprivate func describe(in metadata: inout Metadata) {
    metadata.set("quantize.imatrix.file", .text(path))
    if let dataset = datasets.first { metadata.set("quantize.imatrix.dataset", .string(dataset)) }
    metadata.set("quantize.imatrix.entries_count", .uint32(UInt32(clamping: entries.count)))
    if chunkCount > 0 {
      metadata.set("quantize.imatrix.chunks_count", .uint32(UInt32(clamping: chunkCount)))
    }
  }
}
