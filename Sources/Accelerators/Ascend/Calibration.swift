import ByteIO
import TensorTypes
import WeightFormats

/// How the inputs of linear layers are quantized, by the layers' names, and the cache of keys and
/// values.
///
/// It comes from a JSON object that gives `{"min": …, "max": …}` by name; from a safetensors file or
/// folder with tensors `NAME.min` and `NAME.max`; or from one with `NAME.input_scale` and
/// `NAME.input_offset`, as folders in the AscendV1 format have them, and with the tensors of the
/// cache.
public struct Calibration: Sendable {
  public let path: String
  private let inputs: [ByteString: InputQuantization]
  private let caches: [ByteString: [Float]]

  /// - Throws: `missingInput`, `inputOutput`, `badInput` for what is in none of these forms.
  public init(path: String) throws(Failure) {
    let isFolder = (try? Folder(path: path)) != nil
    let start = isFolder ? [] : try InputFile(path: path).bytes(at: 0, atMost: 8)
    // JSON has no zero byte; the length that a safetensors file begins with does.
    if isFolder || start.contains(0) {
      try self.init(try Checkpoint.open(path))
    } else {
      try self.init(json: path)
    }
  }

  private init(json path: String) throws(Failure) {
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
    var inputs: [ByteString: InputQuantization] = [:]
    for member in object.members {
      guard let least = member.value["min"]?.double, let greatest = member.value["max"]?.double,
        let input = InputQuantization(least: Float(least), greatest: Float(greatest))
      else {
        let found = (["min", "max"] as [ByteString]).map { key in
          "\(key) \(member.value[key]?.summary ?? "none")"
        }
        throw Failure(
          .badInput, "the range of inputs is not usable", file: path, subject: .key(member.key),
          expected: "the numbers min and max in ascending order",
          found: found.joined(separator: ", "))
      }
      inputs[member.key] = input
    }
    guard !inputs.isEmpty else {
      throw Failure(
        .badInput, "there is no calibration in the file", file: path,
        expected: "{\"min\": …, \"max\": …} by the names of layers", found: "no members")
    }
    self.inputs = inputs
    caches = [:]
  }

  private init(_ checkpoint: Checkpoint) throws(Failure) {
    path = checkpoint.path
    var inputs: [ByteString: InputQuantization] = [:]
    var caches: [ByteString: [Float]] = [:]
    for tensor in checkpoint.tensors {
      if let name = tensor.name.dropping(suffix: ".input_scale") {
        let (scale, offset) = try checkpoint.pair(tensor, name, ".input_offset")
        guard let input = InputQuantization(scale: scale, offset: offset) else {
          throw checkpoint.unusable(
            tensor, expected: "a scale above 0 and a whole offset in -128…127",
            found: "\(scale) and \(offset)")
        }
        inputs[name] = input
      } else if let name = tensor.name.dropping(suffix: ".min") {
        let (least, greatest) = try checkpoint.pair(tensor, name, ".max")
        guard let input = InputQuantization(least: least, greatest: greatest) else {
          throw checkpoint.unusable(
            tensor, expected: "min and max in ascending order", found: "\(least) and \(greatest)")
        }
        inputs[name] = input
      } else if AscendCache.linear(of: tensor.name) != nil {
        let values = try checkpoint.numbers(of: tensor)
        let setting = CalibratedSetting(of: tensor.name) ?? .scale  // of the cache, so it is one
        if let value = values.first(where: { !setting.allows(Double($0)) }) {
          throw checkpoint.unusable(tensor, expected: setting.description, found: "\(value)")
        }
        caches[tensor.name] = values
      }
    }
    guard !inputs.isEmpty || !caches.isEmpty else {
      throw Failure(
        .badInput, "there is no calibration in these weights", file: path,
        expected: "tensors *.input_scale and *.input_offset, or *.min and *.max", found: "none")
    }
    self.inputs = inputs
    self.caches = caches
  }

  /// How the inputs of a linear layer are quantized; nil when the calibration does not have it.
  public func input(of linear: ByteString) -> InputQuantization? { inputs[linear] }

  /// The values of a tensor of the cache beside a projection with so many channels.
  ///
  /// - Throws: `badInput` when they are of another number.
  public func cache(_ name: ByteString, channelCount: Int) throws(Failure) -> [Float]? {
    guard let values = caches[name] else { return nil }
    guard values.count == 1 || values.count == channelCount else {
      throw Failure(
        .badInput, "the calibration does not fit the model", file: path, subject: .tensor(name),
        expected: "\(channelCount) values or one", found: "\(values.count)")
    }
    return values
  }
}

/// What kind of number a calibration gives.
public enum CalibratedSetting: Sendable, Hashable {
  case scale, offset

  /// nil for tensors that come from no calibration.
  public init?(of name: ByteString) {
    if name.hasSuffix(".input_scale") || name.hasSuffix(".kv_cache_scale") {
      self = .scale
    } else if name.hasSuffix(".input_offset") || name.hasSuffix(".kv_cache_offset") {
      self = .offset
    } else {
      return nil
    }
  }

  /// Whether a layer can have the value: the runtime holds offsets as int8.
  public func allows(_ value: Double) -> Bool {
    switch self {
    case .scale: value > 0 && value.isFinite
    case .offset: value.rounded() == value && (-128...127).contains(value)
    }
  }
}

extension CalibratedSetting: CustomStringConvertible {
  public var description: String {
    switch self {
    case .scale: "scales above 0"
    case .offset: "whole numbers in -128…127"
    }
  }
}

extension Checkpoint {
  /// The number in a tensor and that in its companion.
  fileprivate func pair(
    _ first: Tensor, _ name: ByteString, _ suffix: String
  ) throws(Failure) -> (Float, Float) {
    guard let second = self[ByteString(name.text + suffix)] else {
      throw unusable(first, expected: "'\(name)\(suffix)' beside it", found: "none")
    }
    return (try number(first), try number(second))
  }

  private func number(_ tensor: Tensor) throws(Failure) -> Float {
    let numbers = try numbers(of: tensor)
    guard numbers.count == 1 else {
      throw unusable(tensor, expected: "one value", found: "\(tensor.type.shape)")
    }
    return numbers[0]
  }

  fileprivate func unusable(_ tensor: Tensor, expected: String, found: String) -> Failure {
    Failure(
      .badInput, "the calibration is not usable", file: files[tensor.file].source.name,
      subject: .tensor(tensor.name), expected: expected, found: found)
  }
}

/// With what scale and offset the inputs of a layer become int8.
public struct InputQuantization: Sendable, Hashable {
  public let scale: Float
  /// The code of 0: a whole number in −128…127.
  public let offset: Float

  /// What stands in for scale and offset that a folder lacks.
  public static let unit = InputQuantization()

  private init() { (scale, offset) = (1, 0) }

  /// nil for what no layer can have.
  public init?(scale: Float, offset: Float) {
    guard CalibratedSetting.scale.allows(Double(scale)),
      CalibratedSetting.offset.allows(Double(offset))
    else { return nil }
    self.scale = scale
    self.offset = offset
  }

  /// For inputs between two values: `scale = greatest / 255 − least / 255`, where 0 always lies
  /// between them, at least 2⁻²³; `offset = round(−least / scale) − 128`, half to even. nil for
  /// values that are not finite or not in order.
  ///
  /// - Source: msmodelslim 26.1.0, `int_quantization.py`.
  public init?(least: Float, greatest: Float) {
    guard least <= greatest, least.isFinite, greatest.isFinite else { return nil }
    let least = min(least, 0)
    let scale = max(max(greatest, 0) / 255 - least / 255, 0x1p-23)
    self.init(scale: scale, offset: (-least / scale).rounded(.toNearestOrEven) - 128)
  }
}
