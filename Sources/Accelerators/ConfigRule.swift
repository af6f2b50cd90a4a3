import ByteIO
import TensorTypes

/// One change that a conversion makes to `config.json`; what no rule names stays byte for byte.
public enum ConfigRule: Sendable, Hashable {
  /// Tensors hold values, no codes of another runtime.
  case dropQuantization
  /// Projections are FP8 blocks, as DeepSeek's releases state it.
  case stateBlocks
  /// Matrices have the dtype that torch gives this name.
  case stateDType(String)
  /// There are no layers that predict further tokens.
  case dropNextTokens
  /// What MindIE calls the models of DeepSeek.
  case nameMindIEModel
  /// How MindIE's layers are quantized.
  case stateMindIETypes(MindIETypes)

  /// What happens to one key.
  public enum Edit: Sendable, Hashable {
    case remove(ByteString)
    /// The new value of a member that is there and of the same kind.
    case replace(ByteString, JSON)
    /// A member at the end, in place of one with this key.
    case add(ByteString, JSON)
  }

  /// As `port list rules` prints it.
  public var name: String {
    switch self {
    case .dropQuantization: "drop-quantization"
    case .stateBlocks: "state-blocks"
    case .stateDType: "state-dtype"
    case .dropNextTokens: "drop-next-tokens"
    case .nameMindIEModel: "name-mindie-model"
    case .stateMindIETypes: "state-mindie-types"
    }
  }

  /// What it does, for people.
  public var law: String {
    switch self {
    case .dropQuantization:
      "quantization_config and compression_config are left out when tensors hold values"
    case .stateBlocks: "quantization_config is DeepSeek's when projections become FP8 blocks"
    case .stateDType: "torch_dtype and dtype are those of the scheme when it has one for matrices"
    case .dropNextTokens:
      "num_nextn_predict_layers is 0 when layers that predict further tokens are left out"
    case .nameMindIEModel: "model_type is deepseekv2 for MindIE's DeepSeek"
    case .stateMindIETypes:
      "quantize, mla_quantize, mtp_quantize and quantization_config say what MindIE's layers are"
    }
  }

  public var edits: [Edit] {
    switch self {
    case .dropQuantization: [.remove("quantization_config"), .remove("compression_config")]
    case .stateBlocks: [.add("quantization_config", ConfigRule.blocks)]
    case .stateDType(let name):
      [.replace("torch_dtype", .text(name)), .replace("dtype", .text(name))]
    case .dropNextTokens: [.replace("num_nextn_predict_layers", .integer(0))]
    case .nameMindIEModel: [.replace("model_type", .text("deepseekv2"))]
    case .stateMindIETypes(let types): types.edits
    }
  }

  private static let blocks = JSON.members([
    "activation_scheme": .text("dynamic"), "fmt": .text("e4m3"), "quant_method": .text("fp8"),
    "weight_block_size": .array([.integer(128), .integer(128)]),
  ])

  /// One of each kind, with what it makes of a config.
  public static let examples: [(rule: ConfigRule, before: String, after: String)] = [
    (
      .dropQuantization, #"{"quantization_config": {"fmt": "e4m3"}, "hidden_size": 8}"#,
      #"{"hidden_size": 8}"#
    ),
    (
      .stateBlocks, #"{"hidden_size": 8}"#,
      #"""
      {"hidden_size": 8,
        "quantization_config": {
          "activation_scheme": "dynamic",
          "fmt": "e4m3",
          "quant_method": "fp8",
          "weight_block_size": [128,128]
        }}
      """#
    ),
    (
      .stateDType("float16"), #"{"torch_dtype": "bfloat16", "dtype":"bfloat16"}"#,
      #"{"torch_dtype": "float16", "dtype":"float16"}"#
    ),
    (
      .dropNextTokens, #"{"num_nextn_predict_layers": 1}"#, #"{"num_nextn_predict_layers": 0}"#
    ),
    (
      .nameMindIEModel, #"{"model_type": "deepseek_v3"}"#, #"{"model_type": "deepseekv2"}"#
    ),
    (
      .stateMindIETypes(
        MindIETypes(linears: .w8a8Dynamic, attention: .w8a8, further: .w8a8Dynamic)),
      #"{"quantize": "float", "hidden_size": 8}"#,
      #"""
      {"hidden_size": 8,
        "quantize": "w8a8_dynamic",
        "mla_quantize": "w8a8",
        "mtp_quantize": "w8a8_dynamic",
        "quantization_config": {
          "fa_quant_type": null,
          "group_size": 0,
          "kv_quant_type": null
        }}
      """#
    ),
  ]

  /// The members of a config after some rules, in any order.
  public static func applying(_ rules: [ConfigRule], to config: JSONObject) -> JSONObject {
    var values: [ByteString: JSON] = [:]
    for member in config.members { values[member.key] = member.value }
    for edit in rules.flatMap(\.edits) {
      switch edit {
      case .remove(let key): values[key] = nil
      case .replace(let key, let value): if values[key] != nil { values[key] = value }
      case .add(let key, let value): values[key] = value
      }
    }
    var result = JSONObject()
    for (key, value) in values.sorted(by: { $0.key < $1.key }) { result.append(key, value) }
    return result
  }
}
