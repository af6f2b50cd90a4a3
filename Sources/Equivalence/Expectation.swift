import Accelerators
import Architectures
import GraphRewriting
import TensorTypes
import WeightFormats

/// What a converted checkpoint should hold, by the source alone: never by what the converter says.
struct Expectation: Sendable {
  /// One tensor that the converted checkpoint should have.
  struct Tensor: Sendable {
    let name: ByteString
    let node: NodeID
    let role: RoleInstance?
  }

  let source: Checkpoint
  let converted: Checkpoint
  var graph: WeightGraph
  var tensors: [Tensor]
  /// Source tensors that are not needed, each with the reason.
  let dropped: [(source: Int, reason: String)]
  let architecture: Architecture?
  let config: ModelConfig?
  let warnings: [String]
  /// Whether both ends hold the same codes with scales beside them.
  let keepsCodes: Bool

  /// - Throws: `badInput` when the source cannot be read as a model of its kind.
  init(source: Checkpoint, converted: Checkpoint) throws(Failure) {
    self.source = source
    self.converted = converted
    let target = Target.all.first { $0.name.rawValue == converted.format.rawValue }
    guard let target else {
      throw Failure(
        .usage, "nothing is known of conversions to this format", file: converted.path,
        expected: Target.all.map(\.name.rawValue).joined(separator: " or "),
        found: converted.format.rawValue)
    }
    // A copy of codes and scales holds the source's own scales.
    let quantization = try SourceQuantization(of: source)
    keepsCodes =
      quantization?.scaleTensors.contains { converted[source.tensors[$0].name] != nil } ?? false
    let model = try source.model(for: target, keepsCodes: keepsCodes)
    graph = model.model.graph
    tensors = zip(model.model.graph.outputs, model.model.roles).map {
      Tensor(name: $0.name, node: $0.node, role: $1)
    }
    dropped = model.model.dropped
    architecture = model.architecture
    config = model.config
    warnings = model.warnings
    addTiedOutput()
  }

  /// A model with tied embeddings may store them a second time, as the output head.
  private mutating func addTiedOutput() {
    guard let architecture,
      !tensors.contains(where: { $0.role?.role == .output }),
      let embedding = tensors.first(where: { $0.role?.role == .tokenEmbedding })
    else { return }
    let dialect = converted.format == .gguf ? architecture.gguf : architecture.huggingFace
    let role = RoleInstance(role: .output)
    guard let mapping = dialect.writing(.output),
      case let name = dialect.name(mapping, role.bindings), converted[name] != nil
    else { return }
    tensors.append(Tensor(name: name, node: embedding.node, role: role))
  }

  func type(_ tensor: Tensor) -> TensorType { graph[tensor.node].type }

  /// How a tensor follows from the source, as one expression.
  func derivation(_ tensor: Tensor) -> String {
    "\(tensor.name) = \(expression(tensor.node, depth: 0))"
  }

  private func expression(_ id: NodeID, depth: Int) -> String {
    let node = graph[id]
    if case .load(let number) = node.op { return "\(source.tensors[number].name)" }
    guard depth < 8 else { return "…" }
    var inputs = node.inputs.prefix(3).map { expression($0, depth: depth + 1) }
    if node.inputs.count > 3 { inputs.append("… \(node.inputs.count - 3) more") }
    return inputs.isEmpty
      ? "\(node.op)" : "\(node.op) of (\(inputs.joined(separator: ", ")))"
  }
}

extension ByteString {
  /// The number after a dot that comes first: that of the layer in every known naming.
  var layerNumber: Int? {
    text.utf8.split(separator: UInt8(ascii: ".")).lazy.compactMap { Int(String(Substring($0))) }
      .first
  }
}
