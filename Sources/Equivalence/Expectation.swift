import Accelerators
import Architectures
import ByteIO
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
    /// The tensor that holds its values in its place; nil where it is its own.
    var sharing: ByteString?
    /// What kind of number the values are that only a calibration can tell; nil for others.
    var calibrated: CalibratedSetting?

    /// The name of the tensor that holds its values.
    var storedName: ByteString { sharing ?? name }
  }

  let source: Checkpoint
  let converted: Checkpoint
  var graph: WeightGraph
  var tensors: [Tensor]
  /// Source tensors that are not needed, each with the reason.
  private(set) var dropped: [(source: Int, reason: String)]
  let architecture: Architecture?
  let config: ModelConfig?
  let warnings: [String]
  /// Whether both ends hold the same codes with scales beside them.
  let keepsCodes: Bool
  /// Whether the converted checkpoint has codes in place of floats.
  private(set) var makesCodes = false
  /// What the description of an AscendV1 folder states; nil for other checkpoints.
  let description: AscendDescription?
  /// The names that the description should have and has; nil for other checkpoints.
  private(set) var descriptionNames: (expected: String, found: String)?
  /// What must have changed in the config.
  private(set) var configRules: [ConfigRule] = []

  /// - Throws: `badInput` when the source cannot be read as a model of its kind.
  init(source: Checkpoint, converted: Checkpoint) throws(Failure) {
    if try source.ascendDescription() != nil {
      self = try Expectation(source: source, translated: converted, isCoded: true)
    } else if let description = try converted.ascendDescription() {
      self = try Expectation(source: source, ascend: converted, description)
    } else {
      self = try Expectation(source: source, translated: converted, isCoded: false)
    }
    leaveOutNextTokens()
  }

  /// What a checkpoint of whole tensors should hold.
  ///
  /// - Parameter isCoded: whether the source holds codes and scales of its own kind, which stay.
  private init(
    source: Checkpoint, translated converted: Checkpoint, isCoded: Bool
  ) throws(Failure) {
    self.source = source
    self.converted = converted
    let target = Target.all.first { $0.spelling == converted.format.rawValue }
    guard let target else {
      throw Failure(
        .usage, "nothing is known of conversions to this format", file: converted.path,
        expected: Target.all.map(\.spelling).joined(separator: " or "),
        found: converted.format.rawValue)
    }
    guard !isCoded || converted.format == source.format else {
      throw Failure(
        .usage, "an AscendV1 folder holds codes that other formats have no place for",
        file: source.path, expected: "the checkpoint that it was made from, or another folder",
        found: "AscendV1 and \(converted.format.rawValue)")
    }
    // A copy of codes and scales holds the source's own scales.
    let quantization = isCoded ? nil : try SourceQuantization(of: source)
    description = nil
    keepsCodes =
      isCoded
      || quantization?.scaleTensors.contains { converted[source.tensors[$0].name] != nil } ?? false
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
    if !keepsCodes { try expectBlocks() }
  }

  /// Where the converted checkpoint has FP8 blocks of floats, they should be those of the definition.
  private mutating func expectBlocks() throws(Failure) {
    guard converted.format == .safetensors, source.format == .safetensors else { return }
    var all: [Tensor] = []
    for tensor in tensors {
      let scales = ByteString(tensor.name.text + "_scale_inv")
      guard converted[tensor.name]?.type.encoding == .plain(.f8e4m3), converted[scales] != nil,
        type(tensor).shape.rank == 2
      else {
        all.append(tensor)
        continue
      }
      for (name, part) in [(tensor.name, QuantPart.codes), (scales, .scales)] {
        let node = try graph.add(.quantize(.fp8Block128, part), [tensor.node])
        all.append(Tensor(name: name, node: node, role: tensor.role))
      }
      makesCodes = true
    }
    tensors = all
  }

  /// What an AscendV1 folder should hold, with the types that its description states.
  private init(
    source: Checkpoint, ascend converted: Checkpoint, _ description: AscendDescription
  ) throws(Failure) {
    let found = try source.model(for: Target.named(Target.Name.ascend910c.rawValue))
    // The form of some scales goes by the type that the runtime is told.
    let config = converted.config ?? found.config?.json
    let dtype = config?["torch_dtype"] ?? config?["dtype"]
    let model = try AscendModel(
      found.model,
      types: found.model.graph.outputs.map { output in
        description.type(of: output.name, found.model.graph[output.node].type.shape)
      },
      groupSize: description.groupSize, storesBits: dtype?.string == "float16",
      caches: { (name, channelCount) in
        let values = converted[name].flatMap { try? converted.numbers(of: $0) }
        if let values, values.count == 1 || values.count == channelCount { return values }
        // The runtime needs all of an attention, or none.
        let companions = AscendCache.companions(of: name) ?? []
        return companions.contains { converted[$0] != nil }
          ? [Float](repeating: 0, count: channelCount) : nil
      }
    ) { (linear) throws(Failure) in
      let scale = converted.number(named: linear.text + ".input_scale") ?? 1
      let offset = converted.number(named: linear.text + ".input_offset") ?? 0
      return InputQuantization(scale: scale, offset: offset) ?? .unit
    }
    self.source = source
    self.converted = converted
    graph = model.graph
    tensors = model.tensors.map { tensor in
      var result = Tensor(name: tensor.name, node: tensor.node, role: tensor.role)
      if model.graph.loads(of: tensor.node).isEmpty {
        result.calibrated = CalibratedSetting(of: tensor.name)
      }
      return result
    }
    dropped = found.model.dropped
    architecture = found.architecture
    self.config = found.config
    warnings = found.warnings
    keepsCodes = false
    self.description = description
    var mindie: MindIETypes?
    if description.variant == .mindie, let architecture, let config = self.config {
      let told = try MindIETypes(
        architecture, layerCount: try config.requiredCount(["num_hidden_layers", "n_layer"]),
        model.tensors.map { ($0.name, $0.role, $0.type) })
      configRules = told.configRules(architecture)
      mindie = told
    }
    descriptionNames = (AscendDescription.fileName(mindie), description.fileName)
  }

  /// Layers that predict further tokens may be left out as a whole, and their copies of embedding
  /// and head may be those of the model.
  private mutating func leaveOutNextTokens() {
    guard converted.format == .safetensors else { return }
    let layers = NextTokenLayers(of: source)
    var originals: [ByteString: ByteString?] = [:]
    for tensor in layers.tensors { originals[tensor.name] = .some(tensor.original) }
    func isOfLayers(_ tensor: Tensor) -> Bool {
      if let role = tensor.role { return role.bindings.layer ?? 0 >= layers.firstLayer }
      return graph.loads(of: tensor.node).contains { originals[source.tensors[$0].name] != nil }
    }
    let own = tensors.indices.filter { isOfLayers(tensors[$0]) }
    if !own.isEmpty, own.allSatisfy({ converted[tensors[$0].name] == nil }) {
      for number in source.tensors.indices where originals[source.tensors[number].name] != nil {
        dropped.append((number, NextTokenLayers.dropReason))
      }
      let gone = Set(own)
      tensors = tensors.indices.filter { !gone.contains($0) }.map { tensors[$0] }
      configRules.append(.dropNextTokens)
      return
    }
    for position in own where converted[tensors[position].name] == nil {
      guard let original = originals[tensors[position].name] ?? nil,
        let number = source.position(of: tensors[position].name)
      else { continue }
      tensors[position].sharing = original
      dropped.append((number, NextTokenLayers.mergeReason(original)))
    }
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

  /// How the values of a tensor must follow from the source.
  func law(of tensor: Tensor, storedIn encoding: Encoding) throws(Failure) -> Law {
    if let setting = tensor.calibrated { return .calibrated(setting) }
    guard case .quantize(let scheme, _) = graph[tensor.node].op, case .search = scheme.rule else {
      return Law(from: type(tensor).encoding, to: encoding)
    }
    return try searchedRows(tensor).map(Law.searched)
      ?? .unknown("codes or scales that it belongs to are missing")
  }

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

extension Checkpoint {
  /// The value of a tensor that is one number; nil when there is no such tensor.
  func number(named name: String) -> Float? {
    guard let tensor = self[ByteString(name)], tensor.type.shape.elementCount == 1 else {
      return nil
    }
    return try? numbers(of: tensor)[0]
  }
}

extension AscendDescription {
  /// The type of a weight; where it has no entry, that of what stands beside it. FLOAT for shapes that
  /// have no codes of it.
  fileprivate func type(of name: ByteString, _ shape: Shape) -> AscendType {
    guard let type = type(of: name), let scheme = type.scheme(groupSize: groupSize),
      scheme.codes(of: shape) != nil, scheme.scales(of: shape) != nil
    else { return .float }
    return type
  }

  /// The type of a weight; where it has no entry, that of what stands beside it.
  func type(of name: ByteString) -> AscendType? {
    if let type = types[name] { return type }
    guard name.hasSuffix(".weight") else { return nil }
    let base = name.text.dropLast("weight".utf8.count)
    return AscendMatrix.Part.allCases.lazy.compactMap { types[ByteString(base + $0.rawValue)] }
      .first { $0 != .float }
  }
}

extension ByteString {
  /// The number after a dot that comes first: that of the layer in every known naming.
  var layerNumber: Int? {
    text.utf8.split(separator: UInt8(ascii: ".")).lazy.compactMap { Int(String(Substring($0))) }
      .first
  }
}
