import Accelerators
import ByteIO
import TensorTypes
import WeightFormats

extension Writing {
  /// A folder in the AscendV1 format: parts with their index, the description, and the source's
  /// small files.
  mutating func writeAscend(
    _ source: Checkpoint, _ request: ConversionRequest, _ program: Program,
    _ tensors: [Declaration], _ shards: [[Int]]
  ) throws(Failure) {
    isFolder = true
    guard shards.count <= 99_999 else {
      throw Failure(
        .usage, "there would be too many parts; use a larger --shard-size",
        expected: "at most 99999", found: "\(shards.count)")
    }
    let types = program.types ?? []
    let mindie = try mindieTypes(request, program, zip(tensors, types).map { ($0.name, $1) })
    let weights = AscendDescription.weights(mindie)
    var metadata = Metadata()
    metadata.append("format", .text("pt"))
    var places: [(name: ByteString, file: String)] = []
    for (number, shard) in shards.enumerated() {
      let sorted = Writing.inFileOrder(shard, tensors)
      let framing = try Format[.safetensors].frame(metadata, sorted.map { tensors[$0] })
      let part = "-\(fiveDigits(number + 1))-of-\(fiveDigits(shards.count))"
      let name = weights + (shards.count > 1 ? part : "") + ".safetensors"
      add(Plan.File(name: name, framing: framing), sorted)
      places += shard.map { (tensors[$0].name, name) }
    }
    if shards.count > 1 {
      let total = tensors.reduce(0) { $0 + ($1.type.byteCount ?? 0) }
      sidecars.append(
        (
          weights + ".safetensors.index.json",
          SafetensorsIndex.text(totalByteCount: total, fileOfTensor: places)
        ))
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
