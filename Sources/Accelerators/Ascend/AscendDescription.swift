import ByteIO
import TensorTypes

/// `quant_model_description.json`: what type each tensor of a folder has.
///
/// - Source: msmodelslim 26.1.0, `core/quant_service/modelslim_v1/save/ascendv1.py`.
public enum AscendDescription {
  public static let fileName = "quant_model_description.json"
  /// What the names of weight files begin with.
  public static let weights = "quant_model_weights"
  /// - Units: bytes of payload of one part where the user does not say.
  public static let partByteLimit = 4 << 30

  /// Keys that name no tensor.
  private static let globals: Set<ByteString> = [
    "version", "model_quant_type", "group_size", "metadata", "optional", "kv_quant_type",
    "kv_cache_type", "fa_quant_type",
  ]

  /// The text of a description: what holds for all, then the tensors by name, a line each.
  public static func text(_ tensors: [(name: ByteString, type: AscendType)]) -> [UInt8] {
    var writer = JSONWriter()
    writer.open("{")
    for (key, text) in [
      ("version", "1.0.0"), ("model_quant_type", AscendType.naming(tensors.map(\.type)).rawValue),
    ] {
      writer.key(ByteString(key), spaced: true)
      writer.string(ByteString(text))
    }
    writer.key("group_size", spaced: true)
    writer.integer(tensors.lazy.map(\.type.groupSize).max() ?? 0)
    for key: ByteString in ["metadata", "optional"] {
      writer.key(key, spaced: true)
      writer.open("{")
      writer.close("}")
    }
    for tensor in tensors.sorted(by: { $0.name < $1.name }) {
      writer.newline(indentation: 1)
      writer.key(tensor.name, spaced: true)
      writer.string(ByteString(tensor.type.rawValue))
    }
    writer.endLine(indentation: 0)
    writer.close("}")
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  /// The types of the weights of a folder; nil when it holds no description.
  ///
  /// - Throws: `badInput` for a description with types that are unknown.
  public static func types(
    of folder: Folder
  ) throws(Failure) -> [ByteString: AscendType]? {
    guard let json = try folder.json(fileName) else { return nil }
    var types: [ByteString: AscendType] = [:]
    for member in json.object?.members ?? [] where !globals.contains(member.key) {
      let (name, value) = (member.key, member.value)
      guard let type = value.string.flatMap(AscendType.init) else {
        throw Failure(
          .badInput, "the type is unknown", file: folder.path(of: fileName), subject: .key(name),
          expected: AscendType.allCases.map(\.rawValue).joined(separator: ", "),
          found: value.string.map { "'\($0)'" } ?? "no text")
      }
      types[name] = type
    }
    return types
  }
}
