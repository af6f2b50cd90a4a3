import Architectures
import ByteIO
import TensorTypes

/// What MindIE before 2.1.RC1 is told of the layers of a model: one type for the attention of MLA,
/// one for layers that predict further tokens, one for all others; FLOAT may stand anywhere.
///
/// - Source: msmodelslim 26.1.0, `save/mindie_format.py`, and `example/common/copy_config_files.py`;
///   atb_llm, `modeling_deepseekv2.py`.
public struct MindIETypes: Sendable, Hashable {
  public let linears: AscendType
  /// nil where it is that of other linears.
  public let attention: AscendType?
  /// nil where it is that of other layers.
  public let further: AscendType?
  /// Whether keys and values are held as int8.
  public let hasCache: Bool

  init(
    linears: AscendType, attention: AscendType? = nil, further: AscendType? = nil,
    hasCache: Bool = false
  ) {
    self.linears = linears
    self.attention = attention
    self.further = further
    self.hasCache = hasCache
  }

  /// The types that it knows.
  static let known: [AscendType] = [.float, .w8a8, .w8a8Dynamic]

  /// - Parameters:
  ///   - tensors: all of a folder.
  ///   - layerCount: layers beyond predict further tokens.
  /// - Throws: `usage` for a model that it cannot be told about.
  public init(
    _ architecture: Architecture, layerCount: Int,
    _ tensors: [(name: ByteString, role: RoleInstance?, type: AscendType)]
  ) throws(Failure) {
    var found: [Part: (name: ByteString, type: AscendType)] = [:]
    for (name, role, type) in tensors where type != .float {
      guard let role, role.bindings.part == .weight, name.hasSuffix(".weight") else { continue }
      guard MindIETypes.known.contains(type) else {
        throw Failure(
          .usage, "MindIE does not know the tensor's type", subject: .tensor(name),
          expected: MindIETypes.known.map(\.spelling).joined(separator: ", "), found: type.spelling)
      }
      let isFurther = role.bindings.layer ?? 0 >= layerCount
      let isLatent = architecture.hasLatentAttention && role.role.isAttention
      let part: Part = isFurther ? .further : isLatent ? .attention : .linears
      guard let other = found[part] else {
        found[part] = (name, type)
        continue
      }
      guard other.type == type else {
        throw Failure(
          .usage, "MindIE gives one type to \(part.rawValue)", subject: .tensor(name),
          expected: "\(other.type.spelling), as '\(other.name)' has", found: type.spelling)
      }
    }
    let own = found.mapValues(\.type)
    guard let linears = own[.linears] ?? own[.attention] ?? own[.further] else {
      throw Failure(
        .usage, "nothing is quantized, and MindIE loads such models as they are",
        expected: "a quantized layer", found: "none")
    }
    let attention = own[.attention] ?? linears
    let further = own[.further] ?? attention
    self.linears = linears
    self.attention = attention == linears ? nil : attention
    self.further = further == attention ? nil : further
    hasCache = tensors.contains { $0.type == .c8 }
  }

  private enum Part: String {
    case linears = "all layers"
    case attention = "all attention"
    case further = "layers that predict further tokens"
  }

  /// Of a folder with these tensors; every name has it in it.
  public var suffix: String { MindIETypes.spelling(linears) }

  fileprivate static func spelling(_ type: AscendType) -> String { type.rawValue.lowercased() }

  var edits: [ConfigRule.Edit] {
    func type(_ key: ByteString, _ type: AscendType?) -> ConfigRule.Edit {
      type.map { .add(key, .text(MindIETypes.spelling($0))) } ?? .remove(key)
    }
    let cache: JSON = hasCache ? .text(AscendType.c8.rawValue) : .null
    return [
      type("quantize", linears), type("mla_quantize", attention), type("mtp_quantize", further),
      .remove("compression_config"),
      .add(
        "quantization_config",
        .members(["fa_quant_type": .null, "group_size": .integer(0), "kv_quant_type": cache])),
    ]
  }

  /// How a config says it.
  public func configRules(_ architecture: Architecture) -> [ConfigRule] {
    let isDeepSeek = ["deepseek_v2", "deepseek_v3"].contains(architecture.name)
    return (isDeepSeek ? [.nameMindIEModel] : []) + [.stateMindIETypes(self)]
  }
}
