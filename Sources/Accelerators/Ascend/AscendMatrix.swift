import TensorTypes
import WeightFormats

/// A matrix that an AscendV1 folder holds as codes, with the tensors beside them.
public struct AscendMatrix: Sendable, Hashable {
  /// A tensor beside codes, by what follows the layer's name.
  public enum Part: String, Sendable, Hashable, CaseIterable {
    case weightScale = "weight_scale"
    case weightOffset = "weight_offset"
    case scaleBias = "scale_bias"
    case inputScale = "input_scale"
    case inputOffset = "input_offset"
    case deqScale = "deq_scale"
    case quantBias = "quant_bias"
  }

  public let type: AscendType
  public let scheme: QuantScheme
  /// Of the matrix that the codes stand for.
  public let shape: Shape
  /// The number of the tensor of codes.
  public let codes: Int
  /// The numbers of the tensors beside it.
  public let parts: [Part: Int]

  /// The tensors of one layer of a folder.
  ///
  /// - Parameters:
  ///   - type: a quantized one.
  ///   - groupSize: as the description states it.
  /// - Throws: `badInput` for tensors that are missing or do not fit.
  public init(
    codes number: Int, _ type: AscendType, groupSize: Int, of checkpoint: Checkpoint
  ) throws(Failure) {
    let tensor = checkpoint.tensors[number]
    func misfit(_ message: String, _ expected: String, _ found: String) -> Failure {
      Failure(
        .badInput, message, file: checkpoint.files[tensor.file].source.name,
        subject: .tensor(tensor.name), expected: expected, found: found)
    }
    guard let scheme = type.scheme(groupSize: groupSize), tensor.name.hasSuffix(".weight"),
      let shape = scheme.matrix(ofCodes: tensor.type)
    else {
      throw misfit(
        "the tensor is not what its type says", "codes of \(type.rawValue)", "\(tensor.type)")
    }
    let base = tensor.name.text.dropLast("weight".utf8.count)
    var parts: [Part: Int] = [:]
    for part in Part.allCases {
      parts[part] = checkpoint.position(of: ByteString(base + part.rawValue))
    }
    func require(_ part: Part, _ isFitting: (TensorType) -> Bool) throws(Failure) {
      let found = parts[part].map { checkpoint.tensors[$0].type }
      guard let found, isFitting(found) else {
        throw misfit(
          "codes of \(type.rawValue) need more beside them", "a fitting '\(base)\(part.rawValue)'",
          found.map { "\($0)" } ?? "none")
      }
    }
    if type.isStatic {
      try require(.inputScale) { $0.shape.elementCount == 1 && $0.encoding.isFloat }
      try require(.inputOffset) {
        $0.shape.elementCount == 1 && ($0.encoding.isFloat || $0.encoding == .plain(.i8))
      }
      try require(.deqScale) { found in
        [false, true].contains {
          QuantPart.deqScale(inputScale: 1, asBits: $0).type(of: shape, scheme) == found
        }
      }
      try require(.quantBias) {
        QuantPart.quantBias(inputScale: 1, inputOffset: 0).type(of: shape, scheme) == $0
      }
    }
    if type != .w8a8 {
      try require(.weightScale) { found in
        // The runtime holds them in the model's type.
        guard let scales = scheme.scales(of: shape), scales.encoding == .f32 else {
          return scheme.scales(of: shape) == found
        }
        return found.shape == scales.shape && found.encoding.isFloat
      }
    }
    if type == .w4a8Dynamic {
      try require(.scaleBias) {
        $0.shape.rank == 2 && $0.shape.axes[0] == shape.axes[0] && $0.encoding == .f32
      }
    }
    self.type = type
    self.scheme = scheme
    self.shape = shape
    codes = number
    self.parts = parts
  }

  /// The matrices of a folder, by the numbers of their codes; nil when it is no AscendV1 folder.
  ///
  /// - Throws: `badInput` for a matrix that lacks a tensor beside it.
  public static func all(of checkpoint: Checkpoint) throws(Failure) -> [Int: AscendMatrix]? {
    guard let description = try checkpoint.ascendDescription() else { return nil }
    var matrices: [Int: AscendMatrix] = [:]
    for (number, tensor) in checkpoint.tensors.enumerated() where tensor.name.hasSuffix(".weight") {
      guard let type = description.types[tensor.name], type != .float else { continue }
      matrices[number] = try AscendMatrix(
        codes: number, type, groupSize: description.groupSize, of: checkpoint)
    }
    return matrices
  }
}

extension Encoding {
  fileprivate var isFloat: Bool { [.f32, .f16, .bf16].contains(self) }
}

extension QuantScheme {
  /// The shape of a matrix with codes of a type; nil when they are no codes of this scheme.
  fileprivate func matrix(ofCodes type: TensorType) -> Shape? {
    guard type.shape.rank == 2 else { return nil }
    var axes = type.shape.axes
    if code == .int4 || code == .e2m1 {
      let axis = code == .int4 ? 0 : 1
      let (length, overflow) = axes[axis].multipliedReportingOverflow(by: 2)
      if overflow { return nil }
      axes[axis] = length
    }
    return codes(of: Shape(axes)) == type ? Shape(axes) : nil
  }
}
