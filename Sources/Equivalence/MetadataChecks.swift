import Accelerators
import Architectures
import ByteIO
import TensorTypes
import WeightFormats

extension Expectation {
  /// Checks the keys of a GGUF file that its runtime reads.
  func checkMetadata(into report: inout VerificationReport) {
    guard converted.format == .gguf else { return }
    if source.format == .gguf {
      check(source.metadata, into: &report)
    } else if let architecture, let config, let folder = source.folder {
      check(derived(architecture, config, folder, into: &report), into: &report)
    }
  }

  /// The metadata that follows from config and tokenizer. Without a usable tokenizer, at least the
  /// hyperparameters.
  private func derived(
    _ architecture: Architecture, _ config: ModelConfig, _ folder: Folder,
    into report: inout VerificationReport
  ) -> Metadata {
    let counts = ParameterCounts(total: 0, shared: 0, expert: 0, expertCount: 0)
    do throws(Failure) {
      return try ggufMetadata(
        architecture, config: config, folder: folder, fileType: 0, parameters: counts
      ).metadata
    } catch {
      report.findings.append(
        Finding(
          .tokenizer, .model, .inconclusive, measured: "the source gives no metadata: \(error)"))
    }
    var metadata = Metadata()
    metadata.append("general.architecture", .text(architecture.ggufName))
    for row in architecture.hyperparameters + architecture.ownHyperparameters {
      guard let value = try? row.value(config) else { continue }
      metadata.append(ByteString("\(architecture.ggufName).\(row.key)"), value)
    }
    return metadata
  }

  private func check(_ expected: Metadata, into report: inout VerificationReport) {
    let found = converted.metadata
    let name = expected["general.architecture"]?.string?.text ?? ""
    let runtime = RuntimeDefaults(found, architecture: name)
    let isOther = found["general.architecture"]?.string?.text != name
    let hasTokenizer = expected.items.contains { $0.key.hasPrefix("tokenizer.") }
    if !hasTokenizer {
      report.notChecked.append("the tokenizer: the source gives no keys to compare with")
    }
    for item in expected.items {
      guard let check = kind(of: item.key, name) else { continue }
      let stored = found[item.key]
      let value = stored ?? runtime.value(of: item.key)
      let isSame = value.map { means($0, item.value) } ?? false
      report.findings.append(
        Finding(
          check, .key(item.key), isSame ? .pass : .fail,
          measured: value.map(\.summary) ?? "nothing", bound: item.value.summary,
          likelyCause: isSame
            ? nil
            : isOther
              ? "the files are of different models"
              : cause(item.value, stored, implied: value)))
    }
    for item in found.items where expected[item.key] == nil {
      if let check = kind(of: item.key, name), check != .tokenizer || hasTokenizer,
        check != .tokenizer || Expectation.tokenizerSwitches.contains(item.key.text)
      {
        let implied = RuntimeDefaults(expected, architecture: name).value(of: item.key)
        let isImplied = implied.map { means(item.value, $0) } ?? false
        report.findings.append(
          Finding(
            check, .key(item.key), isImplied ? .pass : .fail, measured: item.value.summary,
            bound: implied.map(\.summary) ?? "nothing: the source does not have it",
            likelyCause: isImplied ? nil : "the key was added"))
      } else if !Expectation.isDescription(item.key) {
        report.notes.append("'\(item.key)' is in the converted file only")
      }
    }
    if source.format == .gguf {
      for item in expected.items where kind(of: item.key, name) == nil {
        if found[item.key] != item.value, !Expectation.isDescription(item.key) {
          report.notes.append("'\(item.key)' differs or is missing; no runtime computes with it")
        }
      }
    }
  }

  /// The check that a key belongs to; nil for keys that describe.
  private func kind(of key: ByteString, _ architecture: String) -> Check.Name? {
    if key == "general.architecture" { return .architecture }
    if key.hasPrefix(architecture + ".") { return .hyperparameter }
    if key.hasPrefix("tokenizer.") { return .tokenizer }
    return nil
  }

  /// Keys that a runtime acts on when they are there, and takes a default for when they are not.
  private static let tokenizerSwitches: Set<String> = [
    "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens",
    "tokenizer.ggml.scores", "tokenizer.ggml.token_type", "tokenizer.ggml.merges",
    "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token",
    "tokenizer.ggml.add_sep_token", "tokenizer.ggml.add_space_prefix",
    "tokenizer.ggml.remove_extra_whitespaces", "tokenizer.ggml.precompiled_charsmap",
  ]

  /// Keys that say what a file is, how it was made and how it is divided.
  private static func isDescription(_ key: ByteString) -> Bool {
    ["general.", "quantize.", "split."].contains { key.hasPrefix($0) }
  }

  private func cause(
    _ expected: MetadataValue, _ found: MetadataValue?, implied: MetadataValue?
  ) -> String? {
    guard let found else {
      return "the key was left out" + (implied.map { ": the runtime takes \($0.summary)" } ?? "")
    }
    if case .array(let a) = expected, case .array(let b) = found {
      return cause(a.summaries, b.summaries)
    }
    guard let a = expected.number, let b = found.number, a != 0, b != 0 else { return nil }
    let difference =
      expected.isSingle
      ? UInt64(Float(a).bitPattern ^ Float(b).bitPattern)
      : UInt64(truncatingIfNeeded: (expected.integer ?? 0) ^ (found.integer ?? 0))
    return "it is \(rounded(b / a)) times the source's"
      + (difference.nonzeroBitCount == 1 ? ", and one bit differs" : "")
  }

  private func cause(_ expected: [String], _ found: [String]) -> String? {
    let first = zip(expected, found).enumerated().first { $1.0 != $1.1 }
    let place = first.map { "entry \($0.offset) is \($0.element.1) instead of \($0.element.0)" }
    if expected.count != found.count {
      let difference = (expected.count - found.count).magnitude
      return "\(difference) \(difference == 1 ? "entry" : "entries") "
        + (found.count < expected.count ? "less" : "more") + (place.map { ": " + $0 } ?? "")
    }
    if Set(expected) == Set(found), let place {
      return "the same entries in another order: " + place
    }
    return place
  }
}

/// What llama.cpp takes for a key that a file does not have.
///
/// - Source: llama.cpp `src/llama-model.cpp`, `load_hparams`.
private struct RuntimeDefaults {
  let metadata: Metadata
  let architecture: String

  init(_ metadata: Metadata, architecture: String) {
    self.metadata = metadata
    self.architecture = architecture
  }

  func value(of key: ByteString) -> MetadataValue? {
    guard key.hasPrefix(architecture + ".") else { return nil }
    let own = String(key.text.dropFirst(architecture.count + 1))
    switch own {
    case "vocab_size":
      guard case .array(let tokens) = metadata["tokenizer.ggml.tokens"] else { return nil }
      return .int64(Int64(tokens.count))
    case "attention.head_count_kv": return self["attention.head_count"]
    case "attention.key_length", "attention.value_length": return headLength
    case "rope.dimension_count": return self["attention.key_length"] ?? headLength
    case "rope.freq_base": return .float32(10000)
    case "rope.scaling.factor": return .float32(1)
    case "attention.causal": return .bool(true)
    case "expert_count", "expert_used_count": return .uint32(0)
    default: return nil
    }
  }

  private subscript(key: String) -> MetadataValue? {
    metadata[ByteString("\(architecture).\(key)")]
  }

  private var headLength: MetadataValue? {
    guard let length = self["embedding_length"]?.integer,
      let heads = self["attention.head_count"]?.integer, heads > 0
    else { return nil }
    return .int64(Int64(length / heads))
  }
}

/// Whether two values say the same to a runtime, whatever their types: numbers as numbers, one
/// number for each layer as one number when all are equal.
func means(_ a: MetadataValue, _ b: MetadataValue) -> Bool {
  if a == b { return true }
  switch (a, b) {
  case (.array(let x), .array(let y)):
    return x.count == y.count
      && (0..<x.count).allSatisfy { position in
        guard let p = x.number(position), let q = y.number(position) else { return false }
        return isSame(p, q, isSingle: x.isSingle || y.isSingle)
      }
  case (.array(let array), let single), (let single, .array(let array)):
    guard let number = single.number, array.count > 0 else { return false }
    return (0..<array.count).allSatisfy { array.number($0) == number }
  default:
    guard let x = a.number, let y = b.number else { return false }
    return isSame(x, y, isSingle: a.isSingle || b.isSingle)
  }
}

private func isSame(_ a: Double, _ b: Double, isSingle: Bool) -> Bool {
  a == b || isSingle && Float(a) == Float(b)
}

extension MetadataValue {
  fileprivate var isSingle: Bool { if case .float32 = self { true } else { false } }

  /// The value in a few words.
  var summary: String {
    switch self {
    case .bool(let value): "\(value)"
    case .string(let text):
      text.utf8.count <= 60 ? "'\(text)'" : "a text of \(text.utf8.count) bytes"
    case .float32(let value): "\(value)"
    case .float64(let value): "\(value)"
    case .array(let array):
      array.count <= 8
        ? "[\(array.summaries.joined(separator: ", "))]"
        : "\(array.count) of \(array.elementTypeName)"
    default: integer.map(String.init) ?? number.map { "\($0)" } ?? typeName
    }
  }
}

extension MetadataArray {
  fileprivate var isSingle: Bool { if case .float32 = self { true } else { false } }

  /// An element as a number; nil for strings and truth values.
  fileprivate func number(_ position: Int) -> Double? { element(position).number }

  /// The elements in a few words each.
  fileprivate var summaries: [String] { (0..<count).map { element($0).summary } }

  private func element(_ position: Int) -> MetadataValue {
    switch self {
    case .uint8(let a): .uint8(a[position])
    case .int8(let a): .int8(a[position])
    case .uint16(let a): .uint16(a[position])
    case .int16(let a): .int16(a[position])
    case .uint32(let a): .uint32(a[position])
    case .int32(let a): .int32(a[position])
    case .uint64(let a): .uint64(a[position])
    case .int64(let a): .int64(a[position])
    case .float32(let a): .float32(a[position])
    case .float64(let a): .float64(a[position])
    case .bool(let a): .bool(a[position])
    case .string(let a): .string(a[position])
    }
  }
}

/// A number to some significant digits.
func rounded(_ value: Double, digits count: Int = 3) -> String {
  // Beyond these, the powers of ten below would not be finite.
  guard (1e-300...1e300).contains(value.magnitude) else { return value.isNaN ? "nan" : "\(value)" }
  var least = 1.0
  for _ in 1..<count { least *= 10 }
  var scale = 1.0
  while value.magnitude * scale < least { scale *= 10 }
  while value.magnitude * scale >= 10 * least { scale /= 10 }
  let digits = (value * scale).rounded()
  let text = "\(scale >= 1 ? digits / scale : digits * (1 / scale))"
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
