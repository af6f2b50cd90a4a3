import Architectures
import ByteIO
import TensorTypes
import WeightFormats

/// Which tensors of a checkpoint are codes with scales beside them, as its config says.
///
/// - Source: transformers 5.24.0, `quantizer_finegrained_fp8.py`; compressed-tensors 0.20.0;
///   DeepSeek-V3, `inference/fp8_cast_bf16.py`.
public struct SourceQuantization: Sendable {
  /// The scales of one tensor of codes.
  public struct Scales: Sendable, Hashable {
    /// The number of the tensor that holds them.
    public let tensor: Int
    public let grid: ScaleGrid
  }

  /// By the number of the tensor of codes.
  public let scalesOfCodes: [Int: Scales]
  /// The numbers of the tensors that are scales of others.
  public let scaleTensors: Set<Int>
  /// The numbers of tensors that only the source's runtime needs.
  public let unused: Set<Int>

  /// Why `unused` tensors are not written.
  public static let unusedReason = "scales of activations belong to the runtime of the source"

  /// Pairs codes and scales; nil for a checkpoint that says nothing of quantization.
  ///
  /// - Throws: `badInput` for codes without scales, scales without codes, two scales of one tensor,
  ///   and scales that do not fit; `usage` for ways of quantizing that are not read.
  public init?(of checkpoint: Checkpoint) throws(Failure) {
    guard checkpoint.format == .safetensors else { return nil }
    let grids = try SourceQuantization.grids(of: checkpoint)
    var pairs: [Int: Scales] = [:]
    var scales = Set<Int>()
    var unused = Set<Int>()
    for (number, tensor) in checkpoint.tensors.enumerated() {
      guard tensor.name.hasSuffix("_scale_inv") || tensor.name.hasSuffix("_scale") else { continue }
      if tensor.name.hasSuffix(".input_scale") {
        unused.insert(number)
        continue
      }
      guard let ending = ["_scale_inv", "_scale"].first(where: { tensor.name.hasSuffix($0) }),
        tensor.name.hasSuffix("weight" + ending)
      else { continue }
      let name = ByteString(String(tensor.name.text.dropLast(ending.count)))
      let file = checkpoint.files[tensor.file].source.name
      guard let codes = checkpoint.position(of: name), checkpoint.tensors[codes].type.isFP8 else {
        let other = checkpoint[name]
        throw Failure(
          .badInput, "the scales belong to no codes", file: file, subject: .tensor(tensor.name),
          expected: "'\(name)' in F8_E4M3", found: other.map { "\($0.type)" } ?? "none")
      }
      guard let grids else {
        throw Failure(
          .badInput, "the config does not say how the codes are scaled", file: checkpoint.path,
          subject: .tensor(name), expected: "the key quantization_config", found: "none")
      }
      if let other = pairs[codes] {
        throw Failure(
          .badInput, "the codes have scales twice", file: file, subject: .tensor(name),
          expected: "one tensor of scales",
          found: "'\(checkpoint.tensors[other.tensor].name)' and '\(tensor.name)'")
      }
      let grid = try SourceQuantization.grid(
        of: tensor, among: grids, for: checkpoint.tensors[codes], file: file)
      pairs[codes] = Scales(tensor: number, grid: grid)
      scales.insert(number)
    }
    guard grids != nil else { return nil }
    for (number, tensor) in checkpoint.tensors.enumerated()
    where tensor.type.isFP8 && pairs[number] == nil {
      throw Failure(
        .badInput, "the codes have no scales", file: checkpoint.files[tensor.file].source.name,
        subject: .tensor(tensor.name),
        expected: "'\(tensor.name)_scale_inv' or '\(tensor.name)_scale'", found: "none")
    }
    scalesOfCodes = pairs
    scaleTensors = scales
    self.unused = unused
  }

  /// How scales may lie, by the config; nil when it says nothing of quantization.
  private static func grids(of checkpoint: Checkpoint) throws(Failure) -> [ScaleGrid]? {
    let config = checkpoint.config
    guard
      let stated = config?["quantization_config"]
        ?? config?["text_config"]?["quantization_config"] ?? config?["compression_config"],
      stated.object != nil
    else { return nil }
    let file = checkpoint.folder?.path(of: "config.json") ?? checkpoint.path
    let method = stated["quant_method"]?.string ?? "none"
    switch method {
    case "fp8":
      guard let size = stated["weight_block_size"], !size.isNull else {
        return [.tensor, .channel]
      }
      return [try blocks(size, file)]
    case "compressed-tensors":
      let format = stated["format"]?.string ?? "none"
      guard format == "float-quantized" || format == "naive-quantized" else {
        throw unread("compressed-tensors as \(format)", file)
      }
      var grids: [ScaleGrid] = []
      for group in stated["config_groups"]?.object?.members ?? [] {
        let weights = group.value["weights"]
        switch weights?["strategy"]?.string {
        case "tensor": grids.append(.tensor)
        case "channel": grids.append(.channel)
        case "block": grids.append(try blocks(weights?["block_structure"] ?? .null, file))
        case let other: throw unread("compressed-tensors by \(other ?? "no strategy")", file)
        }
        guard weights?["num_bits"]?.integer == 8, weights?["type"]?.string == "float" else {
          throw unread("compressed-tensors of other types", file)
        }
      }
      return grids
    default: throw unread(method, file)
    }
  }

  private static func blocks(_ size: JSON, _ file: String) throws(Failure) -> ScaleGrid {
    let numbers = (size.array ?? []).compactMap(\.integer)
    guard numbers.count == 2, numbers.allSatisfy({ (1...(1 << 20)).contains($0) }) else {
      throw Failure(
        .badInput, "the block size is not usable", file: file, subject: .key("weight_block_size"),
        expected: "two numbers from 1 to \(1 << 20)", found: size.summary)
    }
    return .blocks(numbers[0], numbers[1])
  }

  private static func unread(_ found: String, _ file: String) -> Failure {
    Failure(
      .usage, "the checkpoint is quantized in a way that port does not read", file: file,
      subject: .key("quantization_config"),
      expected: "fp8, or compressed-tensors as float-quantized", found: found)
  }

  /// The grid that gives as many scales as there are.
  private static func grid(
    of scales: Checkpoint.Tensor, among grids: [ScaleGrid], for codes: Checkpoint.Tensor,
    file: String
  ) throws(Failure) -> ScaleGrid {
    guard codes.type.shape.rank == 2, case .plain(let dtype) = scales.type.encoding,
      [.f32, .bf16, .f16].contains(dtype)
    else {
      throw Failure(
        .badInput, "codes or scales are not usable", file: file, subject: .tensor(scales.name),
        expected: "a matrix of codes, scales in F32, BF16 or F16",
        found: "\(codes.type) and \(scales.type)")
    }
    var expected: [String] = []
    for grid in grids {
      guard let (down, across) = grid.counts(of: codes.type.shape) else { continue }
      let axes = scales.type.shape.axes
      let isWhole = axes == [down, across]
      // A scale for each row or one for all may come without the axes of length 1.
      let isShort = across == 1 && axes == [down] || down * across == 1 && axes.isEmpty
      if isWhole || isShort { return grid }
      expected.append("\(Shape([down, across])) for \(codes.type.shape) by \(grid)")
    }
    throw Failure(
      .badInput, "the scales do not fit the codes", file: file, subject: .tensor(scales.name),
      expected: expected.joined(separator: " or "), found: "\(scales.type.shape)")
  }
}

extension TensorType {
  fileprivate var isFP8: Bool { encoding == .plain(.f8e4m3) }
}
