import ByteIO
import TensorTypes
import WeightFormats

/// `quant_model_description.json`: what type each tensor of a folder has.
///
/// - Source: msmodelslim 26.1.0, `core/quant_service/modelslim_v1/save/ascendv1.py` and
///   `mindie_format.py`.
public struct AscendDescription: Sendable {
  /// The type of each tensor.
  public let types: [ByteString: AscendType]
  /// Columns that share a scale of W8A16; 0 when whole rows do.
  public let groupSize: Int
  /// What is said of all tensors: values by key.
  public let statements: [ByteString: JSON]
  public let fileName: String
  public let variant: Target.Variant?

  /// - Parameter mindie: what MindIE is told, for a folder that it reads.
  public static func fileName(_ mindie: MindIETypes?) -> String {
    "quant_model_description\(mindie.map { "_\($0.suffix)" } ?? "").json"
  }

  /// What the names of weight files begin with.
  public static func weights(_ mindie: MindIETypes?) -> String {
    mindie.map { "quant_model_weight_\($0.suffix)" } ?? "quant_model_weights"
  }

  /// - Units: bytes of payload of one part where the user does not say.
  public static let partByteLimit = 4 << 30

  /// What says that the cache is of type C8; the runtime reads the first.
  public static let cacheKeys: [ByteString] = ["kv_cache_type", "kv_quant_type"]

  /// The text of a description: what holds for all, then the tensors by name, a line each.
  ///
  /// - Parameter groupSize: columns that share a scale of W8A16; 0 when whole rows do.
  public static func text(
    _ tensors: [(name: ByteString, type: AscendType)], groupSize: Int,
    _ mindie: MindIETypes? = nil
  ) -> [UInt8] {
    var writer = JSONWriter()
    writer.open("{")
    if mindie == nil {
      writer.key("version", spaced: true)
      writer.string("1.0.0")
    }
    writer.key("model_quant_type", spaced: true)
    let model = mindie?.linears ?? AscendType.naming(tensors.map(\.type))
    writer.string(ByteString(model.rawValue))
    if mindie == nil {
      writer.key("group_size", spaced: true)
      let sizes = tensors.lazy.map { $0.type.isMX ? 32 : $0.type == .w8a16 ? groupSize : 0 }
      writer.integer(sizes.max() ?? 0)
    }
    if tensors.contains(where: { $0.type == .c8 }) {
      for key in cacheKeys {
        writer.key(key, spaced: true)
        writer.string(ByteString(AscendType.c8.rawValue))
      }
    }
    if mindie == nil {
      for key: ByteString in ["metadata", "optional"] {
        writer.key(key, spaced: true)
        writer.open("{")
        writer.close("}")
      }
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

  /// Reads the description of a folder; nil when it holds none.
  ///
  /// - Throws: `badInput` for several descriptions, for one that is no object, and for one with types
  ///   that are unknown.
  public init?(of folder: Folder) throws(Failure) {
    let own = AscendDescription.fileName(nil)
    let others = folder.names.filter {
      $0.hasPrefix("quant_model_description_") && $0.hasSuffix(".json")
    }
    let names = (folder.contains(own) ? [own] : []) + others
    guard let fileName = names.first, let json = try folder.json(fileName) else { return nil }
    guard names.count == 1 else {
      throw Failure(
        .badInput, "the folder has several descriptions", file: folder.path, expected: "one",
        found: names.joined(separator: ", "))
    }
    self.fileName = fileName
    variant = fileName == own ? nil : .mindie
    var types: [ByteString: AscendType] = [:]
    var statements: [ByteString: JSON] = [:]
    func failure(
      _ message: String, _ key: ByteString, expected: String, _ value: JSON
    ) -> Failure {
      Failure(
        .badInput, message, file: folder.path(of: fileName), subject: .key(key),
        expected: expected,
        found: value.summary)
    }
    guard let object = json.object else {
      throw Failure(
        .badInput, "the description is no JSON object", file: folder.path(of: fileName))
    }
    for member in object.members {
      // Names of tensors have a dot.
      guard member.key.utf8.contains(UInt8(ascii: ".")) else {
        statements[member.key] = member.value
        continue
      }
      guard let type = member.value.string.flatMap(AscendType.init) else {
        throw failure(
          "the type is unknown", member.key,
          expected: AscendType.allCases.map(\.rawValue).joined(separator: ", "), member.value)
      }
      types[member.key] = type
    }
    self.types = types
    self.statements = statements
    // Where there are no groups of this kind, the runtime does not read it, or it is theirs.
    guard let value = statements["group_size"], types.values.contains(.w8a16) else {
      groupSize = 0
      return
    }
    guard let size = value.integer, (0...1 << 20).contains(size) else {
      throw failure(
        "the group size is not usable", "group_size", expected: "a whole number up to 2^20", value)
    }
    groupSize = size
  }
}

extension AscendDescription {
  /// Whether the runtime is told of int8 in the cache of keys and values.
  public var hasCache: Bool {
    statements[AscendDescription.cacheKeys[0]]?.string == AscendType.c8.rawValue
  }

  /// Something that the runtime must be told of all tensors.
  public struct Need: Sendable {
    public let key: ByteString
    public let value: JSON
    /// What the runtime takes when nothing is said; nil when that is the value.
    public let otherwise: String?
  }

  /// What the runtime must be told, or it would read the tensors in another way.
  ///
  /// - Source: vllm-ascend 0.23.0, `quantization/methods`.
  public var needs: [Need] {
    // MindIE knows none of these types.
    guard variant == nil else { return [] }
    let present = Set(types.values)
    if present.contains(.w4a8Dynamic) {
      return [
        Need(key: "version", value: .text("1.0.0"), otherwise: "codes that are not packed"),
        Need(key: "group_size", value: .integer(0), otherwise: "256"),
      ]
    }
    guard present.contains(where: \.isMX) else { return [] }
    return [Need(key: "group_size", value: .integer(32), otherwise: nil)]
  }

  /// The types that may name the model: those of its tensors, and FLOAT when there is no other.
  public var modelTypes: Set<AscendType> {
    let quantized = Set(types.values).subtracting([.float, .c8])
    return quantized.isEmpty ? [.float] : quantized
  }
}

extension Checkpoint {
  /// What the description beside the weights states; nil without one.
  ///
  /// - Throws: `badInput` for a description that cannot be read.
  public func ascendDescription() throws(Failure) -> AscendDescription? {
    guard format == .safetensors, let folder else { return nil }
    return try AscendDescription(of: folder)
  }
}
