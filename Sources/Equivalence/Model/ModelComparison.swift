import Architectures
import ReferenceKernels
import TensorTypes
import WeightFormats

/// Runs the models of both checkpoints on the same tokens.
///
/// How far they may be apart follows from the source alone: it runs a second time with every weight
/// moved by the usual error of rounding to the form that the converted checkpoint has for it, up
/// or down at random, and with settings moved as F32 rounds them.
struct ModelComparison: Sendable {
  let source: ModelEvaluator
  let converted: ModelEvaluator
  let tokens: [Int]
  let seed: UInt64
  let progress: @Sendable (VerificationProgress) -> Void

  /// A form of the converted model whose rounding nothing is known of; nil when there is none.
  var unknownForm: StoredForm? {
    let stored = converted.weights.storedForms
    for role in source.weights.model.nodes.keys {
      guard let form = stored[role], let own = source.weights.form(role) else { continue }
      if StoredNoise([0], source: own, stored: form) == nil { return form }
    }
    return nil
  }

  /// - Throws: `usage` for models that do not run on these tokens; `badInput`; what reading throws.
  func metrics() throws(Failure) -> (metrics: ModelMetrics, place: String?) {
    let layerCount = 2 * source.settings.layerCount + converted.settings.layerCount
    let layerIsDone = { @Sendable in progress(.ran(layerCount: 1, of: layerCount)) }
    let expected = try source.run(tokens, layerIsDone)
    var noisy = source
    noisy.weights.noise = WeightNoise(stored: converted.weights.storedForms, seed: seed)
    noisy.settings = source.settings.movedByRounding(seed: seed)
    noisy.experts = expected.choices
    let moved = try noisy.run(tokens, layerIsDone)
    var other = converted
    other.experts = expected.choices
    let found: ModelOutput
    do throws(Failure) {
      found = try other.run(tokens, layerIsDone)
    } catch  where error.kind == .usage {
      // The source has run on these tokens.
      throw Failure(
        .badInput, error.message, expected: error.expected ?? "", found: error.found ?? "")
    }
    guard found.rows.width == expected.rows.width, found.isLogits == expected.isLogits,
      found.choices.count == expected.choices.count,
      zip(found.scores, expected.scores).allSatisfy({ $0.width == $1.width })
    else {
      throw Failure(
        .badInput, "the models give results of different shapes",
        expected: "\(expected.rows.width) for each token", found: "\(found.rows.width)")
    }
    return compare(expected, moved, found)
  }

  /// One draw of noise may be smaller than another.
  private static let draws = 2.0
  /// Divergence is a sum of squares of errors in the directions in which the most probable tokens
  /// lie. Trained models have about seven that count, and two such sums differ by more than this
  /// with a chance below a thousandth.
  private static let divergenceDraws = 16.0

  private func compare(
    _ expected: ModelOutput, _ moved: ModelOutput, _ found: ModelOutput
  ) -> (metrics: ModelMetrics, place: String?) {
    let noise = OutputDifference(expected, moved)
    let difference = OutputDifference(expected, found)
    let factor = ModelComparison.draws
    var metrics = ModelMetrics(tokenCount: tokens.count)
    metrics.error = difference.error
    metrics.errorBound = factor * noise.error + ModelComparison.arithmetic
    metrics.layerErrors = difference.layerErrors
    metrics.layerNoise = noise.layerErrors
    if let divergences = noise.divergences {
      let mean = divergences.reduce(0, +) / Double(divergences.count)
      metrics.meanKLBound =
        ModelComparison.divergenceDraws * mean + ModelComparison.arithmetic
      metrics.distribution = .init(
        expected, found, tokens, allowance: factor * noise.greatest + ModelComparison.arithmetic)
    }
    count(expected, moved, found, into: &metrics)
    let place = zip(metrics.layerErrors, metrics.layerNoise).enumerated().first {
      !($1.0 <= factor * $1.1 + ModelComparison.arithmetic)
    }
    return (metrics, place.map { $0.offset == 0 ? "the embedding" : "layer \($0.offset - 1)" })
  }

  /// What `Double` arithmetic leaves over all layers, as a share of the result.
  private static let arithmetic = 0x1p-36

  /// Counts the choices of experts that differ.
  private func count(
    _ expected: ModelOutput, _ moved: ModelOutput, _ found: ModelOutput,
    into metrics: inout ModelMetrics
  ) {
    for layer in expected.choices.indices {
      let noise = zip(expected.scores[layer].values, moved.scores[layer].values)
        .reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
      // Two scores may come closer by twice the noise, a sum of two by twice that.
      let allowance = 4 * ModelComparison.draws * noise + ModelComparison.arithmetic
      for (own, other) in zip(expected.choices[layer], found.choices[layer]) {
        metrics.choiceCount += 1
        guard own.experts != other.experts else { continue }
        metrics.otherChoiceCount += 1
        if own.lead > allowance { metrics.lostChoiceCount += 1 }
      }
    }
  }
}

extension ModelSettings {
  /// The settings after eight roundings of F32, which are more where scaling stretches frequencies:
  /// its rules subtract numbers that are close.
  func movedByRounding(seed: UInt64) -> ModelSettings {
    var random = RandomNumbers(seed: seed, name: "settings")
    func move(_ value: Double, _ share: Double = 1) -> Double {
      value * (1 + (random.next() & 1 == 0 ? 1 : -1) * share * 0x1p-21)
    }
    switch self {
    case .decoder(var settings):
      settings.epsilon = move(settings.epsilon)
      settings.attentionScale = move(settings.attentionScale)
      settings.rotary.frequencies = zip(
        settings.rotary.frequencies, settings.rotary.plainFrequencies
      ).map { move($0, max(1, $1 / $0)) }
      settings.latent?.epsilon = settings.epsilon
      return .decoder(settings)
    case .gpt2(var settings):
      settings.epsilon = move(settings.epsilon)
      return .gpt2(settings)
    case .bert(var settings):
      settings.epsilon = move(settings.epsilon)
      return .bert(settings)
    }
  }

  /// What differs from other settings, in words.
  func differences(from other: ModelSettings) -> [String] {
    func changed<Value: Equatable>(_ name: String, _ a: Value, _ b: Value) -> String? {
      a == b ? nil : "\(name) is \(b) instead of \(a)"
    }
    switch (self, other) {
    case (.decoder(let a), .decoder(let b)):
      var found = [
        changed("the number of layers", a.layerCount, b.layerCount),
        changed("the number of heads", a.headCount, b.headCount),
        changed("the number of key heads", a.keyValueHeadCount, b.keyValueHeadCount),
        changed("epsilon", a.epsilon, b.epsilon),
        changed("the activation", a.activation.rawValue, b.activation.rawValue),
      ]
      if !isClose(a.attentionScale, b.attentionScale) {
        found.append(changed("the scale of attention", a.attentionScale, b.attentionScale))
      }
      if !isClose(a.rotary.amplitude, b.rotary.amplitude) {
        found.append(changed("RoPE's amplitude", a.rotary.amplitude, b.rotary.amplitude))
      }
      let pair = zip(a.rotary.frequencies, b.rotary.frequencies).enumerated().first {
        !isClose($1.0, $1.1, share: max(1, a.rotary.plainFrequencies[$0] / $1.0))
      }
      if let pair {
        found.append(
          "RoPE's frequency of pair \(pair.offset) is \(rounded(pair.element.1)) instead of "
            + rounded(pair.element.0))
      }
      if a.routing != b.routing { found.append("the rule that chooses experts is another") }
      return found.compactMap(\.self)
    case (.gpt2(let a), .gpt2(let b)):
      return [
        changed("the number of layers", a.layerCount, b.layerCount),
        changed("the number of heads", a.headCount, b.headCount),
        changed("epsilon", a.epsilon, b.epsilon),
      ].compactMap(\.self)
    case (.bert(let a), .bert(let b)):
      return [
        changed("the number of layers", a.layerCount, b.layerCount),
        changed("the number of heads", a.headCount, b.headCount),
        changed("epsilon", a.epsilon, b.epsilon),
      ].compactMap(\.self)
    default: return ["the architecture is another"]
    }
  }
}

private func isClose(_ a: Double, _ b: Double, share: Double = 1) -> Bool {
  (a - b).magnitude <= a.magnitude * share * 0x1p-21
}
