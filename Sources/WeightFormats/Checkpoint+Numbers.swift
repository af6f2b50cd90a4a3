import ByteIO
import TensorTypes

extension Checkpoint {
  /// Tensors beyond this are no settings.
  /// - Units: elements.
  private static let numberLimit = 1 << 20

  /// The values of a small tensor that is no weight, such as a scale; each is a value of F32.
  ///
  /// - Throws: `badInput` for tensors that are large or of other types.
  public func numbers(of tensor: Tensor) throws(Failure) -> [Float] {
    let file = files[tensor.file]
    func failure(_ expected: String, _ found: String) -> Failure {
      Failure(
        .badInput, "the tensor is not usable as numbers", file: file.source.name,
        subject: .tensor(tensor.name), expected: expected, found: found)
    }
    let count = tensor.type.shape.elementCount ?? .max
    guard count <= Checkpoint.numberLimit else {
      throw failure("at most \(Checkpoint.numberLimit) elements", "\(tensor.type.shape)")
    }
    var cursor = Cursor(file.source, position: tensor.offset)
    cursor.byteOrder = file.manifest.byteOrder
    var numbers: [Float] = []
    numbers.reserveCapacity(count)
    for _ in 0..<count {
      switch tensor.type.encoding {
      case .f32: numbers.append(Float(bitPattern: try cursor.read(UInt32.self)))
      case .bf16: numbers.append(Float(bitPattern: UInt32(try cursor.read(UInt16.self)) << 16))
      case .f16: numbers.append(Float(half: try cursor.read(UInt16.self)))
      case .plain(.i8): numbers.append(Float(try cursor.read(Int8.self)))
      case .plain(.i32): numbers.append(Float(try cursor.read(Int32.self)))
      default: throw failure("F32, F16, BF16, I32 or I8", "\(tensor.type.encoding)")
      }
    }
    return numbers
  }
}

extension Float {
  /// The value of the bits of an F16, exactly.
  fileprivate init(half bits: UInt16) {
    let magnitude = UInt32(bits & 0x7FFF)
    // Exponents differ by 112 in their bias, for subnormal values too.
    let finite = Float(bitPattern: magnitude << 13) * 0x1p112
    let value = magnitude < 0x7C00 ? finite : magnitude == 0x7C00 ? .infinity : .nan
    self = bits & 0x8000 == 0 ? value : -value
  }
}
