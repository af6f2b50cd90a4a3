import Accelerators
import ReferenceKernels
import TensorTypes
import WeightFormats

/// A matrix that a checkpoint stores as codes with scales beside them, as numbers.
struct CodedMatrix: Sendable {
  let scheme: QuantScheme
  let shape: Shape
  /// The number of the tensor of codes.
  let codes: Int
  /// That of the tensor of scales.
  let scales: Int
  /// What the scales have been multiplied with; 1 for nothing.
  let inputScale: Double

  /// The blocks of FP8 under a name; nil when codes or scales are not there or do not fit.
  init?(blocks name: ByteString, of checkpoint: Checkpoint) {
    guard let codes = checkpoint.position(of: name),
      let scales = checkpoint.position(of: ByteString(name.text + "_scale_inv")),
      case let shape = checkpoint.tensors[codes].type.shape,
      checkpoint.tensors[codes].type == QuantScheme.fp8Block128.codes(of: shape),
      checkpoint.tensors[scales].type == QuantScheme.fp8Block128.scales(of: shape)
    else { return nil }
    scheme = .fp8Block128
    self.shape = shape
    self.codes = codes
    self.scales = scales
    inputScale = 1
  }

  /// - Throws: what reading throws.
  init(_ matrix: AscendMatrix, of tensors: CheckpointTensors) throws(Failure) {
    scheme = matrix.scheme
    shape = matrix.shape
    codes = matrix.codes
    let isStatic = matrix.parts[.weightScale] == nil
    // The matrix has been found to have one of the two.
    scales = matrix.parts[.weightScale] ?? matrix.parts[.deqScale] ?? matrix.codes
    if isStatic, let scale = matrix.parts[.inputScale] {
      inputScale = try tensors.values(of: scale, elements: 0..<1)[0]
    } else {
      inputScale = 1
    }
  }

  var columnCount: Int { shape.axes[1] }

  /// Codes and scales of some rows.
  func rows(_ rows: Range<Int>, of tensors: CheckpointTensors) throws(Failure) -> ScaledRows {
    // The grid has scales for every matrix, as this is one.
    let across = scheme.grid.counts(of: shape)!.across
    let band = scheme.grid.rows ?? shape.axes[0]
    var result = ScaledRows(
      width: columnCount, groupLength: scheme.grid.columns ?? columnCount,
      codes: try codes(rows, of: tensors), scales: [])
    let bands = rows.lowerBound / band..<(rows.upperBound + band - 1) / band
    let stored = try tensors.values(
      of: scales, elements: bands.lowerBound * across..<bands.upperBound * across)
    let encoding = tensors.checkpoint.tensors[scales].type.encoding
    for row in rows {
      let start = (row / band - bands.lowerBound) * across
      result.scales += stored[start..<start + across].map {
        CodedMatrix.scale($0, encoding) / inputScale
      }
    }
    return result
  }

  /// The values of some elements, in row-major order.
  func values(
    _ elements: Range<Int>, of tensors: CheckpointTensors
  ) throws(Failure) -> [Double] {
    let first = elements.lowerBound / columnCount
    let end = (elements.upperBound + columnCount - 1) / columnCount
    let all = try rows(first..<max(first, end), of: tensors).values
    return Array(
      all[elements.lowerBound - first * columnCount..<elements.upperBound - first * columnCount])
  }

  private func codes(
    _ rows: Range<Int>, of tensors: CheckpointTensors
  ) throws(Failure) -> [Double] {
    let elements = rows.lowerBound * columnCount..<rows.upperBound * columnCount
    switch scheme.code {
    case .int8, .e4m3: return try tensors.values(of: codes, elements: elements)
    case .int4:
      let pairs = rows.lowerBound / 2..<(rows.upperBound + 1) / 2
      let bytes = try tensors.values(
        of: codes, elements: pairs.lowerBound * columnCount..<pairs.upperBound * columnCount)
      return rows.flatMap { row in
        (0..<columnCount).map { column in
          let byte = Int8(bytes[(row / 2 - pairs.lowerBound) * columnCount + column])
          return Double(row % 2 == 0 ? (byte << 4) >> 4 : byte >> 4)
        }
      }
    case .e2m1:
      let bytes = try tensors.values(
        of: codes, elements: elements.lowerBound / 2..<elements.upperBound / 2)
      return bytes.flatMap { byte in
        [UInt8(byte) & 15, UInt8(byte) >> 4].map { CodedMatrix.e2m1[Int($0)] }
      }
    }
  }

  /// The value of each code of four bits.
  private static let e2m1 = (0..<16).map { FloatFormat(.f4)!.value(of: $0) }  // it is a float

  /// The scale that is stored as a number, as the bits of one, or as an exponent.
  static func scale(_ stored: Double, _ encoding: Encoding) -> Double {
    switch encoding {
    case .plain(.u8):
      stored == 255 ? .nan : Double(sign: .plus, exponent: Int(stored) - 127, significand: 1)
    case .plain(.i64):
      // The bits of an F32 are whole numbers that `Double` holds.
      stored >= 0 && stored < 0x1p32 ? Double(Float(bitPattern: UInt32(stored))) : .nan
    default: stored
    }
  }
}

extension ScaledRows {
  /// Codes times their scales.
  var values: [Double] {
    codes.enumerated().map { index, code in
      let (row, column) = index.quotientAndRemainder(dividingBy: width)
      return code * scales[row * groupsAcross + column / groupLength]
    }
  }
}

/// A checkpoint's tensors as the evaluation of a model reads them: matrices that are codes are read
/// as their values in F32.
struct ModelTensors: TensorSource {
  let tensors: CheckpointTensors
  /// By the numbers of their codes.
  let coded: [Int: CodedMatrix]

  func read(
    tensor number: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    guard let matrix = coded[number] else {
      return try tensors.read(tensor: number, at: offset, into: buffer)
    }
    let elements = offset / 4..<(offset + buffer.count) / 4
    for (index, value) in try matrix.values(elements, of: tensors).enumerated() {
      buffer.storeBytes(of: Float(value), toByteOffset: 4 * index, as: Float.self)
    }
  }
}
