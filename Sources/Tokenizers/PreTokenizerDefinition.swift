import ByteIO
import TensorTypes

/// How a tokenizer normalizes text and splits it into words, read from its files in a form that
/// does not depend on how they spell it.
struct PreTokenizerDefinition: Sendable, Hashable {
  /// One step of splitting, with what decides about the words it makes.
  enum Step: Sendable, Hashable {
    /// Every match of a regular expression is a word, and what lies between matches too.
    case split(ByteString)
    case digits(individually: Bool)
    /// Bytes as characters, after splitting by GPT-2's expression or without.
    case byteLevel(splits: Bool)
    case punctuation(String)
    case other(String)
  }

  var steps: [Step]
  /// The types of the normalizers in their order, and `Lowercase` for BERT's where it does that.
  var normalizers: [String]
  /// Whether a word that is a token is taken as it is, whatever the merges say.
  var ignoresMerges: Bool
  /// Whether spaces before punctuation are removed from decoded text.
  var cleansUpSpaces: Bool
}

extension PreTokenizerDefinition {
  /// Reads `tokenizer.json`; where there is none, what the tokenizer's class does by itself.
  ///
  /// - Source: transformers 5.24.0 `tokenization_gpt2.py`, `tokenization_qwen2.py`,
  ///   `tokenization_bert.py`.
  init(_ files: TokenizerFiles) {
    let settings = files.settings
    if let definition = files.definition {
      self.init(definition, settings: settings)
      return
    }
    var steps: [Step] = []
    var normalizers: [String] = []
    switch files.className {
    case "GPT2Tokenizer": steps = [.byteLevel(splits: true)]
    case "Qwen2Tokenizer":
      steps = [.split(PreTokenizer.qwen2Pattern), .byteLevel(splits: false)]
      normalizers = ["NFC"]
    case "BertTokenizer":
      steps = [.other("BertPreTokenizer")]
      let lowercases = settings?["do_lower_case"]?.bool ?? true
      normalizers = lowercases ? ["BertNormalizer", "Lowercase"] : ["BertNormalizer"]
    default: break
    }
    self.init(
      steps: steps, normalizers: normalizers, ignoresMerges: false,
      cleansUpSpaces: settings?["clean_up_tokenization_spaces"]?.bool ?? true)
  }

  /// Reads `tokenizer.json` and `tokenizer_config.json`.
  init(_ definition: JSON, settings: JSON?) {
    steps = (definition["pre_tokenizer"] ?? .null).preTokenizerSteps
    normalizers = (definition["normalizer"] ?? .null).normalizerTypes
    ignoresMerges = definition["model"]?["ignore_merges"]?.bool ?? false
    cleansUpSpaces = settings?["clean_up_tokenization_spaces"]?.bool ?? true
  }
}

extension PreTokenizerDefinition: CustomStringConvertible {
  /// The steps in a few words, for messages.
  var description: String {
    steps.isEmpty ? "no steps" : steps.map(\.description).joined(separator: ", then ")
  }
}

extension PreTokenizerDefinition.Step: CustomStringConvertible {
  var description: String {
    switch self {
    case .split(let pattern): "Split /\(pattern)/"
    case .digits(let individually): individually ? "Digits, each alone" : "Digits"
    case .byteLevel(let splits): splits ? "ByteLevel with its expression" : "ByteLevel"
    case .punctuation(let behavior): "Punctuation \(behavior)"
    case .other(let type): type
    }
  }
}

extension JSON {
  /// The steps of a pre-tokenizer of `tokenizer.json`.
  fileprivate var preTokenizerSteps: [PreTokenizerDefinition.Step] {
    guard let type = self["type"]?.string else { return [] }
    switch type {
    case "Sequence": return (self["pretokenizers"]?.array ?? []).flatMap(\.preTokenizerSteps)
    case "Split": return [splitStep]
    case "Digits": return [.digits(individually: self["individual_digits"]?.bool ?? false)]
    case "Punctuation": return [.punctuation(self["behavior"]?.string ?? "Isolated")]
    case "ByteLevel":
      if self["add_prefix_space"]?.bool == true { return [.other("ByteLevel with a space before")] }
      return [.byteLevel(splits: self["use_regex"]?.bool ?? true)]
    default: return [.other(type)]
    }
  }

  /// To isolate the matches is the same as to remove what does not match, where everything does.
  private var splitStep: PreTokenizerDefinition.Step {
    let behavior = self["behavior"]?.string ?? ""
    let inverts = self["invert"]?.bool ?? false
    guard let pattern = self["pattern"]?["Regex"]?.string,
      behavior == "Isolated" && !inverts || behavior == "Removed" && inverts
    else { return .other("Split \(behavior)\(inverts ? " inverted" : "")") }
    return .split(ByteString(pattern.escapingLineEnds))
  }

  /// The types of a normalizer of `tokenizer.json`.
  fileprivate var normalizerTypes: [String] {
    guard let type = self["type"]?.string else { return [] }
    switch type {
    case "Sequence": return (self["normalizers"]?.array ?? []).flatMap(\.normalizerTypes)
    case "BertNormalizer":
      return self["lowercase"]?.bool == true ? [type, "Lowercase"] : [type]
    default: return [type]
    }
  }
}

extension String {
  /// A pattern with its line ends spelt `\r` and `\n`, for some files hold the characters.
  fileprivate var escapingLineEnds: String {
    var scalars = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      switch scalar {
      case "\r": scalars.append(contentsOf: "\\r".unicodeScalars)
      case "\n": scalars.append(contentsOf: "\\n".unicodeScalars)
      default: scalars.append(scalar)
      }
    }
    return String(scalars)
  }
}
