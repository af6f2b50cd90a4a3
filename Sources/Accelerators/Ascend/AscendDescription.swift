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

  public static func text(_ tensors: [(name: ByteString, type: AscendType)]) -> [UInt8] {
    var object = JSONObject()
    object.append("version", .text("1.0.0"))
    object.append("model_quant_type", .text(AscendType.naming(tensors.map(\.type)).rawValue))
    object.append("group_size", .integer(tensors.map(\.type.groupSize).max() ?? 0))
    object.append("metadata", .object(JSONObject()))
    object.append("optional", .object(JSONObject()))
    for tensor in tensors { object.append(tensor.name, .text(tensor.type.rawValue)) }
    return JSON.object(object).sortedText
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
