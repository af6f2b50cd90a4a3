import Architectures
import TensorTypes
import WeightFormats

extension Expectation {
  /// Runs both models on the same tokens and checks what comes out.
  ///
  /// - Returns: whether the models ran; when not, the report says why.
  /// - Throws: `usage` for tokens of the request that the source does not have; what reading throws.
  func checkModel(
    _ request: VerificationRequest, _ isCancelled: @escaping @Sendable () -> Bool,
    _ progress: @escaping @Sendable (VerificationProgress) -> Void,
    into report: inout VerificationReport
  ) throws(Failure) -> Bool {
    func skip(_ reason: String) -> Bool {
      report.notChecked.append("the logits level: \(reason)")
      return false
    }
    let models: (source: ModelEvaluator, converted: ModelEvaluator)
    let chosen: [Int]
    do throws(Failure) {
      models.source = try ModelEvaluator(source, jobs: request.jobs, isCancelled: isCancelled)
      chosen = try models.source.tokens(seed: request.seed)
    } catch  where error.isAboutTheModel {
      return skip("the source does not run: \(error)")
    }
    do throws(Failure) {
      models.converted = try ModelEvaluator(
        converted, jobs: request.jobs, isCancelled: isCancelled)
    } catch  where error.isAboutTheModel {
      if error.kind == .badInput { report.findings.append(failed(error)) }
      return error.kind == .badInput || skip("the converted model does not run: \(error)")
    }
    let tokens = request.tokens ?? chosen
    let byteCount = try models.source.byteCount(tokenCount: tokens.count, jobs: request.jobs)
    guard byteCount <= request.memoryByteLimit else {
      return skip(
        "it would take \(byteCount) bytes of memory for \(tokens.count) tokens, more than the "
          + "\(request.memoryByteLimit) allowed")
    }
    let comparison = ModelComparison(
      source: models.source, converted: models.converted, tokens: tokens, seed: request.seed,
      progress: progress)
    if let form = comparison.unknownForm {
      return skip("nothing is known of rounding to \(form)")
    }
    do throws(Failure) {
      let (metrics, place) = try comparison.metrics()
      report.model = metrics
      report.findings += findings(metrics, place, comparison)
    } catch  where error.kind == .badInput {
      report.findings.append(failed(error))
    }
    if models.source.settings.pools, !models.converted.settings.pools {
      report.notChecked.append(
        "how tokens are pooled: the converted checkpoint does not say how it pools")
    }
    report.notChecked.append(
      "what only more than \(tokens.count) tokens show: the models ran on "
        + (request.tokens == nil ? "tokens from seed \(request.seed)" : "the tokens given"))
    return true
  }

  private func failed(_ failure: Failure) -> Finding {
    Finding(
      .outputError, .model, .fail, measured: "the converted model does not run: \(failure)")
  }

  private func findings(
    _ metrics: ModelMetrics, _ place: String?, _ comparison: ModelComparison
  ) -> [Finding] {
    var result: [Finding] = []
    func add(
      _ check: Check.Name, _ holds: Bool, _ measured: String, bound: String? = nil
    ) {
      let causes = comparison.source.settings.differences(from: comparison.converted.settings)
      result.append(
        Finding(
          check, .model, holds ? .pass : .fail, measured: measured, bound: bound,
          place: holds ? nil : place,
          likelyCause: holds || causes.isEmpty ? nil : causes.joined(separator: "; ")))
    }
    add(
      .outputError, metrics.error <= metrics.errorBound, rounded(metrics.error),
      bound: rounded(metrics.errorBound))
    if let distribution = metrics.distribution {
      add(
        .klDivergence, distribution.meanKL <= metrics.meanKLBound, rounded(distribution.meanKL),
        bound: rounded(metrics.meanKLBound))
      add(.firstToken, distribution.lostFirstCount == 0, "\(distribution.lostFirstCount)")
    }
    if metrics.choiceCount > 0 {
      add(.expertChoice, metrics.lostChoiceCount == 0, "\(metrics.lostChoiceCount)")
    }
    return result
  }
}

extension Failure {
  /// Whether it says that a model is unknown or does not run, not that reading failed.
  fileprivate var isAboutTheModel: Bool {
    [.usage, .badInput, .missingInput].contains(kind)
  }
}

extension ModelEvaluator {
  /// Some tokens of the model.
  fileprivate func tokens(seed: UInt64) throws(Failure) -> [Int] {
    let vocabulary = try weights.shape(RoleInstance(.tokenEmbedding)).rows
    let count = min(TokenIDs.count, settings.contextLength ?? TokenIDs.count)
    return TokenIDs.random(count, below: vocabulary, seed: seed)
  }

  /// What comparing two models takes at most.
  ///
  /// - Units: bytes.
  fileprivate func byteCount(tokenCount: Int, jobs: Int) throws(Failure) -> Int {
    let (vocabulary, width) = try weights.shape(RoleInstance(.tokenEmbedding))
    // Three outputs with the states after each layer, and as much again while they are compared.
    let outputs = 2 * 3 * tokenCount * (vocabulary + (settings.layerCount + 1) * width)
    return 8 * (outputs + jobs * 4 * max(1 << 16, width * 8)) + 24 << 20
  }
}
