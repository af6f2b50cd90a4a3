import ByteIO
import TensorTypes

/// The least and the greatest input of linear layers, from a file: a JSON object that gives
/// `{"min": …, "max": …}` by the layer's name.
public struct Calibration: Sendable {
  public let path: String
  private let inputs: [ByteString: InputRange]

  /// - Throws: `missingInput`, `inputOutput`, `badInput` for a file that is not of this form.
  public init(path: String) throws(Failure) {
    self.path = path
    let file = try InputFile(path: path)
    guard file.byteCount <= Folder.fileByteLimit else {
      throw Failure(
        .badInput, "the file is too large for a calibration", file: path,
        expected: "at most \(Folder.fileByteLimit) bytes", found: "\(file.byteCount)")
    }
    let json = try JSON(parsing: try file.bytes(at: 0, count: file.byteCount), file: path)
    guard let object = json.object else {
      throw Failure(.badInput, "the calibration is no JSON object", file: path)
    }
    var inputs: [ByteString: InputRange] = [:]
    for member in object.members {
      let (name, value) = (member.key, member.value)
      guard let least = value["min"]?.double, let greatest = value["max"]?.double,
        least <= greatest, Float(least).isFinite, Float(greatest).isFinite
      else {
        throw Failure(
          .badInput, "the range of inputs is not usable", file: path, subject: .key(name),
          expected: "the numbers min and max in ascending order", found: "other values")
      }
      inputs[name] = InputRange(least: Float(least), greatest: Float(greatest))
    }
    self.inputs = inputs
  }

  /// The inputs of a linear layer; nil when the file does not have it.
  public func range(of linear: ByteString) -> InputRange? { inputs[linear] }
}

/// Between what values the inputs of a layer lie.
public struct InputRange: Sendable, Hashable {
  public let least: Float
  public let greatest: Float

  /// `greatest / 255 − least / 255`, where 0 always lies between the two; at least 2⁻²³.
  ///
  /// - Source: msmodelslim 26.1.0, `int_quantization.py`.
  public var scale: Float { max(max(greatest, 0) / 255 - min(least, 0) / 255, 0x1p-23) }

  /// The code of 0: `round(−least / scale) − 128`, half to even.
  public var offset: Float { (-min(least, 0) / scale).rounded(.toNearestOrEven) - 128 }
}
