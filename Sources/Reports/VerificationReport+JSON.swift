import ByteIO
import Equivalence
import TensorTypes

extension VerificationReport {
  /// For programs, of the schema `port.verification/1`.
  public var json: JSON {
    var sampling = JSON.text("all")
    if case .rows(let count) = sample { sampling = .integer(count) }
    return .members([
      "schema": .text("port.verification/1"),
      "source": .text(source),
      "converted": .text(converted),
      "verdict": .text(verdict.rawValue),
      "sample": sampling,
      "seed": .text(String(seed)),
      "tokens": tokens.map { .array($0.map(JSON.integer)) },
      "compared_values": .integer(comparedCount),
      "values": .integer(elementCount),
      "levels": .array(
        levels.map { level in
          .members([
            "level": .text(level.level.rawValue), "verdict": .text(level.verdict.rawValue),
            "checks": .integer(level.findingCount), "failures": .integer(level.failureCount),
          ])
        }),
      "findings": .array(findings.map(\.json)),
      "tensors": .array(tensors.map(\.json)),
      "model": model.map(\.json),
      "notes": .array(notes.map(JSON.text)),
      "not_checked": .array(notChecked.map(JSON.text)),
    ])
  }
}

extension Finding {
  fileprivate var json: JSON {
    var kind = "model"
    var name: JSON?
    switch subject {
    case .tensor(let tensor): (kind, name) = ("tensor", .string(tensor))
    case .key(let key): (kind, name) = ("key", .string(key))
    case .file(let file): (kind, name) = ("file", .text(file))
    case .model: break
    }
    return .members([
      "check": .text(check.rawValue),
      "level": .text(Check[check].level.rawValue),
      "subject": .text(kind),
      "name": name,
      "verdict": .text(verdict.rawValue),
      "measured": .text(measured),
      "bound": .text(bound),
      "because": .text(because),
      "place": place.map(JSON.text),
      "likely_cause": likelyCause.map(JSON.text),
      "derivation": derivation.map(JSON.text),
    ])
  }
}

extension TensorReport {
  fileprivate var json: JSON {
    .members([
      "name": .string(name),
      "role": role.map { .text($0.description) },
      "layer": layer.map(JSON.integer),
      "expected": .text(expected.description),
      "found": .text(found.description),
      "law": .text(law),
      "verdict": .text(verdict.rawValue),
      "metrics": metrics.map(\.json),
      "operators": operators.map(\.json),
      "derivation": derivation.map(JSON.text),
    ])
  }
}

extension Metrics {
  var json: JSON {
    .members([
      "compared": .integer(comparedCount),
      "elements": .integer(elementCount),
      "max_absolute_error": .number(maximumAbsoluteError),
      "max_relative_error": .number(maximumRelativeError),
      "relative_rmse": .number(relativeRMSE),
      "cosine": .number(cosine),
      "equal_share": .number(equalShare),
      "saturated": .integer(saturatedCount),
      "special_mismatches": .integer(specialMismatchCount),
      "worst_block": worstBlock.map {
        .members(["index": .integer($0.index), "error": .number($0.error)])
      },
      "worst": worst.map {
        .members([
          "element": .integer($0.element), "source": .number($0.source),
          "converted": .number($0.converted),
        ])
      },
      "block_histogram": blockHistogram.isEmpty ? nil : .array(blockHistogram.map(JSON.integer)),
      "ulp_histogram": ulpHistogram.isEmpty
        ? nil : .array(ulpHistogram.map(JSON.integer)),
      "source": source.json,
      "converted": converted.json,
    ])
  }
}

extension Metrics.Counts {
  fileprivate var json: JSON {
    .members(["nan": .integer(nan), "infinite": .integer(infinite), "zero": .integer(zero)])
  }
}

extension OperatorMetrics {
  fileprivate var json: JSON {
    .members([
      "rows": .integer(rowCount), "probes": .integer(probeCount), "error": .number(error),
      "bound": .number(bound), "weight_error": .number(weightError),
      "weight_bound": .number(weightBound), "worst_row": worstRow.map(JSON.integer),
    ])
  }
}

extension ModelMetrics {
  fileprivate var json: JSON {
    .members([
      "tokens": .integer(tokenCount),
      "error": .number(error),
      "error_bound": .number(errorBound),
      "distribution": distribution.map { own in
        .members([
          "mean_kl": .number(own.meanKL), "p99_kl": .number(own.p99KL),
          "max_kl": .number(own.greatestKL), "mean_kl_bound": .number(meanKLBound),
          "top_1_agreement": .number(own.sameFirst), "top_5_agreement": .number(own.sameFive),
          "lost_first_tokens": .integer(own.lostFirstCount),
          "source_perplexity": own.sourcePerplexity.map(JSON.number),
          "converted_perplexity": own.convertedPerplexity.map(JSON.number),
        ])
      },
      "expert_choices": .integer(choiceCount),
      "other_expert_choices": .integer(otherChoiceCount),
      "lost_expert_choices": .integer(lostChoiceCount),
      "layer_errors": .array(layerErrors.map(JSON.number)),
      "layer_noise": .array(layerNoise.map(JSON.number)),
    ])
  }
}
