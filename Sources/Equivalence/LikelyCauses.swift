import TensorTypes

/// Tries what would explain a tensor that fails.
struct LikelyCauses {
  let expectation: Expectation
  let comparison: Comparison
  let pairs: [Comparison.Pair]

  mutating func cause(
    for position: Int, _ metrics: Metrics, _ findings: [Finding]
  ) throws(Failure) -> String? {
    nil
  }
}
