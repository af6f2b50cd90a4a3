import RealModule
import Testing

@testable import ReferenceKernels

private func close(_ a: [Double], _ b: [Double], _ tolerance: Double = 1e-12) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance }
}

/// Each layer on numbers small enough to follow by hand.
@Suite struct LayerTests {
  @Test func linearMultipliesRows() {
    let x = Rows(width: 2, [1, 2, 3, 4])
    let y = linear(x, weight: [1, 0, 0, 1, 1, 1], bias: [0, 0, 10])
    #expect(y == Rows(width: 3, [1, 2, 13, 3, 4, 17]))
    let long = (0..<21).map(Double.init)
    #expect(linear(Rows(width: 21, long), weight: long) == Rows(width: 1, [2870]))
  }

  @Test func norms() {
    let x = Rows(width: 2, [3, 4, 0, 0])
    let root = 12.5.squareRoot()
    #expect(
      close(rmsNorm(x, weight: [1, 2], epsilon: 0.0).values[..<2] + [], [3 / root, 8 / root]))
    #expect(rmsNorm(x, weight: [1, 2], epsilon: 0.25).values[2...] == [0, 0])
    #expect(close(Array(rmsNorm(x, weight: [1, 1], epsilon: 12.5)[0]), [0.6, 0.8]))
    // Each head of length 1 on its own.
    #expect(close(rmsNorm(x, weight: [5], epsilon: 0).values[..<2] + [], [5, 5]))
    let y = layerNorm(
      Rows(width: 2, [1, 3]), weight: [2, 2], bias: [10, 0], epsilon: 3)
    #expect(close(y.values, [9, 1]))
  }

  @Test func activations() {
    #expect(close([Activation.silu(0), Activation.relu(-2), Activation.gelu(0)], [0, 0, 0]))
    #expect(close([Activation.silu(1)], [1 / (1 + .exp(-1))]))
    #expect(close([Activation.silu(-800), Activation.silu(800)], [0, 800]))
    #expect(close([Activation.gelu(1)], [0.8413447460685429], 1e-12))
    #expect(close([Activation.geluTanh(1)], [0.8411919906082768], 1e-12))
    #expect(close(softmax([1000, 1000, -.infinity]), [0.5, 0.5, 0]))
    #expect(close([softCapped(1000, 30), softCapped(7, nil)], [30, 7]))
    let open = gated(gate: Rows(width: 1, [1]), up: Rows(width: 1, [3]), .relu)
    #expect(open.values == [3])
  }

  @Test func rotaryEmbeddingTurnsPairs() {
    let quarter = Double.pi / 2
    var rope = RotaryEmbedding(length: 4, base: 100)
    #expect(close(rope.frequencies, [1, 0.1]))
    rope.frequencies = [quarter, 0]
    let x = Rows(width: 4, [1, 2, 3, 4, 1, 2, 3, 4])
    // The first token stands at position 0; (1, 3) turns to (−3, 1).
    #expect(close(rope.rotating(x, headLength: 4).values, [1, 2, 3, 4, -3, 2, 1, 4]))
    var pairs = RotaryEmbedding(length: 4, base: 100, layout: .pairs)
    pairs.frequencies = [quarter, 0]
    #expect(close(pairs.rotating(x, headLength: 4).values, [1, 2, 3, 4, -2, 1, 3, 4]))
    var short = RotaryEmbedding(length: 2, base: 100, amplitude: 2, layout: .pairs)
    short.frequencies = [quarter]
    #expect(
      close(short.rotating(x, headLength: 4, offset: 2).values, [1, 2, 6, 8, 1, 2, -8, 6]))
  }

  @Test func rotaryEmbeddingScales() {
    let plain = RotaryEmbedding(length: 8, base: 10000).frequencies
    let linear = RotaryEmbedding(length: 8, base: 10000, scaling: .linear(factor: 4))
    #expect(close(linear.frequencies, plain.map { $0 / 4 }))
    let divided = RotaryEmbedding(length: 8, base: 10000, divisors: [1, 2, 4, 8])
    #expect(close(divided.frequencies, zip(plain, [1, 2, 4, 8]).map { $0 / $1 }))
    let llama3 = RotaryEmbedding(
      length: 8, base: 10000,
      scaling: .llama3(
        factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 100))
    // Wavelengths 6.3 and 62.8 and 628 and 6283; 25 and 100 are the bounds.
    let wavelength = 2 * Double.pi / plain[1]
    let share: Double = (100 / wavelength - 1) / 3
    let mixed: Double = plain[1] * ((1 - share) / 8 + share)
    #expect(
      close(
        llama3.frequencies,
        [plain[0], mixed, plain[2] / 8, plain[3] / 8]))
    let yarn = RotaryEmbedding(
      length: 8, base: 10000,
      scaling: .yarn(
        factor: 4, originalContextLength: 1000, betaFast: 32, betaSlow: 1, truncates: true))
    // Pair 0.7 turns 32 times and pair 2.2 once: whole from 0 on, stretched from 3 on.
    let ramp = (0..<4).map { (pair: Int) -> Double in
      let share = Double(pair) / 3
      return plain[pair] * (1 - share + share / 4)
    }
    #expect(close(yarn.frequencies, ramp))
    #expect(yarnScale(1) == 1)
    #expect(
      close([yarnScale(40), yarnScale(40, weight: 0.5)], [1.3688879454113936, 1.1844439727056968]))
  }

  @Test func attentionSeesWhatTheMaskLets() {
    // Equal scores: each token sees the mean of what it may see.
    let zero = Rows(zeros: 3, width: 2)
    let value = Rows(width: 1, [1, 3, 8])
    func mean(_ mask: AttentionMask) -> [Double] {
      attention(
        query: zero, key: Rows(zeros: 3, width: 1), value: value, headCount: 2,
        keyValueHeadCount: 1, scale: 1, mask: mask
      ).values
    }
    #expect(close(mean(AttentionMask()), [1, 1, 2, 2, 4, 4]))
    #expect(close(mean(AttentionMask(window: 2)), [1, 1, 2, 2, 5.5, 5.5]))
    #expect(close(mean(AttentionMask(isCausal: false)), [4, 4, 4, 4, 4, 4]))
  }

  @Test func attentionSharesKeysWithinGroups() {
    // Four heads, two key heads: heads 0 and 1 see values of the first, heads 2 and 3 of the second.
    let y = attention(
      query: Rows(width: 4, [1, 1, 1, 1]), key: Rows(width: 2, [1, 1]),
      value: Rows(width: 2, [5, 7]), headCount: 4, keyValueHeadCount: 2, scale: 1,
      mask: AttentionMask())
    #expect(close(y.values, [5, 5, 7, 7]))
  }

  @Test func attentionScalesAndCapsScores() {
    let query = Rows(width: 1, [0, 1])
    let key = Rows(width: 1, [0, 2])
    func weight(_ scale: Double, _ cap: Double?) -> Double {
      attention(
        query: query, key: key, value: Rows(width: 1, [0, 1]), headCount: 1, keyValueHeadCount: 1,
        scale: scale, mask: AttentionMask(), softCap: cap
      ).values[1]
    }
    #expect(close([weight(0.5, nil)], [sigmoid(1)]))
    #expect(close([weight(3, 2)], [sigmoid(2 * .tanh(3))]))
  }

  @Test func latentHeadsShareTheRotatedKey() {
    let (key, value) = latentKeysAndValues(
      expanded: Rows(width: 6, [1, 2, 3, 4, 5, 6]), rotated: Rows(width: 1, [9]), headCount: 2,
      plainLength: 1)
    #expect(key == Rows(width: 4, [1, 9, 4, 9]))
    #expect(value == Rows(width: 4, [2, 3, 5, 6]))
  }

  @Test func routingBySoftmax() {
    let plain = Routing(score: .softmax, usedCount: 2, normalises: false)
    let scores = plain.scores([.log(1), .log(4), .log(3), .log(2)])
    #expect(close(scores, [0.1, 0.4, 0.3, 0.2]))
    let chosen = plain.chosen(scores)
    #expect(chosen.experts == [1, 2])
    #expect(close([chosen.lead], [0.1]))
    #expect(close(plain.weights(scores, of: [1, 2]), [0.4, 0.3]))
    let whole = Routing(score: .softmax, usedCount: 2, normalises: true, scale: 7)
    #expect(close(whole.weights(scores, of: [1, 2]), [4, 3]))
    #expect(plain.chosen([0.25, 0.25, 0.25, 0.25]).experts == [0, 1])
    #expect(
      Routing(score: .softmax, usedCount: 4, normalises: true).chosen(scores).lead == .infinity)
  }

  @Test func routingByGroups() {
    let scores = [0.9, 0.1, 0.6, 0.5]
    func chosen(_ choice: Routing.Groups.Choice, _ correction: [Double]? = nil) -> [Int] {
      let groups = Routing.Groups(count: 2, usedCount: 1, choice: choice)
      return Routing(score: .sigmoid, usedCount: 1, normalises: true, groups: groups)
        .chosen(scores, correction: correction).experts
    }
    #expect(chosen(.best) == [0])
    #expect(chosen(.bestTwo) == [2])
    #expect(chosen(.bestTwo, [0, 0, 0, 0.2]) == [3])
    #expect(chosen(.bestTwo, [0, 0.2, 0, 0]) == [0])
    let routing = Routing(score: .sigmoid, usedCount: 2, normalises: true, scale: 2.5)
    #expect(close(routing.weights(scores, of: [0, 2]), [1.5, 1.0]))
    #expect(routing.scores([0]) == [0.5])
  }

  @Test func pooling() {
    let x = Rows(width: 2, [1, 2, 3, 6])
    #expect(Pooling.mean(x) == [2, 4])
    #expect(Pooling.first(x) == [1, 2])
    #expect(Pooling.last(x) == [3, 6])
  }

  @Test func rows() {
    let x = Rows(width: 3, [1, 2, 3, 4, 5, 6])
    #expect(x.columns(1..<3) == Rows(width: 2, [2, 3, 5, 6]))
    #expect(x.picking([1, 1]) == Rows(width: 3, [4, 5, 6, 4, 5, 6]))
    var y = x
    y += x
    #expect(y[1] == [8, 10, 12])
  }
}
