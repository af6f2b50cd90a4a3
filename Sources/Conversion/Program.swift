import Accelerators
import Architectures
import GraphRewriting
import TensorTypes
import WeightFormats

/// What a request asks of a checkpoint, before any rule has been applied: each output of `graph` is
/// a cast of what computes the values of one tensor to be written.
struct Program {
  private(set) var graph: WeightGraph
  let architecture: Architecture?
  let config: ModelConfig?
  let nextTokens: LeftOut
  /// Source tensors that are not written, each with the reason.
  let dropped: [(source: Int, reason: String)]
  let warnings: [String]
  let scheme: Scheme
  let choice: EncodingChoice
  /// The roles of the outputs of `graph`; nil where names stay as they are.
  let roles: [RoleInstance?]
  /// What the outputs are called in the description of an AscendV1 folder, those in another layout
  /// left out; nil for others.
  let types: [AscendType]?
  /// Columns that share a scale of W8A16; 0 when whole rows do.
  let groupSize: Int
  /// Whether some outputs are FP8 blocks and their scales.
  private(set) var hasBlocks = false

  /// - Throws: `usage` for a request that cannot be met, `badInput` for a checkpoint that cannot be
  ///   converted.
  init(_ source: Checkpoint, _ request: ConversionRequest) throws(Failure) {
    scheme = try request.target.scheme(named: request.scheme)
    nextTokens = try request.nextTokensLeftOut(of: source)
    let model = try source.model(
      for: request.target, keepsCodes: request.keepsCodes(scheme),
      leavingOut: nextTokens.reasons)
    architecture = model.architecture
    config = model.config
    dropped = model.model.dropped
    warnings = model.warnings
    choice = try EncodingChoice(request, scheme, source, model)
    if case .ascend(let scheme) = scheme {
      let ascend = try AscendModel(source, request, scheme, model)
      graph = ascend.graph
      roles = (ascend.tensors + ascend.tiles).map(\.role)
      types = ascend.tensors.map(\.type)
      groupSize = scheme.groupSize
      return
    }
    guard request.layout == .nd else {
      throw Failure(
        .usage, "the target '\(request.target.spelling)' has one layout", expected: "no --layout",
        found: "--layout \(request.layout.rawValue)")
    }
    var graph = model.model.graph
    var roles: [RoleInstance?] = []
    graph.outputs = []
    for (output, role) in zip(model.model.graph.outputs, model.model.roles) {
      let type = graph[output.node].type
      do throws(Failure) {
        if choice.makesBlocks(of: output.name, type) {
          if case .dequantize = graph[output.node].op, !request.allowsRequantizing {
            throw Failure(
              .usage, "the tensor is quantized already; --allow-requantize does it again",
              expected: "a plain type, or no --quantize", found: "codes with scales")
          }
          hasBlocks = true
          let matrix = try graph.add(.cast(.f32), [output.node])
          for (part, ending) in [(QuantPart.codes, ""), (.scales, "_scale_inv")] {
            let node = try graph.add(.quantize(.fp8Block128, part), [matrix])
            graph.outputs.append(
              WeightGraph.Output(name: ByteString(output.name.text + ending), node: node))
            roles.append(role)
          }
          continue
        }
        let encoding = try choice.encoding(of: output.name, type)
        if case .block = type.encoding, case .block = encoding, encoding != type.encoding,
          !request.allowsRequantizing
        {
          throw Failure(
            .usage, "the tensor is quantized already; --allow-requantize does it again",
            expected: "\(type.encoding) or a plain type", found: "\(encoding)")
        }
        let node = try graph.add(.cast(encoding), [output.node])
        graph.outputs.append(WeightGraph.Output(name: output.name, node: node))
        roles.append(role)
      } catch {
        throw error.located(subject: .tensor(output.name))
      }
    }
    self.graph = graph
    self.roles = roles
    types = nil
    groupSize = 0
  }

  /// The graph after all rules. Nothing needs it as it was before, so its memory is given back.
  mutating func takeRewritten() throws(Failure) -> (graph: WeightGraph, firings: [Firing]) {
    let result = try graph.rewritten(by: Plan.phases)
    graph = WeightGraph(sources: [])
    return result
  }
}

extension ConversionRequest {
  /// Whether quantized tensors stay codes and scales: when no tensor is to become another.
  func keepsCodes(_ scheme: Scheme) -> Bool { scheme == .lossless && overrides.isEmpty }
}

extension ConversionRequest {
  /// - Throws: `usage` for a layer that was not calibrated.
  fileprivate func input(of linear: ByteString) throws(Failure) -> InputQuantization {
    if let input = calibration?.input(of: linear) { return input }
    let names = AscendScheme.all.filter(\.linears.isStatic).map(\.name).joined(separator: " and ")
    throw Failure(
      .usage,
      "the layer's inputs are not calibrated; w8a8-dynamic and all schemes but \(names) work without",
      expected: "'\(linear)' in a --calibration",
      found: calibration.map { "none in '\($0.path)'" } ?? "no --calibration")
  }
}

extension AscendModel {
  /// The tensors of an AscendV1 folder with the types that a request asks for.
  fileprivate init(
    _ source: Checkpoint, _ request: ConversionRequest, _ scheme: AscendScheme,
    _ model: TargetModel
  ) throws(Failure) {
    // Models for this target always have both.
    guard let architecture = model.architecture, let config = model.config else {
      throw Failure(.defect, "the model has no architecture")
    }
    var overrides: [(names: Glob, type: AscendType)] = []
    for (names, name) in request.overrides {
      overrides.append((names, try request.target.ascendType(named: name)))
    }
    let choice = AscendChoice(
      scheme, overrides: overrides, excluded: request.excluded, architecture,
      layerCount: try config.requiredCount(["num_hidden_layers", "n_layer"]))
    let dtype = config.json["torch_dtype"] ?? config.json["dtype"]
    do throws(Failure) {
      try self.init(
        model.model, types: try choice.types(of: model.model), groupSize: scheme.groupSize,
        storesBits: dtype?.string == "float16",
        caches: { (name, count) throws(Failure) in
          try request.calibration?.cache(name, channelCount: count)
        },
        inputs: { (linear) throws(Failure) in try request.input(of: linear) })
      try checkCaches()
      try checkJoinedInputs()
      try add(request.layout)
    } catch {
      throw error.located(file: error.file ?? source.path)
    }
  }
}
