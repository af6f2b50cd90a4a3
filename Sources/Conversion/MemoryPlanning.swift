import TensorTypes

extension MemoryPlan {
  /// Units of this size stay in a core's cache on their way from read to write.
  static let preferredUnit = 1 << 18
  static let leastUnit = 1 << 10

  /// The largest units, up to the preferred size, that keep the whole within the limit.
  ///
  /// - Throws: `usage` when the smallest units need more.
  static func fitting(
    _ tensors: [[Piece]], headerByteCount: Int, jobs: Int, limit: Int
  ) throws(Failure) -> MemoryPlan {
    // The process itself, and for each tensor its names, types, nodes and pieces, by measurement.
    let pieceCount = tensors.reduce(0) { $0 + $1.count }
    let base = 24 << 20 + 2600 * tensors.count + 700 * pieceCount + 4 * headerByteCount
    var jobs = jobs
    while true {
      var unit = preferredUnit
      while unit >= leastUnit {
        let plan = MemoryPlan(
          jobs: jobs, unitElementLimit: unit,
          workerByteCount: WorkBuffers.Sizes(tensors, unitElementLimit: unit).byteCount,
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
