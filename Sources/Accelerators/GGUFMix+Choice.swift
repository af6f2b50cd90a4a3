import TensorTypes

extension GGUFMix {
  /// The encoding that each quantizable tensor gets; the others have no entry and stay as they are.
  ///
  /// Some rules count the tensors of a kind that came before, so tensors are looked at in the
  /// reference's order: those outside the layers first, then layer by layer, each by name. Tensors
  /// whose encoding the caller has settled are not counted.
  ///
  /// - Parameter settled: tensors whose encoding the caller chooses.
  /// - Throws: `usage` for an architecture with rules of its own and for rows that fit no type,
  ///   `badInput` for experts outside the layers.
  /// - Source: llama.cpp `src/llama-quant.cpp`, `llama_tensor_get_type`.
  public func encodings(
    of tensors: [(name: ByteString, type: TensorType)], _ counts: GGUFModelCounts,
    _ options: GGUFMixOptions, settled: (ByteString) -> Bool = { _ in false }
  ) throws(Failure) -> [ByteString: Encoding] {
    guard !GGUFMix.foreignArchitectures.contains(counts.architecture) else {
      throw Failure(
        .usage, "llama.cpp has rules of its own for this architecture, which port does not know",
        expected: "another architecture, or a plain type", found: "'\(counts.architecture)'")
    }
    var choice = Choice(mix: self, counts: counts, options: options, tensors.map(\.name))
    var encodings: [ByteString: Encoding] = [:]
    let ordered = tensors.map { (layer: layer(of: $0.name) ?? -1, tensor: $0) }
      .sorted { ($0.layer, $0.tensor.name) < ($1.layer, $1.tensor.name) }
    for (_, tensor) in ordered where GGUFMix.quantizes(tensor.name, tensor.type.shape) {
      guard !settled(tensor.name) else { continue }
      encodings[tensor.name] = try choice.encoding(of: tensor.name, tensor.type.shape)
    }
    return encodings
  }

  /// Architectures for which the reference makes exceptions of its own.
  private static let foreignArchitectures = ["falcon", "glm5-next", "bailingmoe3"]

  /// Whether a tensor is one of the matrices that the reference quantizes.
  static func quantizes(_ name: ByteString, _ shape: Shape) -> Bool {
    // Leading axes of length 1 do not count.
    guard shape.axes.drop(while: { $0 == 1 }).count >= 2, name.hasSuffix("weight") else {
      return false
    }
    return name != "position_embd.weight" && name != "token_types.weight"
      && !unquantized.contains { name.contains($0) }
  }

  /// Parts of the names of tensors that are too small or too sensitive.
  private static let unquantized: [ByteString] = [
    "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel",
    "per_layer_model_proj", "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight",
    "indexer.q_proj.weight", "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight",
    "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight",
    "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight",
    "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight", "attn_rel_b.weight", ".position_embd", "sam.pos_embd",
    "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook",
    "mm.a.code_embd",
  ]

  /// Whether llama.cpp refuses to write this type without an importance matrix.
  ///
  /// - Source: llama.cpp `src/llama-quant.cpp`, `tensor_requires_imatrix`.
  public func needsImportance(_ name: ByteString, _ encoding: Encoding) -> Bool {
    guard case .block(let block) = encoding, name != "token_embd.weight",
      name != "per_layer_token_embd.weight", name != "output.weight"
    else { return false }
    return switch block.name {
    case "iq3_xxs", "iq2_xxs", "iq2_xs", "iq2_s", "iq1_m", "iq1_s": true
    case "q2_k": self.name == .q2_k_s
    default: false
    }
  }
}

/// The number of the layer in `blk.7.…`.
private func layer(of name: ByteString) -> Int? {
  guard name.hasPrefix("blk.") else { return nil }
  let digits = name.utf8.dropFirst(4).prefix { (0x30...0x39).contains($0) }
  let rest = name.utf8.dropFirst(4 + digits.count)
  guard rest.first == UInt8(ascii: "."), digits.count <= 9 else { return nil }
  return Int(String(Substring(digits)))
}

/// What a tensor does, as far as the rules tell tensors apart.
private enum Category {
  case tokenEmbedding, output, query, key, value, fusedQKV, compressedKV, attentionOutput
  case up, gate, down, other

  init(_ name: ByteString) {
    if name == "output.weight" {
      self = .output
    } else if name == "token_embd.weight" || name == "per_layer_token_embd.weight" {
      self = .tokenEmbedding
    } else {
      self = Category.parts.first { name.contains($0.part) }?.category ?? .other
    }
  }

  private static let parts: [(part: ByteString, category: Category)] = [
    ("attn_qkv.weight", .fusedQKV), ("attn_kv_b.weight", .compressedKV), ("attn_v.weight", .value),
    ("attn_k.weight", .key), ("attn_q.weight", .query), ("attn_output.weight", .attentionOutput),
    ("ffn_up", .up), ("ffn_gate", .gate), ("ffn_down", .down),
  ]

  /// Whether values depend on it, which quantization hurts most.
  var holdsValues: Bool { self == .value || self == .fusedQKV || self == .compressedKV }
}

/// The rules of one mix on their way through the tensors of one model.
private struct Choice {
  let mix: GGUFMix
  let counts: GGUFModelCounts
  let options: GGUFMixOptions
  let isTied: Bool
  let valueTensorCount: Int
  /// Tensors so far of the kinds that are counted.
  private var values = 0
  private var downs = 0
  private var gates = 0
  private var ups = 0

  init(
    mix: GGUFMix, counts: GGUFModelCounts, options: GGUFMixOptions, _ names: [ByteString]
  ) {
    self.mix = mix
    self.counts = counts
    self.options = options
    isTied = !names.contains("output.weight")
    valueTensorCount = names.count { Category($0).holdsValues }
  }

  mutating func encoding(of name: ByteString, _ shape: Shape) throws(Failure) -> Encoding {
    let category = Category(name)
    if category == .tokenEmbedding, let type = options.embeddingType { return type }
    if category == .output, let type = options.outputType { return type }
    if options.isPure { return try fitting(mix.defaultType, name, shape) }
    if isTied, category == .tokenEmbedding, let type = options.outputType {
      if case .block(let block) = type { return try fitting(block, name, shape) }
      return type
    }
    let type = try special(name, shape, category) ?? mix.defaultType
    return try fitting(type, name, shape)
  }

  /// The type, or one with smaller blocks where rows are no multiple of its own; F16 at last.
  private func fitting(
    _ type: BlockType, _ name: ByteString, _ shape: Shape
  ) throws(Failure) -> Encoding {
    if shape.rowLength % type.elementCount == 0 { return .block(type) }
    let smaller: BlockType
    switch type.name {
    case "iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s", "iq4_xs":
      smaller = .iq4_nl
    case "q2_0", "q2_k", "q3_k", "tq1_0", "tq2_0": smaller = .q4_0
    case "q4_k": smaller = .q5_0
    case "q5_k": smaller = .q5_1
    case "q6_k": smaller = .q8_0
    case _ where type.elementCount <= 32: smaller = type
    default:
      throw Failure(
        .usage, "the rows do not fit \(type.name), and llama.cpp has no type to fall back to",
        subject: .tensor(name), expected: "rows of a multiple of \(type.elementCount) elements",
        found: "\(shape.rowLength)")
    }
    return shape.rowLength % smaller.elementCount == 0 ? .block(smaller) : .f16
  }

  /// The type that a rule gives; nil for the mix's default.
  private mutating func special(
    _ name: ByteString, _ shape: Shape, _ category: Category
  ) throws(Failure) -> BlockType? {
    if category == .output || isTied && category == .tokenEmbedding { return output(shape) }
    if mix.name == .mxfp4_moe {
      return shape.rank >= 3 && shape.axes[shape.rank - 3] > 1 ? nil : .q8_0
    }
    if category == .tokenEmbedding { return tokenEmbedding }
    switch mix.name {
    case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq2_m: return leastBits(category)
    default: break
    }
    switch category {
    case .value, .fusedQKV, .compressedKV: return value()
    case .key:
      if counts.expertCount == 8 { return .q8_0 }
      return queryOrKey
    case .query: return queryOrKey
    case .down:
      defer { downs += 1 }
      return down(try layer(downs, name))
    case .attentionOutput: return attentionOutput
    case .gate:
      defer { gates += 1 }
      return gateOrUp(try layer(gates, name))
    case .up:
      defer { ups += 1 }
      return gateOrUp(try layer(ups, name))
    case .output, .tokenEmbedding, .other: return nil
    }
  }

  /// The layer of a feed-forward matrix: how many came before, or the number in its name where
  /// experts make one layer several.
  private func layer(_ before: Int, _ name: ByteString) throws(Failure) -> Int {
    guard counts.expertCount > 1 else { return before }
    guard let number = Accelerators.layer(of: name), number < counts.layerCount else {
      throw Failure(
        .badInput, "the tensor's layer is not one of the model's", subject: .tensor(name),
        expected: "blk.0 to blk.\(counts.layerCount - 1)", found: "another name")
    }
    return number
  }

  /// Whether a layer is one of the first or last eighth, or every third between.
  private func getsMoreBits(_ layer: Int, of count: Int) -> Bool {
    layer < count / 8 || layer >= 7 * count / 8 || (layer - count / 8) % 3 == 2
  }

  private func output(_ shape: Shape) -> BlockType? {
    if mix.name == .mxfp4_moe || shape.rowLength % mix.defaultType.elementCount != 0 {
      return .q8_0
    }
    return switch mix.name {
    case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq2_m, .iq3_xxs: .q5_k
    default: .q6_k
    }
  }

  private var tokenEmbedding: BlockType? {
    switch mix.name {
    case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs: .q2_k
    case .iq2_s, .iq2_m, .iq3_xxs: .iq3_s
    case .tq1_0, .tq2_0, .q2_0: .q4_k
    default: nil
    }
  }

  /// The mixes with the fewest bits have rules of their own.
  private mutating func leastBits(_ category: Category) -> BlockType? {
    let isLarger = mix.name == .iq2_s || mix.name == .iq2_m
    switch category {
    case .value, .fusedQKV, .compressedKV:
      values += 1
      if counts.groupSize >= 4 || counts.expertCount >= 4 { return .q4_k }
      return isLarger ? .iq3_s : .q2_k
    case .key: return counts.expertCount == 8 ? .q4_k : nil
    case .down:
      defer { downs += 1 }
      guard downs < counts.layerCount / 8 else { return nil }
      return isLarger ? .iq3_s : .q2_k
    case .attentionOutput:
      if counts.expertCount == 8 { return .q5_k }
      if isLarger { return .iq3_s }
      return mix.name == .iq1_s || mix.name == .iq1_m ? .iq2_xxs : nil
    default: return nil
    }
  }

  private mutating func value() -> BlockType? {
    defer { values += 1 }
    let isGrouped = counts.groupSize >= 4
    var type: BlockType? =
      switch mix.name {
      case .q2_k: isGrouped ? .q4_k : .q3_k
      case .q2_k_s, .iq3_xs, .iq3_s: isGrouped ? .q4_k : nil
      case .iq3_xxs: isGrouped ? .q4_k : options.hasImportance ? nil : .iq3_s
      case .iq3_m: .q4_k
      case .q3_k_m: values < 2 ? .q5_k : .q4_k
      case .q3_k_l: .q5_k
      case .iq4_nl, .iq4_xs: isGrouped ? .q5_k : nil
      case .q4_k_m, .q5_k_m: getsMoreBits(values, of: valueTensorCount) ? .q6_k : nil
      case .q4_k_s: values < 4 ? .q5_k : nil
      default: nil
      }
    let chosen = type ?? mix.defaultType
    if counts.isSeventyBillion, chosen == .q3_k || chosen == .q4_k { type = .q5_k }
    return counts.expertCount == 8 ? .q8_0 : type
  }

  private var queryOrKey: BlockType? {
    switch mix.name {
    case .iq3_xs: .iq3_xxs
    case .iq3_xxs: .iq2_s
    default: nil
    }
  }

  private func down(_ layer: Int) -> BlockType? {
    let count = counts.layerCount
    let isFirstEighth = layer < count / 8
    let getsMore = getsMoreBits(layer, of: count)
    switch mix.name {
    case .q2_k: return .q3_k
    case .q2_k_s: return isFirstEighth ? .q4_k : nil
    case .iq3_xxs: return options.hasImportance ? nil : isFirstEighth ? .q4_k : .q3_k
    case .q3_k_m: return layer < count / 16 ? .q5_k : .q4_k
    case .iq3_m: return isFirstEighth || counts.expertCount == 8 && getsMore ? .q4_k : nil
    case .q3_k_l: return .q5_k
    case .q4_k_m, .q5_k_m: return getsMore ? .q6_k : nil
    case .iq4_nl, .iq4_xs: return isFirstEighth && !options.hasImportance ? .q5_k : nil
    case .q4_k_s: return isFirstEighth ? .q5_k : nil
    case .q4_0: return options.hasImportance && isFirstEighth ? .q4_1 : nil
    case .q5_0: return options.hasImportance && isFirstEighth ? .q5_1 : nil
    default: return nil
    }
  }

  private var attentionOutput: BlockType? {
    if counts.expertCount == 8 {
      return switch mix.name {
      case .q2_k, .iq3_xs, .iq3_xxs, .q3_k_s, .q3_k_m, .iq4_nl, .q4_k_s, .q4_k_m, .iq3_s, .iq3_m,
        .iq4_xs:
        .q5_k
      default: nil
      }
    }
    return switch mix.name {
    case .q2_k: .q3_k
    case .iq3_xxs: .iq3_s
    case .q3_k_m, .iq3_m: .q4_k
    case .q3_k_l: .q5_k
    default: nil
    }
  }

  private func gateOrUp(_ layer: Int) -> BlockType? {
    let count = counts.layerCount
    let isInside = layer >= count / 8 && layer < 7 * count / 8
    return mix.name == .iq3_xs && isInside ? .iq3_xxs : nil
  }
}
