import Architectures
import GraphRewriting
import TensorTypes
import WeightFormats

/// The tensors of a model by what they do, each in the canonical form of its role, whatever the
/// checkpoint's format calls and stores them.
public struct CanonicalModel: Sendable {
  public let architecture: Architecture
  /// The checkpoint's config; nil for GGUF, whose metadata says the same.
  public let config: ModelConfig?
  /// Matrices that are codes with scales beside them are sources of F32 here.
  public let graph: WeightGraph
  public let nodes: [RoleInstance: NodeID]
  /// What those sources are read from, by their numbers.
  public let coded: [Int: AscendMatrix]
}

extension Checkpoint {
  /// The model that this checkpoint holds.
  ///
  /// - Throws: `badInput` for an unknown architecture or tensors that do not fit it, `missingInput`
  ///   for weights without a config.
  public func canonicalModel() throws(Failure) -> CanonicalModel {
    let architecture: Architecture
    var config: ModelConfig?
    var experts: Int?
    var heads: HeadCounts?
    let dialect: Dialect
    switch format {
    case .safetensors:
      guard let folder, let json = self.config else {
        throw Failure(
          .missingInput, "a model's config is needed to know its tensors", file: path,
          expected: "config.json beside the weights", found: "none")
      }
      let own = ModelConfig(json, file: folder.path(of: "config.json"))
      config = own
      architecture = try Architecture.of(own)
      dialect = architecture.huggingFace
      experts = try architecture.expertCount(own)
      heads = try architecture.headCounts(own)
    case .gguf:
      guard let (known, count) = ggufArchitecture else {
        throw Failure(
          .badInput, "the architecture is unknown", file: path,
          subject: .key("general.architecture"),
          expected: "one of "
            + Set(Architecture.all.map(\.ggufName)).sorted().joined(separator: ", "),
          found: "'\(ggufArchitectureName)'")
      }
      architecture = known
      dialect = known.gguf
      experts = count
      heads = try known.headCounts(of: self)
    }
    let coded = try AscendMatrix.all(of: self)
    let beside = Set((coded ?? [:]).values.flatMap(\.parts.values) + AscendCache.tensors(of: self))
    let sources = tensors.enumerated().map { number, tensor in
      SourceTensor(
        name: tensor.name,
        type: coded?[number].map { TensorType(shape: $0.shape, encoding: .f32) } ?? tensor.type)
    }
    do throws(Failure) {
      let model = try ModelGraph.translating(
        sources, order: conversionOrder.filter { !beside.contains($0) }, from: dialect,
        to: .canonical(dialect), expertCount: experts, expertOrder: architecture.expertOrder,
        heads: heads, dequantizing: coded == nil ? try SourceQuantization(of: self) : nil)
      var nodes: [RoleInstance: NodeID] = [:]
      for (role, output) in zip(model.roles, model.graph.outputs) {
        if let role { nodes[role] = output.node }
      }
      return CanonicalModel(
        architecture: architecture, config: config, graph: model.graph, nodes: nodes,
        coded: coded ?? [:])
    } catch {
      throw locate(error)
    }
  }
}

extension Dialect {
  /// The canonical form of the tensors of another dialect: one tensor for each role, nothing moved.
  fileprivate static func canonical(_ dialect: Dialect) -> Dialect {
    var mappings: [Mapping] = []
    for mapping in dialect.mappings where !mappings.contains(where: { $0.role == mapping.role }) {
      var name = mapping.role.rawValue
      if mapping.name.hasLayer { name += " {L}" }
      if mapping.role.isExpert { name += " {E}" }
      mappings.append(Mapping(NamePattern(stringLiteral: name + " {p}"), mapping.role))
    }
    return Dialect(mappings: mappings)
  }
}
