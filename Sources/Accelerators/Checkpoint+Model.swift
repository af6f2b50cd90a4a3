import Architectures
import ByteIO
import GraphRewriting
import TensorTypes
import WeightFormats

/// A checkpoint's tensors as the target names and stores them, with what was found on the way.
public struct TargetModel: Sendable {
  public let model: ModelGraph
  /// nil where tensors keep their names.
  public let architecture: Architecture?
  /// The source's config, where names were translated from it.
  public let config: ModelConfig?
  public let warnings: [String]
}

extension Checkpoint {
  /// The tensors as the reference converter walks over them: a safetensors file's by name, a GGUF
  /// file's as they stand.
  public var conversionOrder: [Int] {
    guard format == .safetensors else { return Array(tensors.indices) }
    return tensors.indices.sorted {
      let (a, b) = (tensors[$0], tensors[$1])
      return a.file == b.file ? a.name < b.name : a.file < b.file
    }
  }

  /// The program from this checkpoint to a target's tensors, before any rewriting and casting.
  ///
  /// - Parameters:
  ///   - keepsCodes: whether quantized tensors stay codes and scales, where tensors keep their
  ///     names; otherwise they are taken by their values.
  ///   - reasons: why tensors are left out, by their names.
  /// - Throws: `badInput` when config and tensors do not fit each other or the target.
  public func model(
    for target: Target, keepsCodes: Bool = false, leavingOut reasons: [ByteString: String] = [:]
  ) throws(Failure) -> TargetModel {
    let order = conversionOrder
    let names = tensors.map { SourceTensor(name: $0.name, type: $0.type) }
    do throws(Failure) {
      switch (format, target.name) {
      case (.safetensors, .gguf):
        guard let folder, let config else {
          throw Failure(
            .missingInput, "a model's config is needed to convert to GGUF",
            expected: "config.json beside the weights", found: "none")
        }
        return try huggingFaceToGGUF(
          names, order, ModelConfig(config, file: folder.path(of: "config.json")))
      case (.gguf, .safetensors):
        return try ggufToHuggingFace(names, order)
      case (.safetensors, .ascend910c), (.safetensors, .ascend910b):
        guard let folder, let config else {
          throw Failure(
            .missingInput, "a model's config is needed to know its layers",
            expected: "config.json beside the weights", found: "none")
        }
        return try huggingFaceToAscend(
          names, ModelConfig(config, file: folder.path(of: "config.json")), reasons)
      case (.gguf, .ascend910c), (.gguf, .ascend910b):
        throw Failure(
          .usage, "GGUF files are not converted to this target; --to safetensors comes first",
          expected: "a Hugging Face checkpoint", found: "GGUF")
      case (.gguf, .gguf), (.safetensors, .safetensors):
        let quantization = keepsCodes ? nil : try SourceQuantization(of: self)
        return TargetModel(
          model: try .identity(names, dequantizing: quantization) { name, _ in reasons[name] },
          architecture: nil,
          config: nil, warnings: [])
      }
    } catch {
      throw locate(error)
    }
  }

  /// Adds the file that holds the tensor an error is about.
  func locate(_ failure: Failure) -> Failure {
    guard case .tensor(let name) = failure.subject, let tensor = self[name] else {
      return failure.located(file: path)
    }
    return failure.located(file: files[tensor.file].source.name)
  }

  /// The tensors under their own names, in their own order, with their roles.
  private func huggingFaceToAscend(
    _ names: [SourceTensor], _ config: ModelConfig, _ reasons: [ByteString: String]
  ) throws(Failure) -> TargetModel {
    let architecture = try Architecture.of(config)
    guard architecture.mappings.contains(where: { $0.role == .feedForwardGate }) else {
      throw Failure(
        .usage, "models of this architecture are not converted to this target",
        file: config.file, subject: .key("architectures"),
        expected: "a decoder with gated feed-forward parts", found: architecture.name)
    }
    // What the runtime knows beside weights.
    let caches = AscendCache.tensors(of: self)
    let others = Set(caches)
    var model = try ModelGraph.translating(
      names, order: names.indices.filter { !others.contains($0) }, from: architecture.huggingFace,
      to: architecture.huggingFace, expertCount: try architecture.expertCount(config),
      expertOrder: architecture.expertOrder, heads: try architecture.headCounts(config),
      shapes: try RoleShapes(config, architecture), dequantizing: try SourceQuantization(of: self)
    ) { name, _ in reasons[name] }
    try model.keep(caches, of: names)
    let layerCount = try config.requiredCount(["num_hidden_layers", "n_layer"])
    // Those beyond predict further tokens, where the architecture has such layers.
    if !architecture.predictsFurtherTokens { try checkLayers(model, layerCount, config) }
    try model.check(layerCount, architecture, config)
    return TargetModel(
      model: model, architecture: architecture, config: config, warnings: [])
  }

  private func huggingFaceToGGUF(
    _ names: [SourceTensor], _ order: [Int], _ config: ModelConfig
  ) throws(Failure) -> TargetModel {
    let architecture = try Architecture.of(config)
    let layerCount = try config.requiredCount(["num_hidden_layers", "n_layer"])
    let model = try ModelGraph.translating(
      names, order: order, from: architecture.huggingFace, to: architecture.gguf,
      expertCount: try architecture.expertCount(config), expertOrder: architecture.expertOrder,
      heads: try architecture.headCounts(config), shapes: try RoleShapes(config, architecture),
      literals: try architecture.literals(config),
      dequantizing: try SourceQuantization(of: self)
    ) { _, role in
      guard architecture.predictsFurtherTokens, role?.bindings.layer ?? 0 >= layerCount else {
        return nil
      }
      return "the runtime does not predict further tokens"
    }
    try checkLayers(model, layerCount, config)
    try model.check(layerCount, architecture, config)
    let warnings = architecture.impliedConfig.compactMap { key, value -> String? in
      let stated = config.json[key]
      guard stated != value else { return nil }
      return "config.json: '\(key)' is \(stated?.summary ?? "missing"), but llama.cpp knows only "
        + "\(value.summary) for \(architecture.name)"
    }
    return TargetModel(
      model: model, architecture: architecture, config: config, warnings: warnings)
  }

  /// Checks that the layers are those that the config counts.
  private func checkLayers(
    _ model: ModelGraph, _ layerCount: Int, _ config: ModelConfig
  ) throws(Failure) {
    var found = Set<Int>()
    for role in model.roles {
      if let layer = role?.bindings.layer { found.insert(layer) }
    }
    let most = (found.max() ?? -1) + 1
    let missing = (0..<min(most, layerCount)).first { !found.contains($0) } ?? most
    guard found.count == layerCount, most == layerCount else {
      throw Failure(
        .badInput, "config and tensors disagree about the layers", file: config.file,
        subject: .key("num_hidden_layers"), expected: "layers 0 to \(layerCount - 1)",
        found: missing < layerCount ? "none of \(missing)" : "\(most) layers")
    }
    guard model.roles.contains(where: { $0?.role == .tokenEmbedding }) else {
      throw Failure(.badInput, "the checkpoint has no token embedding", file: path)
    }
  }

  private func ggufToHuggingFace(
    _ names: [SourceTensor], _ order: [Int]
  ) throws(Failure) -> TargetModel {
    guard let (known, experts) = ggufArchitecture else {
      return TargetModel(
        model: try .identity(names), architecture: nil, config: nil,
        warnings: [
          "the architecture '\(ggufArchitectureName)' is unknown, so tensors keep their GGUF names"
        ])
    }
    let model = try ModelGraph.translating(
      names, order: order, from: known.gguf.dropping(.ropeFactors), to: known.huggingFace,
      expertCount: experts, expertOrder: [],
      heads: try known.headCounts(of: self))
    return TargetModel(model: model, architecture: known, config: nil, warnings: [])
  }

  /// What a GGUF file calls its architecture.
  var ggufArchitectureName: String { metadata["general.architecture"]?.string?.text ?? "" }

  /// The architecture that a GGUF file names, with the number of its experts; nil for one that is
  /// unknown.
  var ggufArchitecture: (architecture: Architecture, expertCount: Int?)? {
    let name = ggufArchitectureName
    let count = metadata[ByteString("\(name).expert_count")]?.integer ?? 0
    let known = Architecture.all.filter { $0.ggufName == name }
    // A model of a family with experts may have none.
    let own = known.first { $0.hasExperts == (count > 0) } ?? known.first
    return own.map { ($0, count > 0 ? count : nil) }
  }

  /// A head count from metadata: a number, or an array of equal numbers.
  func headCount(_ key: String) throws(Failure) -> Int? {
    let key = ByteString(key)
    guard let value = metadata[key] else { return nil }
    if let count = value.integer, count > 0 { return count }
    if case .array(.int32(let counts)) = value, let first = counts.first, first > 0,
      counts.allSatisfy({ $0 == first })
    {
      return Int(first)
    }
    throw Failure(
      .badInput, "the number of heads is not usable", file: path, subject: .key(key),
      expected: "a whole number above 0", found: value.typeName)
  }
}

extension Architecture {
  var hasExperts: Bool { mappings.contains { $0.role.isExpert } }

  /// Whether heads share a latent of keys and values.
  var hasLatentAttention: Bool { mappings.contains { $0.role == .attentionKeyValueUp } }

  /// Whether layers after the last predict further tokens.
  var predictsFurtherTokens: Bool { mappings.contains { $0.role == .nextTokenProjection } }

  func headCounts(_ config: ModelConfig) throws(Failure) -> HeadCounts {
    let query = try config.headCount
    guard hasLatentAttention else {
      return HeadCounts(query: query, keyValue: try keyValueHeadCount(config))
    }
    return HeadCounts(
      // All share the latent, whatever the config says of their number.
      query: query, keyValue: query, latent: try config.latentHeads)
  }

  /// The heads that a GGUF file's metadata states; nil when it states none.
  func headCounts(of checkpoint: Checkpoint) throws(Failure) -> HeadCounts? {
    guard let query = try checkpoint.headCount("\(ggufName).attention.head_count") else {
      return nil
    }
    guard hasLatentAttention else {
      let keyValue = try checkpoint.headCount("\(ggufName).attention.head_count_kv")
      return HeadCounts(query: query, keyValue: keyValue ?? query)
    }
    func length(_ key: String) -> Int {
      let value = checkpoint.metadata[ByteString("\(ggufName).\(key)")]?.integer ?? 0
      return (0..<1 << 30).contains(value) ? value : 0
    }
    let rotated = length("rope.dimension_count")
    return HeadCounts(
      query: query, keyValue: query,
      latent: LatentHeads(
        latentLength: length("attention.kv_lora_rank"),
        plainKeyLength: max(0, length("attention.key_length_mla") - rotated),
        rotatedKeyLength: rotated, valueLength: length("attention.value_length_mla")))
  }

  /// The expert roles in the order of the table, which is the order of writing.
  var expertOrder: [Role] {
    var roles: [Role] = []
    for mapping in mappings where mapping.role.isExpert && !roles.contains(mapping.role) {
      roles.append(mapping.role)
    }
    return roles
  }

  func expertCount(_ config: ModelConfig) throws(Failure) -> Int? {
    guard hasExperts else { return nil }
    return try hyperparameter("expert_count")?.value(config)?.integer
  }

  func keyValueHeadCount(_ config: ModelConfig) throws(Failure) -> Int {
    let row = hyperparameter("attention.head_count_kv")
    if let count = try row?.value(config)?.integer { return count }
    return try config.headCount
  }
}

extension Dialect {
  /// The dialect with tensors of one role left out, for they follow from the config.
  fileprivate func dropping(_ role: Role) -> Dialect {
    Dialect(
      prefixes: prefixes, mappings: mappings.filter { $0.role != role },
      drops: drops
        + mappings.filter { $0.role == role }.map {
          Drop($0.name, because: "the \(role.rawValue) follow from the config")
        })
  }
}
