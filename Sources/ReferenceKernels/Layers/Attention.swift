/// How tokens may look at each other.
public struct AttentionMask: Sendable, Hashable {
  /// Whether a token sees no later one.
  public var isCausal: Bool
  /// A token sees itself and so many less one before it; nil for all.
  public var window: Int?

  public init(isCausal: Bool = true, window: Int? = nil) {
    self.isCausal = isCausal
    self.window = window
  }

  /// The tokens that one sees, of `count`.
  ///
  /// - Source: transformers `masking_utils.py`, `causal_mask_function`, `sliding_window_overlay`.
  public func visible(to token: Int, of count: Int) -> Range<Int> {
    let first = window.map { max(0, token - $0 + 1) } ?? 0
    return first..<(isCausal ? token + 1 : count)
  }
}

/// Attention with heads that may share keys and values:
/// `y = softmax(cap(scale · q·kᵀ)) · v` for each head.
///
/// - Parameters:
///   - scale: usually `1/√headLength`.
///   - softCap: scores are kept within ± this; nil for no limit.
/// - Shape: query `[tokens, heads · keyLength]`, key `[tokens, keyHeads · keyLength]`, value
///   `[tokens, keyHeads · valueLength]` → `[tokens, heads · valueLength]`.
/// - Precondition: `headCount` is a multiple of `keyValueHeadCount`, and the widths fit.
/// - Source: transformers `modeling_llama.py`, `eager_attention_forward`, `repeat_kv`.
public func attention(
  query: Rows, key: Rows, value: Rows, headCount: Int, keyValueHeadCount: Int, scale: Double,
  mask: AttentionMask, softCap: Double? = nil
) -> Rows {
  let keyLength = query.width / headCount
  let valueLength = value.width / keyValueHeadCount
  precondition(
    headCount % keyValueHeadCount == 0 && query.width == headCount * keyLength
      && key.width == keyValueHeadCount * keyLength
      && value.width == keyValueHeadCount * valueLength, "the heads do not fit")
  let groupSize = headCount / keyValueHeadCount
  var y = Rows(zeros: query.count, width: headCount * valueLength)
  query.values.withUnsafeBufferPointer { q in
    key.values.withUnsafeBufferPointer { k in
      guard let q = q.baseAddress, let k = k.baseAddress else { return }
      for token in 0..<query.count {
        let visible = mask.visible(to: token, of: query.count)
        for head in 0..<headCount {
          let source = head / groupSize
          let own = q + token * query.width + head * keyLength
          let scores = visible.map { other in
            softCapped(
              scale * dot(own, k + other * key.width + source * keyLength, count: keyLength),
              softCap)
          }
          let to = token * y.width + head * valueLength
          for (other, weight) in zip(visible, softmax(scores)) {
            let from = other * value.width + source * valueLength
            for index in 0..<valueLength {
              y.values[to + index] += weight * value.values[from + index]
            }
          }
        }
      }
    }
  }
  return y
}

/// The keys and values of multi-head latent attention (MLA), each head's from the latent that all
/// share: key `= plain part ‖ rotated part`, where the rotated part is the same for all heads.
///
/// - Parameters:
///   - expanded: what the up-projection gives: for each head the plain part of its key, then its
///     value.
///   - rotated: the shared part, turned already.
/// - Shape: `[tokens, heads · (plain + value)]` and `[tokens, rotated]` →
///   `[tokens, heads · (plain + rotated)]` and `[tokens, heads · value]`.
/// - Source: transformers `modeling_deepseek_v3.py`, `DeepseekV3Attention.expand_kv`.
public func latentKeysAndValues(
  expanded: Rows, rotated: Rows, headCount: Int, plainLength: Int
) -> (key: Rows, value: Rows) {
  let length = expanded.width / headCount
  precondition(expanded.width == headCount * length && plainLength < length, "the heads do not fit")
  var key: [Double] = []
  var value: [Double] = []
  for token in 0..<expanded.count {
    for head in 0..<headCount {
      let start = token * expanded.width + head * length
      key += expanded.values[start..<start + plainLength]
      key += rotated[token]
      value += expanded.values[start + plainLength..<start + length]
    }
  }
  return (
    Rows(width: headCount * (plainLength + rotated.width), key),
    Rows(width: headCount * (length - plainLength), value)
  )
}
