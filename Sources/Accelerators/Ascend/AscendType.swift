import Architectures
import TensorTypes

/// How vLLM-Ascend holds one linear layer, or the cache of keys and values, by the name that a
/// description gives it.
///
/// - Source: msmodelslim 26.1.0, `docs/zh/user_guide/quantization_formats/ascendv1.md`; vllm-ascend
///   0.23.0, `quantization/modelslim_config.py` and `quantization/methods`.
public enum AscendType: String, Sendable, Hashable, CaseIterable {
  // In ascending order of what a model is named by.
  case float = "FLOAT"
  case w8a16 = "W8A16"
  case w4a8Dynamic = "W4A8_DYNAMIC"
  case w8a8Dynamic = "W8A8_DYNAMIC"
  case w8a8Mix = "W8A8_MIX"
  case w8a8 = "W8A8"
  case wfp8afp8Dynamic = "WFP8AFP8_DYNAMIC"
  case w8a8MXFP8 = "W8A8_MXFP8"
  case w4a8MXFP = "W4A8_MXFP"
  case w4a4MXFP4 = "W4A4_MXFP4"
  /// Not of layers but of the cache.
  case c8 = "C8"

  /// Those that layers have.
  public static let ofLayers = allCases.filter { $0 != .c8 }

  /// As `--override` takes it.
  public var spelling: String { canonicalSpelling(rawValue) }

  /// How the weight is quantized; nil when it is not.
  ///
  /// - Parameter groupSize: columns that share a scale of W8A16; 0 when whole rows do.
  public func scheme(groupSize: Int) -> QuantScheme? {
    switch self {
    case .float, .c8: nil
    case .w8a16: groupSize > 0 ? .int8Group(groupSize) : .int8Channel
    case .w8a8Dynamic, .w8a8Mix, .w8a8: .int8Channel
    case .w4a8Dynamic: .int4Channel
    case .wfp8afp8Dynamic: .fp8Channel
    case .w8a8MXFP8: .mxfp8
    case .w4a8MXFP, .w4a4MXFP4: .mxfp4
    }
  }

  /// Whether scale and offset of the inputs are fixed beforehand.
  public var isStatic: Bool { self == .w8a8 || self == .w8a8Mix }

  /// Whether groups of 32 columns share an exponent.
  var isMX: Bool { self == .w8a8MXFP8 || self == .w4a8MXFP || self == .w4a4MXFP4 }

  /// The name of a model by the types in it: the last in order, but that int4 experts never name it.
  public static func naming(_ types: some Sequence<AscendType>) -> AscendType {
    let present = Set(types).subtracting([.w4a8Dynamic])
    return ofLayers.last { present.contains($0) } ?? .float
  }

  /// What the runtime needs of a weight that it does not have; nil when all is well.
  ///
  /// - Parameters:
  ///   - role: one of a linear layer.
  ///   - groupSize: columns that share a scale of W8A16; 0 when whole rows do.
  func obstacle(
    _ role: Role, _ shape: Shape, groupSize: Int
  ) -> (expected: String, found: String)? {
    guard let scheme = scheme(groupSize: groupSize), shape.rank == 2 else { return nil }
    let (rows, columns) = (shape.axes[0], shape.axes[1])
    switch self {
    case .w8a16, .w8a8Mix, .w8a8:
      // The runtime has no method for experts of these types, or wants of them what no tool writes.
      if role.isExpert { return ("another type for routed experts", rawValue) }
      if case .int8Group(let width) = scheme, columns % width != 0 {
        return ("a multiple of \(width) columns", "\(columns)")
      }
    case .w4a8Dynamic:
      guard role.isExpert else { return ("routed experts", role.rawValue) }
      if role != .expertDown, rows % 8 != 0 { return ("a multiple of 8 rows", "\(rows)") }
      if role == .expertDown, columns % 16 != 0 || rows % 2 != 0 {
        return ("a multiple of 2 rows and of 16 columns", "\(rows) and \(columns)")
      }
    case .w8a8MXFP8:
      if role.isExpert, columns % 32 != 0 { return ("a multiple of 32 columns", "\(columns)") }
    case .w4a8MXFP, .w4a4MXFP4:
      if columns % 32 != 0 { return ("a multiple of 32 columns", "\(columns)") }
    case .float, .c8, .w8a8Dynamic, .wfp8afp8Dynamic: break
    }
    let isDivided = scheme.codes(of: shape) != nil && scheme.scales(of: shape) != nil
    return isDivided ? nil : ("a matrix that it divides", "\(shape)")
  }
}

/// Which types the layers of a model get.
public struct AscendScheme: Sendable, Hashable {
  /// As `--quantize` takes it.
  public let name: String
  /// The type of linear layers that are no routed experts.
  public let linears: AscendType
  /// The type of routed experts.
  public let experts: AscendType
  /// Columns that share a scale of W8A16; 0 when whole rows do.
  public var groupSize = 0

  public static let all: [AscendScheme] = [
    AscendScheme(name: "float", linears: .float, experts: .float),
    AscendScheme(name: "w8a8-dynamic", linears: .w8a8Dynamic, experts: .w8a8Dynamic),
    AscendScheme(name: "w8a8", linears: .w8a8, experts: .w8a8Dynamic),
    AscendScheme(name: "w8a8-mix", linears: .w8a8Mix, experts: .w8a8Dynamic),
    AscendScheme(name: "w8a16", linears: .w8a16, experts: .w8a8Dynamic),
    AscendScheme(name: "w8a16-g32", linears: .w8a16, experts: .w8a8Dynamic, groupSize: 32),
    AscendScheme(name: "w8a16-g64", linears: .w8a16, experts: .w8a8Dynamic, groupSize: 64),
    AscendScheme(name: "w8a16-g128", linears: .w8a16, experts: .w8a8Dynamic, groupSize: 128),
    AscendScheme(name: "w8a16-g256", linears: .w8a16, experts: .w8a8Dynamic, groupSize: 256),
    AscendScheme(name: "w4a8", linears: .w8a8Dynamic, experts: .w4a8Dynamic),
    AscendScheme(
      name: "wfp8afp8-dynamic", linears: .wfp8afp8Dynamic, experts: .wfp8afp8Dynamic),
    AscendScheme(name: "w8a8-mxfp8", linears: .w8a8MXFP8, experts: .w8a8MXFP8),
    AscendScheme(name: "w4a8-mxfp", linears: .w4a8MXFP, experts: .w4a8MXFP),
    AscendScheme(name: "w4a4-mxfp4", linears: .w4a4MXFP4, experts: .w4a4MXFP4),
  ]

  /// Whether MindIE before 2.1.RC1 knows all its types; it loads unquantized models as they are.
  var isForMindIE: Bool {
    linears != .float && [linears, experts].allSatisfy(MindIETypes.known.contains)
  }

  /// Other spellings.
  static let aliases = ["w4a8-dynamic": "w4a8"]

  /// The type of a weight before any exception.
  ///
  /// - Parameter isAhead: whether its layer predicts further tokens.
  func type(_ role: Role, isAhead: Bool, hasExperts: Bool) -> AscendType {
    guard linears != .float else { return .float }
    if role.isExpert { return isAhead && experts == .w4a8Dynamic ? .w8a8Dynamic : experts }
    // The inputs of down-projections of dense models have outliers.
    if role == .feedForwardDown, !hasExperts { return .float }
    if linears.isStatic, isAhead || hasExperts && !role.isAttention { return .w8a8Dynamic }
    return linears
  }
}

extension Role {
  var isAttention: Bool {
    switch self {
    case .attentionQuery, .attentionKey, .attentionValue, .attentionOutput, .attentionQueryDown,
      .attentionQueryUp, .attentionKeyValueDown:
      true
    default: false
    }
  }

  /// Whether vLLM-Ascend can hold the weight quantized. The up-projection of keys and values is
  /// taken apart as floats; embeddings, heads, norms and routers stay as well.
  var isAscendLinear: Bool {
    switch self {
    case .feedForwardGate, .feedForwardUp, .feedForwardDown, .sharedExpertGate, .sharedExpertUp,
      .sharedExpertDown:
      true
    default: isAttention || isExpert
    }
  }
}
