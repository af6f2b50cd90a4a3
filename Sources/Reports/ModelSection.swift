import Equivalence

extension VerificationReport {
  /// How far apart the two models are on the same tokens; nothing when they did not run.
  @MarkupBuilder var modelSection: Markup {
    if let model {
      VerificationReport.section("model", "The whole model") {
        Markup.element("div", ["class": "plots"]) {
          Markup.element(
            "dl",
            [
              "class": "facts", "data-tokens": "\(model.tokenCount)",
              "data-error": "\(model.error)",
              "data-mean-kl": model.distribution.map { "\($0.meanKL)" },
            ]
          ) {
            for (name, text) in model.facts {
              Markup.element("dt") { name }
              Markup.element("dd") { text }
            }
          }
          ErrorSurvey(model).layerPlot(
            id: "hidden-states", title: "Error of the hidden states through the model",
            measure: "RMS of the error / RMS of the source", axis: "layers passed")
        }.line
      }
    }
  }
}

extension ModelMetrics {
  fileprivate var facts: [(String, String)] {
    var facts = [("tokens", Amount.count(tokenCount))]
    if let own = distribution {
      facts += [
        ("error of logits", "\(Amount.real(error)), bound \(Amount.real(errorBound))"),
        (
          "mean KL divergence",
          "\(Amount.real(own.meanKL)) nats, bound \(Amount.real(meanKLBound))"
        ),
        ("99th percentile", "\(Amount.real(own.p99KL)) nats"),
        ("largest", "\(Amount.real(own.greatestKL)) nats"),
        ("first token equal", "\(Amount.share(own.sameFirst)) of positions"),
        ("first five equal", Amount.share(own.sameFive)),
        ("lost first tokens", "\(Amount.count(own.lostFirstCount)) that led by more than noise"),
      ]
      if let source = own.sourcePerplexity, let converted = own.convertedPerplexity {
        facts.append(
          ("perplexity", "\(Amount.real(source)) became \(Amount.real(converted))"))
      }
    } else {
      facts.append(
        ("error of hidden states", "\(Amount.real(error)), bound \(Amount.real(errorBound))"))
    }
    if choiceCount > 0 {
      facts.append(
        (
          "choices of experts",
          "\(Amount.count(choiceCount)), \(Amount.count(otherChoiceCount)) differ, "
            + "\(Amount.count(lostChoiceCount)) by more than noise"
        ))
    }
    return facts
  }
}
