import Architectures
import TensorTypes
import WeightFormats

extension ModelEvaluator {
  /// The model that a checkpoint holds, with the settings that its config or metadata gives.
  ///
  /// - Throws: `badInput`, `missingInput` for a checkpoint that is no known model; `usage` for what
  ///   the reference kernels do not compute.
  init(
    _ checkpoint: Checkpoint, jobs: Int,
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) throws(Failure) {
    weights = try ModelWeights(checkpoint, jobs: jobs, isCancelled: isCancelled)
    if let config = weights.model.config {
      settings = try ModelSettings(config, weights.model.architecture, folder: checkpoint.folder)
    } else {
      let factors = RoleInstance(.ropeFactors)
      let divisors =
        weights.has(factors)
        ? try weights.vector(factors, count: try weights.shape(factors).columns) : nil
      settings = try ModelSettings(
        gguf: checkpoint.metadata, file: checkpoint.path, ropeFactors: divisors)
    }
  }
}
