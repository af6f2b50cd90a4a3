import ByteIO
import GraphRewriting
import TensorTypes
import Tokenizers

/// A family of models: what its checkpoints call their tensors, how they store them, and what
/// their configs say.
public struct Architecture: Sendable {
  /// As `port list architectures` prints it.
  public let name: String
  /// Values of `architectures` in `config.json`.
  public let identifiers: [String]
  /// `model_type` in `config.json`.
  public let modelType: String
  /// Keys of `config.json` that GGUF does not hold because llama.cpp knows no other value.
  public let impliedConfig: [(key: ByteString, value: JSON)]
  /// `general.architecture` in GGUF, and the prefix of the model's keys there.
  public let ggufName: String
  /// Published names may stand with or without one of these in front; the first is the one written.
  public let prefixes: [String]
  /// The order of experts' rows is the order in which stacked tensors are written.
  public let mappings: [Mapping]
  public let drops: [Drop]
  /// Other spellings of published names.
  public let spellings: [Dialect.Spelling]
  /// The keys that the reference writes before `general.file_type`, in its order.
  public let hyperparameters: [Hyperparameter]
  /// The keys after it.
  public let ownHyperparameters: [Hyperparameter]
  public let tokenizer: TokenizerFamily
  /// Whether llama.cpp's graph for it rotates neighbouring pairs instead of halves, so that the
  /// rows of queries and keys change places.
  public let interleavesRoPE: Bool
  /// Whether sentence encoders are made from it, whose way of pooling is written.
  public let pools: Bool
  /// Tensors that follow from the config alone.
  public let literals:
    @Sendable (ModelConfig) throws(Failure) -> [(role: RoleInstance, literal: Literal)]
  /// The reference that fixes names, transforms and hyperparameters.
  public let source: String

  public static let all: [Architecture] = [
    llama, mistral, mixtral, qwen2, qwen3, qwen3moe, deepseekV2, deepseekV3, kimiK2, bert, gpt2,
  ]

  init(
    name: String, identifiers: [String], modelType: String? = nil,
    impliedConfig: [(key: ByteString, value: JSON)] = [], ggufName: String,
    prefixes: [String] = [""],
    mappings: [Mapping], drops: [Drop] = [], spellings: [Dialect.Spelling] = [],
    hyperparameters: [Hyperparameter],
    ownHyperparameters: [Hyperparameter] = [],
    tokenizer: TokenizerFamily, interleavesRoPE: Bool = false, pools: Bool = false,
    literals:
      @escaping @Sendable (ModelConfig) throws(Failure) -> [(role: RoleInstance, literal: Literal)] =
      {
        (_) throws(Failure) in []
      },
    source: String
  ) {
    self.name = name
    self.identifiers = identifiers
    self.modelType = modelType ?? name
    self.impliedConfig = impliedConfig
    self.ggufName = ggufName
    self.prefixes = prefixes
    self.mappings = mappings
    self.drops = drops
    self.spellings = spellings
    self.hyperparameters = hyperparameters
    self.ownHyperparameters = ownHyperparameters
    self.tokenizer = tokenizer
    self.interleavesRoPE = interleavesRoPE
    self.pools = pools
    self.literals = literals
    self.source = source
  }

  /// The architecture that a config names.
  ///
  /// - Throws: `badInput` naming the known ones when it names none of them.
  public static func of(_ config: ModelConfig) throws(Failure) -> Architecture {
    let stated = config.json["architectures"]?.array?.first?.string
    if let stated {
      // Some models state the class of another family, whose code runs them.
      let known = all.filter { $0.identifiers.contains(stated) }
      let type = config.json["model_type"]?.string
      if let exact = known.first(where: { $0.modelType == type }) ?? known.first { return exact }
    }
    throw Failure(
      .badInput, "the architecture is unknown; 'port inspect' and '--to safetensors' still work",
      file: config.file, subject: .key("architectures"),
      expected: "one of " + all.flatMap(\.identifiers).joined(separator: ", "),
      found: stated.map { "'\($0)'" } ?? "none")
  }

  /// Whether its models end in a head over the vocabulary.
  public var hasHead: Bool { mappings.contains { $0.role == .output } }

  /// The row of the tables with this key.
  public func hyperparameter(_ key: String) -> Hyperparameter? {
    (hyperparameters + ownHyperparameters).first { $0.key == key }
  }

  /// The names and forms of Hugging Face checkpoints.
  public var huggingFace: Dialect {
    Dialect(prefixes: prefixes, mappings: mappings, drops: drops, spellings: spellings)
  }
}
