import ByteIO
import TensorTypes
import WeightFormats

extension MemoryPlan {
  /// Units of this size stay in a core's cache on their way from read to write.
  static let preferredUnit = 1 << 18
  static let leastUnit = 1 << 10

  /// The largest units, up to the preferred size, that keep the whole within the limit.
  ///
  /// - Parameters:
  ///   - checkpoint: the source.
  ///   - headerByteCount: the bytes of all headers and small files that are written.
  ///   - parsedByteCount: the bytes of metadata and tokenizers that have been read.
  /// - Throws: `usage` when the smallest units need more.
  static func fitting(
    _ tensors: [[Piece]], of checkpoint: Checkpoint, headerByteCount: Int, parsedByteCount: Int,
    jobs: Int, limit: Int
  ) throws(Failure) -> MemoryPlan {
    // By measurement: the process itself; for each tensor of the source its names and types, and
    // its nodes before rules; for each to be written its name, type, nodes and pieces; the texts of
    // headers, and the values that texts are read into.
    let pieceCount = tensors.reduce(0) { $0 + $1.count }
    let base =
      24 << 20 + 1300 * checkpoint.tensors.count + 1500 * tensors.count + 500 * pieceCount
      + 3 * headerByteCount + 6 * parsedByteCount
    var jobs = jobs
    while true {
      var unit = preferredUnit
      while unit >= leastUnit {
        let plan = MemoryPlan(
          jobs: jobs, unitElementLimit: unit,
          workerByteCount: WorkBuffers.Sizes(tensors, of: checkpoint, unitElementLimit: unit)
            .byteCount,
          baseByteCount: base)
        if plan.peakByteCount <= limit { return plan }
        if unit == leastUnit, jobs == 1 {
          throw Failure(
            .usage, "the memory limit is too low", expected: "at least \(plan.peakByteCount) bytes",
            found: "\(limit)")
        }
        unit /= 2
      }
      jobs = max(1, jobs / 2)
    }
  }
}

extension Checkpoint {
  /// - Units: bytes before the payload of files whose metadata may be long.
  var metadataByteCount: Int {
    guard format == .gguf else { return 0 }
    return files.reduce(0) { $0 + ($1.manifest.tensors.map(\.offset).min() ?? 0) }
  }

  /// - Units: bytes of the tokenizer's definition; 0 without one.
  var tokenizerByteCount: Int {
    guard let folder, folder.contains("tokenizer.json") else { return 0 }
    return (try? InputFile(path: folder.path(of: "tokenizer.json")))?.byteCount ?? 0
  }
}
