import Architectures
import GraphRewriting
import TensorTypes

/// A model's tensors as an AscendV1 folder holds them, with the type that the description gives
/// each.
public struct AscendModel: Sendable {
  public struct Tensor: Sendable {
    public let name: ByteString
    public let node: NodeID
    public let role: RoleInstance?
    public let type: AscendType
  }

  public private(set) var graph: WeightGraph
  public private(set) var tensors: [Tensor] = []
  /// Weights of layers once more, as FRACTAL_NZ; their outputs stand after the others.
  public private(set) var tiles: [Tensor] = []
  private let groupSize: Int

  /// Builds the tensors of a model from those under the names of Hugging Face.
  ///
  /// - Parameters:
  ///   - types: one for each output of the model; FLOAT for all that are no weights of linears.
  ///   - inputs: scale and offset of the inputs of a layer; nil where they are unknown.
  ///   - groupSize: columns that share a scale of W8A16; 0 when whole rows do.
  ///   - storesBits: whether scales of static activations are stored as their bits, as the runtime
  ///     wants them for F16 models.
  ///   - caches: the values of a tensor of the cache that the source lacks; nil for none.
  ///   - inputs: how the inputs of a layer with a static type are quantized.
  /// - Throws: what `inputs` and `caches` throw.
  public init(
    _ model: ModelGraph, types: [AscendType], groupSize: Int, storesBits: Bool,
    caches: (_ name: ByteString, _ channelCount: Int) throws(Failure) -> [Float]?,
    inputs: (_ linear: ByteString) throws(Failure) -> InputQuantization
  ) throws(Failure) {
    graph = model.graph
    self.groupSize = groupSize
    var numbers: [ByteString: Int] = [:]
    for (number, output) in model.graph.outputs.enumerated() { numbers[output.name] = number }
    for (number, output) in model.graph.outputs.enumerated() {
      let role = model.roles[number]
      do throws(Failure) {
        try appendCache(beside: output, numbers, caches)
        if types[number].scheme(groupSize: groupSize) != nil {
          let base = output.name.text.dropLast(".weight".utf8.count)
          let bias = numbers[ByteString(base + ".bias")].map { model.graph.outputs[$0].node }
          try append(
            String(base), output.node, bias, role, types[number], storesBits, inputs)
          continue
        }
        var node = output.node
        let type = graph[node].type.encoding
        let weight = numbers[ByteString(output.name.text.replacingSuffix(".bias", by: ".weight"))]
        if let weight, weight != number, types[weight].scheme(groupSize: groupSize) != nil {
          node = try graph.add(.cast(.f32), [node])
        } else if case .dequantize = graph[node].op {
          node = try graph.add(.cast(.bf16), [node])
        } else if case .block = type {
          node = try graph.add(.cast(.f32), [node])
        }
        let isCache = AscendCache.linear(of: output.name) != nil
        tensors.append(
          Tensor(name: output.name, node: node, role: role, type: isCache ? .c8 : .float))
      } catch {
        throw error.located(subject: .tensor(output.name))
      }
    }
    graph.outputs = tensors.map { WeightGraph.Output(name: $0.name, node: $0.node) }
  }

  /// The tensors of the cache beside the weight of a projection.
  private mutating func appendCache(
    beside weight: WeightGraph.Output, _ outputs: [ByteString: Int],
    _ caches: (_ name: ByteString, _ channelCount: Int) throws(Failure) -> [Float]?
  ) throws(Failure) {
    let channelCount = graph[weight.node].type.shape.axes.first ?? 1
    for name in AscendCache.names(beside: weight.name) {
      guard outputs[name] == nil, let values = try caches(name, channelCount) else { continue }
      let node = try graph.add(.literal(Literal(name: "calibration", values: values)))
      tensors.append(Tensor(name: name, node: node, role: nil, type: .c8))
    }
  }

  /// Checks that layers which the runtime joins have their inputs quantized alike: the joined layer
  /// has one scale and one offset.
  ///
  /// - Throws: `badInput` naming the first that differs.
  public func checkJoinedInputs() throws(Failure) {
    let settings = JoinedInput.settings(of: tensors.map { ($0.name, $0.role, $0.node) }) { node in
      guard case .fill(let value, _) = graph[node].op else { return nil }
      return value
    }
    for (own, first) in settings where own.value != first.value {
      throw Failure(
        .badInput, "the calibration differs for layers that the runtime joins",
        subject: .tensor(own.name), expected: "\(first.value), as '\(first.name)' has",
        found: "\(own.value)")
    }
  }

  /// Adds what lies beside the tensors in this layout.
  ///
  /// - Throws: `usage` when no tensor has it.
  public mutating func add(_ layout: AscendLayout) throws(Failure) {
    guard layout == .nz else { return }
    for tensor in tensors where FractalNZ.applies(to: graph[tensor.node].type, tensor.role) {
      guard tensor.name.hasSuffix(".weight") else { continue }
      let node = try FractalNZ.add(tensor.node, to: &graph)
      tiles.append(Tensor(name: tensor.name, node: node, role: tensor.role, type: tensor.type))
      graph.outputs.append(WeightGraph.Output(name: tensor.name, node: node))
    }
    guard !tiles.isEmpty else {
      throw Failure(
        .usage, "no layer has weights that FRACTAL_NZ is for",
        expected: "weights of int8, int4, BF16 or F16", found: "none")
    }
  }

  /// The tensors of one quantized layer.
  private mutating func append(
    _ linear: String, _ values: NodeID, _ bias: NodeID?, _ role: RoleInstance?,
    _ type: AscendType, _ storesBits: Bool,
    _ inputs: (_ linear: ByteString) throws(Failure) -> InputQuantization
  ) throws(Failure) {
    guard let scheme = type.scheme(groupSize: groupSize) else { return }
    let matrix = try graph.add(.cast(.f32), [values])
    func place(_ part: String, _ node: NodeID) {
      tensors.append(
        Tensor(name: ByteString("\(linear).\(part)"), node: node, role: role, type: type))
    }
    func quantized(_ part: QuantPart, _ more: [NodeID] = []) throws(Failure) -> NodeID {
      try graph.add(.quantize(scheme, part), [matrix] + more)
    }
    place("weight", try quantized(.codes))
    if type.isStatic {
      let input = try inputs(ByteString(linear))
      place("input_scale", try graph.add(.fill(input.scale, [1])))
      place("input_offset", try graph.add(.fill(input.offset, [1])))
      place("deq_scale", try quantized(.deqScale(inputScale: input.scale, asBits: storesBits)))
      place(
        "quant_bias",
        try quantized(
          .quantBias(inputScale: input.scale, inputOffset: input.offset), bias.map { [$0] } ?? []))
    }
    // The product of static activations has the weight's scale in its own.
    if type == .w8a8 { return }
    let scales = try quantized(.scales)
    place("weight_scale", scales)
    if scheme.rule == .powerOfTwo { return }
    place("weight_offset", try graph.add(.fill(0, graph[scales].type.shape)))
    if type == .w4a8Dynamic {
      // A down-projection is divided among 16 devices along its inputs.
      let slices = role?.role == .expertDown ? 16 : 1
      place("scale_bias", try quantized(.scaleBias(slices: slices)))
    }
  }
}

extension String {
  fileprivate func replacingSuffix(_ suffix: String, by other: String) -> String {
    hasSuffix(suffix) ? dropLast(suffix.count) + other : self
  }
}
