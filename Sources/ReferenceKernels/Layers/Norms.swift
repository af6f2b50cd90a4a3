/// Root-mean-square norm: `y = x / √(mean(x²) + ε) · weight`.
///
/// - Shape: `[tokens, width]` → the same; with a `weight` shorter than a row, each part of a row of
///   its length is normalised on its own, as queries and keys are head by head.
/// - Source: transformers `modeling_llama.py`, `LlamaRMSNorm`; `modeling_qwen3.py`, `q_norm`.
public func rmsNorm(_ x: Rows, weight: [Double], epsilon: Double) -> Rows {
  precondition(!weight.isEmpty && x.width % weight.count == 0, "the weight does not fit the rows")
  let length = weight.count
  var y = x
  for start in stride(from: 0, to: x.values.count, by: length) {
    var sum = 0.0
    for index in start..<start + length { sum += x.values[index] * x.values[index] }
    let factor = 1 / (sum / Double(length) + epsilon).squareRoot()
    for index in 0..<length {
      y.values[start + index] = x.values[start + index] * factor * weight[index]
    }
  }
  return y
}

/// Layer norm: `y = (x − mean(x)) / √(var(x) + ε) · weight + bias`, with the variance over all
/// elements.
///
/// - Shape: `[tokens, width]` → the same.
/// - Source: torch `nn.LayerNorm`, as GPT-2 and BERT use it.
public func layerNorm(_ x: Rows, weight: [Double], bias: [Double], epsilon: Double) -> Rows {
  precondition(weight.count == x.width && bias.count == x.width, "the weights do not fit the rows")
  let length = Double(x.width)
  var y = x
  for row in 0..<x.count {
    let start = row * x.width
    let mean = x[row].reduce(0, +) / length
    let variance = x[row].reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / length
    let factor = 1 / (variance + epsilon).squareRoot()
    for index in 0..<x.width {
      y.values[start + index] =
        (x.values[start + index] - mean) * factor * weight[index] + bias[index]
    }
  }
  return y
}
