import TensorTypes

/// A pre-tokenizer that llama.cpp has built in, with the definitions it splits text like.
///
/// llama.cpp knows pre-tokenizers by name only. A row tells the name from the tokenizer's own
/// definition: the patterns that a `tokenizer.json` splits by are those that llama.cpp splits by
/// under that name. Where several names stand for the same behaviour, one of them has a row.
struct PreTokenizer: Sendable {
  typealias Step = PreTokenizerDefinition.Step

  /// `tokenizer.ggml.pre`.
  let name: String
  let steps: [Step]
  /// nil where normalizers do not tell this row from another.
  let normalizers: [String]?
  /// nil where it does not matter.
  let ignoresMerges: Bool?
  let cleansUpSpaces: Bool?
  /// Where the definition is published, or what states it.
  let source: String

  init(
    _ name: String, _ steps: [Step], normalizers: [String]? = nil, ignoresMerges: Bool? = nil,
    cleansUpSpaces: Bool? = nil, source: String
  ) {
    self.name = name
    self.steps = steps
    self.normalizers = normalizers
    self.ignoresMerges = ignoresMerges
    self.cleansUpSpaces = cleansUpSpaces
    self.source = source
  }

  func matches(_ definition: PreTokenizerDefinition) -> Bool {
    steps == definition.steps
      && normalizers ?? definition.normalizers == definition.normalizers
      && ignoresMerges ?? definition.ignoresMerges == definition.ignoresMerges
      && cleansUpSpaces ?? definition.cleansUpSpaces == definition.cleansUpSpaces
  }
}

/// - Source: llama.cpp `src/llama-vocab.cpp`, `llm_tokenizer_bpe` and `llama_vocab::impl::load`;
///   each row's `tokenizer.json`.
extension PreTokenizer {
  static let all: [PreTokenizer] = [
    PreTokenizer(
      "llama-bpe", [.split(llama3Pattern), .byteLevel(splits: false)], ignoresMerges: true,
      source: "meta-llama/Meta-Llama-3-8B"),
    PreTokenizer(
      "smaug-bpe", [.split(llama3Pattern), .byteLevel(splits: false)], ignoresMerges: false,
      source: "abacusai/Smaug-Llama-3-70B-Instruct; databricks/dbrx-base is split alike"),
    PreTokenizer(
      "jais-2", [.split(jais2Pattern), .byteLevel(splits: false)],
      source: "inceptionai/Jais-2-8B-Chat"),
    PreTokenizer(
      "minicpm5",
      [
        .split(#"\p{N}{1,3}"#), .split(cl100kPattern(numbers: #"\p{N}+"#)),
        .byteLevel(splits: false),
      ],
      source: "openbmb/MiniCPM5-1B"),
    PreTokenizer(
      "qwen2", [.split(qwen2Pattern), .byteLevel(splits: false)],
      source: "Qwen/Qwen1.5-7B; the same since"),
    PreTokenizer(
      "qwen35", [.split(qwen35Pattern), .byteLevel(splits: false)],
      source: "Qwen/Qwen3.5-9B-Instruct; transformers tokenization_qwen3_5.py"),
    PreTokenizer(
      "ufakzeka", [.split(withoutContractionsPattern), .byteLevel(splits: false)],
      source: "ufakai/ufakzeka-1"),
    PreTokenizer(
      "seed-coder", [.split(seedCoderPattern), .byteLevel(splits: false)],
      source: "ByteDance-Seed/Seed-Coder-8B-Base"),
    PreTokenizer(
      "bailingmoe", [.split(bailingPattern), .byteLevel(splits: false)],
      source: "inclusionAI/Ling-lite"),
    PreTokenizer(
      "exaone-moe", [.split(exaoneMoePattern), .byteLevel(splits: false)],
      source: "LGAI-EXAONE/K-EXAONE-236B-A23B"),
    PreTokenizer(
      "tekken", [.split(tekkenPattern), .byteLevel(splits: false)],
      source: "mistralai/Mistral-Nemo-Base-2407"),
    PreTokenizer(
      "gpt-4o", [.split(o200kPattern), .byteLevel(splits: false)],
      source: "Xenova/gpt-4o; meta-llama/Llama-4-Scout-17B-16E-Instruct is split alike"),
    PreTokenizer(
      "tiny_aya",
      [
        .split(#"\d{1,3}(?=(?:\d{3})*\b)"#), .split(o200kPattern), .byteLevel(splits: false),
      ],
      source: "CohereLabs/tiny-aya-base"),
    PreTokenizer(
      "gpt-2", [.byteLevel(splits: true)], normalizers: [],
      source: "openai-community/gpt2; microsoft/phi-2 is split alike"),
    PreTokenizer(
      "olmo", [.byteLevel(splits: true)], normalizers: ["NFC"],
      source: "allenai/OLMo-1.7-7B-hf; mosaicml/mpt-7b is split alike"),
    PreTokenizer(
      "starcoder", [.digits(individually: true), .byteLevel(splits: true)], normalizers: [],
      cleansUpSpaces: true,
      source: "bigcode/starcoder2-3b; smallcloudai/Refact-1_6-base is split alike"),
    PreTokenizer(
      "smollm", [.digits(individually: true), .byteLevel(splits: true)], normalizers: [],
      cleansUpSpaces: false, source: "HuggingFaceTB/SmolLM-135M"),
    PreTokenizer(
      "command-r", [.digits(individually: true), .byteLevel(splits: true)], normalizers: ["NFC"],
      source: "CohereForAI/c4ai-command-r-v01"),
    PreTokenizer(
      "falcon",
      [
        .punctuation("Contiguous"), .byteLevel(splits: true), .digits(individually: false),
        .split("[0-9][0-9][0-9]"),
      ],
      source: "tiiuae/falcon-7b"),
    PreTokenizer(
      "bloom", [.split(bloomPattern), .byteLevel(splits: false)], source: "bigscience/bloom"),
    PreTokenizer(
      "deepseek-llm",
      [
        .split(#"[\r\n]"#), .split(deepseekLetters), .split(deepseekPunctuation),
        .split(#"\s+$"#), .split(deepseekCJK), .digits(individually: true),
        .byteLevel(splits: false),
      ],
      source: "deepseek-ai/deepseek-llm-7b-base"),
    PreTokenizer(
      "deepseek-coder",
      [
        .split(#"[\r\n]"#), .split(#"\s?\p{L}+"#), .split(#"\s?\p{P}+"#), .split(deepseekCJK),
        .digits(individually: true), .byteLevel(splits: false),
      ],
      source: "deepseek-ai/deepseek-coder-6.7b-base"),
    PreTokenizer(
      "deepseek-v3",
      [
        .split(#"\p{N}{1,3}"#), .split(deepseek3CJK), .split(deepseek3Pattern),
        .byteLevel(splits: false),
      ],
      source: "deepseek-ai/DeepSeek-V3"),
    PreTokenizer(
      "spark2_5",
      [
        .split(#"\p{N}{1,3}"#), .split(deepseek3CJK), .split(sparkPattern),
        .digits(individually: true), .byteLevel(splits: false),
      ],
      source: "XHToken/Spark-X2.5-1.7B"),
    PreTokenizer(
      "jina-v2-en", [.other("BertPreTokenizer")], normalizers: ["BertNormalizer", "Lowercase"],
      source: "jinaai/jina-embeddings-v2-base-en; sentence-transformers/all-MiniLM-L6-v2"),
  ]

  // MARK: - Patterns, as `tokenizer.json` spells them

  private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

  /// The pattern of tiktoken's cl100k, from which others differ in how they split numbers.
  private static func cl100kPattern(numbers: String) -> ByteString {
    ByteString(
      contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers
        + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#)
  }

  private static let llama3Pattern = cl100kPattern(numbers: #"\p{N}{1,3}"#)
  static let qwen2Pattern = cl100kPattern(numbers: #"\p{N}"#)

  private static let jais2Pattern = ByteString(
    contractions
      + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"#
      + #"|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)"#
      + #"|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}"#)

  private static let qwen35Pattern = ByteString(
    contractions
      + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+"#
      + #"|\s+(?!\S)|\s+"#)

  private static let withoutContractionsPattern: ByteString =
    #"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  private static let seedCoderPattern = ByteString(
    contractions
      + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"#)

  private static let bailingPattern = ByteString(
    #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*"#
      + #"|\s*[\r\n]|\s+(?!\S)|\s+"#)

  private static let exaoneMoePattern = ByteString(
    contractions
      + #"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?"#
      + #"|\s*[\r\n]|\s+(?!\S)|\s+"#)

  /// Words that begin with upper case and go on in lower case, with or without contractions.
  private static func cased(_ ending: String, numbers: String) -> ByteString {
    ByteString(
      #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"# + ending
        + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#
        + ending + "|" + numbers
        + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#)
  }

  private static let tekkenPattern = cased("", numbers: #"\p{N}"#)
  private static let o200kPattern = cased(contractions + "?", numbers: #"\p{N}{1,3}"#)

  private static let bloomPattern: ByteString =
    " ?[^(\\s|[.,!?\u{2026}\u{3002}\u{FF0C}\u{3001}\u{964}\u{6D4}\u{60C}])]+"

  private static let deepseekCJK: ByteString =
    "[\u{4E00}-\u{9FA5}\u{800}-\u{4E00}\u{AC00}-\u{D7FF}]+"
  private static let deepseek3CJK: ByteString =
    "[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+"
  private static let deepseekPunctuation: ByteString =
    "\\s?[!-/:-~\u{FF01}-\u{FF0F}\u{FF1A}-\u{FF5E}\u{2018}-\u{201F}\u{3000}-\u{3002}]+"

  private static let deepseek3Words =
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
  private static let deepseek3Pattern = ByteString(
    deepseek3Words + #"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#)
  private static let sparkPattern = ByteString(
    deepseek3Words + #"| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"#)

  /// The letters of scripts with case.
  private static let deepseekLetters: ByteString = #"""
    \s?[A-Za-z\#
    \#u{B5}\#u{C0}-\#u{D6}\#u{D8}-\#u{F6}\#u{F8}-\#u{1BA}\#u{1BC}-\#u{1BF}\#u{1C4}-\#u{293}\#
    \#u{295}-\#u{2AF}\#u{370}-\#u{373}\#u{376}\#u{377}\#u{37B}-\#u{37D}\#u{37F}\#u{386}\#
    \#u{388}-\#u{38A}\#u{38C}\#u{38E}-\#u{3A1}\#u{3A3}-\#u{3F5}\#u{3F7}-\#u{481}\#
    \#u{48A}-\#u{52F}\#u{531}-\#u{556}\#u{10A0}-\#u{10C5}\#u{13A0}-\#u{13F5}\#
    \#u{13F8}-\#u{13FD}\#u{1C90}-\#u{1CBA}\#u{1CBD}-\#u{1CBF}\#u{1D00}-\#u{1D2B}\#
    \#u{1D6B}-\#u{1D77}\#u{1D79}-\#u{1D9A}\#u{1E00}-\#u{1F15}\#u{1F18}-\#u{1F1D}\#
    \#u{1F20}-\#u{1F45}\#u{1F48}-\#u{1F4D}\#u{1F50}-\#u{1F57}\#u{1F59}\#u{1F5B}\#u{1F5D}\#
    \#u{1F5F}-\#u{1F7D}\#u{1F80}-\#u{1FB4}\#u{1FB6}-\#u{1FBC}\#u{1FBE}\#u{1FC2}-\#u{1FC4}\#
    \#u{1FC6}-\#u{1FCC}\#u{1FD0}-\#u{1FD3}\#u{1FD6}-\#u{1FDB}\#u{1FE0}-\#u{1FEC}\#
    \#u{1FF2}-\#u{1FF4}\#u{1FF6}-\#u{1FFC}\#u{2102}\#u{2107}\#u{210A}-\#u{2113}\#u{2115}\#
    \#u{2119}-\#u{211D}\#u{2124}\#u{2126}\#u{2128}\#u{212A}-\#u{212D}\#u{212F}-\#u{2134}\#
    \#u{2139}\#u{213C}-\#u{213F}\#u{2145}-\#u{2149}\#u{214E}\#u{2183}\#u{2184}\#
    \#u{2C00}-\#u{2C7B}\#u{2C7E}-\#u{2CE4}\#u{2CEB}-\#u{2CEE}\#u{2CF2}\#u{2CF3}\#
    \#u{A640}-\#u{A66D}\#u{A680}-\#u{A69B}\#u{A722}-\#u{A76F}\#u{A771}-\#u{A787}\#
    \#u{A78B}-\#u{A78E}\#u{AB70}-\#u{ABBF}\#u{FB00}-\#u{FB06}\#u{FB13}-\#u{FB17}\#
    \#u{FF21}-\#u{FF3A}\#u{FF41}-\#u{FF5A}\#u{10400}-\#u{1044F}\#u{104B0}-\#u{104D3}\#
    \#u{104D8}-\#u{104FB}\#u{10C80}-\#u{10CB2}\#u{10CC0}-\#u{10CF2}\#u{118A0}-\#u{118DF}\#
    \#u{1E900}-\#u{1E943}\#
    ]+
    """#
}
