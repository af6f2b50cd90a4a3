import Accelerators
import ByteIO
import TensorTypes
import WeightFormats

extension Writing {
  /// A folder in the AscendV1 format: parts with their index, the description, and the source's
  /// small files.
  mutating func writeAscend(
    _ source: Checkpoint, _ request: ConversionRequest, _ program: Program,
    _ tensors: [Declaration]
  ) throws(Failure) {
    isFolder = true
    let types = program.types ?? []
    let mindie = try mindieTypes(request, program, zip(tensors, types).map { ($0.name, $1) })
    let weights = AscendDescription.weights(mindie)
    let limit = request.shardByteLimit ?? AscendDescription.partByteLimit
    try writeParts(weights, tensors, in: types.indices, limit: limit) { _ in [:] }
    if types.count < tensors.count {
      var shapes: [ByteString: Shape] = [:]
      for tensor in tensors[types.indices] { shapes[tensor.name] = tensor.type.shape }
      try writeParts(
        FractalNZ.folder + "/" + weights + FractalNZ.suffix, tensors,
        in: types.count..<tensors.count, limit: limit
      ) { shard in
        var items = [FractalNZ.metadata.key: FractalNZ.metadata.value]
        for number in shard {
          items[tensors[number].name] = shapes[tensors[number].name]?.description
        }
        return items
      }
    }
    sidecars.append(
      (
        AscendDescription.fileName(mindie),
        AscendDescription.text(
          zip(tensors, types).map { ($0.name, $1) }, groupSize: program.groupSize, mindie)
      ))
    var rules = configRules(program)
    if let mindie, let architecture = program.architecture {
      rules += mindie.configRules(architecture)
    }
    try copySmallFiles(source, rules)
  }

  /// Some tensors in as many files as they need, with their index.
  ///
  /// - Parameter metadata: what a part with these tensors has beside its format.
  private mutating func writeParts(
    _ base: String, _ tensors: [Declaration], in range: Range<Int>, limit: Int,
    metadata: (_ shard: [Int]) -> [ByteString: String]
  ) throws(Failure) {
    let shards = try Writing.shards(tensors, in: range, limit: limit)
    guard shards.count <= 99_999 else {
      throw Failure(
        .usage, "there would be too many parts; use a larger --shard-size",
        expected: "at most 99999", found: "\(shards.count)")
    }
    var places: [(name: ByteString, file: String)] = []
    for (number, shard) in shards.enumerated() {
      let sorted = Writing.inFileOrder(shard, tensors)
      var items = Metadata()
      items.append("format", .text("pt"))
      for (key, value) in metadata(shard).sorted(by: { $0.key < $1.key }) {
        items.append(key, .text(value))
      }
      let framing = try Format[.safetensors].frame(items, sorted.map { tensors[$0] })
      let part = "-\(fiveDigits(number + 1))-of-\(fiveDigits(shards.count))"
      let name = base + (shards.count > 1 ? part : "") + ".safetensors"
      add(Plan.File(name: name, framing: framing), sorted)
      let file = String(name.split(separator: "/").last ?? "")
      places += shard.map { (tensors[$0].name, file) }
    }
    guard shards.count > 1 else { return }
    let total = range.reduce(0) { $0 + (tensors[$1].type.byteCount ?? 0) }
    sidecars.append(
      (
        base + ".safetensors.index.json",
        SafetensorsIndex.text(totalByteCount: total, fileOfTensor: places)
      ))
  }

  /// What MindIE is told of the tensors; nil for other runtimes.
  private func mindieTypes(
    _ request: ConversionRequest, _ program: Program,
    _ tensors: [(name: ByteString, type: AscendType)]
  ) throws(Failure) -> MindIETypes? {
    // Models for this target always have both.
    guard request.target.variant == .mindie, let architecture = program.architecture,
      let config = program.config
    else { return nil }
    return try MindIETypes(
      architecture, layerCount: try config.requiredCount(["num_hidden_layers", "n_layer"]),
      zip(tensors, program.roles).map { ($0.name, $1, $0.type) })
  }
}
