import Accelerators
import Architectures
import GraphRewriting
import TensorTypes

/// How a checkpoint stores the values of a tensor.
enum StoredForm: Sendable, Hashable {
  case encoding(Encoding)
  /// As codes with scales beside them.
  case codes(QuantScheme)
}

extension StoredForm: CustomStringConvertible {
  var description: String {
    switch self {
    case .encoding(let encoding): "\(encoding)"
    case .codes(let scheme): scheme.name
    }
  }
}

extension CanonicalModel {
  /// How the checkpoint stores each tensor.
  ///
  /// Where a tensor passes through another type on its way to the canonical form, that of the first
  /// source tensor in blocks, or else of the first.
  var storedForms: [RoleInstance: StoredForm] {
    nodes.mapValues { node in
      let loads = graph.loads(of: node)
      if let matrix = loads.lazy.compactMap({ coded[$0] }).first { return .codes(matrix.scheme) }
      if let scheme = fp8Scheme(of: node) { return .codes(scheme) }
      let encodings = loads.map { graph.sources[$0].encoding }
      return .encoding(
        encodings.first(where: \.isBlock) ?? encodings.first ?? graph[node].type.encoding)
    }
  }

  /// The scheme of FP8 codes that a node dequantizes; nil where it does not.
  private func fp8Scheme(of node: NodeID) -> QuantScheme? {
    if case .dequantize(let grid) = graph[node].op {
      return [.fp8Block128, .fp8Channel].first { $0.grid == grid }
    }
    return graph[node].inputs.first.flatMap(fp8Scheme)
  }
}
