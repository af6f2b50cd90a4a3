import CKernels
import TensorTypes

/// Converts consecutive elements from one encoding to another.
///
/// Everything passes through F32: widening is exact, narrowing rounds once. F64 is rounded to F32
/// on the way in, as PyTorch does.
public struct RowKernel: Sendable {
  public let source: Encoding
  public let destination: Encoding
  private let decode: Decoder?
  private let encode: Encoder?
  /// Searches on for better scales.
  private let refiner: BlockEncoder?
  private let kernels: Kernels

  /// nil when there is no such conversion.
  public init?(
    from source: Encoding, to destination: Encoding, search: BlockSearch = .reference
  ) {
    self.init(from: source, to: destination, search: search, on: .best)
  }

  init?(
    from source: Encoding, to destination: Encoding, search: BlockSearch = .reference,
    on kernels: Kernels
  ) {
    self.source = source
    self.destination = destination
    self.kernels = kernels
    if case .block(let block) = destination, search == .thorough,
      let encoder = BlockEncoder(block), encoder.hasThoroughSearch
    {
      refiner = encoder
    } else {
      refiner = nil
    }
    guard source != destination else {
      decode = nil
      encode = nil
      return
    }
    decode = Decoder.all.first { $0.encoding == source }
    encode = Encoder.all.first { $0.encoding == destination }
    if decode == nil || encode == nil { return nil }
  }

  /// Converts `elementCount` elements, a multiple of both encodings' `unitElementCount`.
  ///
  /// - Parameter refuses: whether blocks are refused that cannot hold their elements.
  /// - Returns: why elements are refused; then the destination is undefined. nil when all is well.
  /// - Precondition: both buffers hold so many elements.
  @discardableResult
  public func callAsFunction(
    _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer,
    elementCount: Int, refuses: Bool = false
  ) -> Refusal? {
    let sourceBytes = self.source.byteCount(elementCount: elementCount)
    let destinationBytes = self.destination.byteCount(elementCount: elementCount)
    precondition(sourceBytes != nil && source.count >= sourceBytes!)
    precondition(destinationBytes != nil && destination.count >= destinationBytes!)
    guard elementCount > 0, let from = source.baseAddress, let to = destination.baseAddress else {
      return nil
    }
    guard let decode, let encode else {
      to.copyMemory(from: from, byteCount: sourceBytes!)  // the precondition
      return nil
    }
    if encode.encoding == .f32 {
      decode.run(kernels, from, to, elementCount)
      return nil
    }
    guard case .block(let block) = encode.encoding else {
      if decode.encoding == .f32 {
        encode.run(kernels, from, to, elementCount)
      } else {
        convertInChunks(decode, encode, from, to, elementCount)
      }
      return nil
    }
    return quantizeInChunks(decode, encode, block, from, to, elementCount, refuses)
  }

  /// Goes through a buffer of floats that stays in the first-level cache.
  private func convertInChunks(
    _ decode: Decoder, _ encode: Encoder, _ from: UnsafeRawPointer,
    _ to: UnsafeMutableRawPointer, _ elementCount: Int
  ) {
    let chunk = 2048
    withUnsafeTemporaryAllocation(of: Float.self, capacity: chunk) { floats in
      let middle = UnsafeMutableRawPointer(floats.baseAddress!)  // the capacity is not 0
      for start in stride(from: 0, to: elementCount, by: chunk) {
        let count = min(chunk, elementCount - start)
        decode.run(kernels, from + bytes(start, source), middle, count)
        encode.run(kernels, middle, to + bytes(start, destination), count)
      }
    }
  }

  /// The same with a look at the floats between.
  private func quantizeInChunks(
    _ decode: Decoder, _ encode: Encoder, _ block: BlockType, _ from: UnsafeRawPointer,
    _ to: UnsafeMutableRawPointer, _ elementCount: Int, _ refuses: Bool
  ) -> Refusal? {
    // Searches for scales take several blocks at once.
    let chunk = block == .q8_0 ? 2048 : 16384
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: chunk) { floats in
      let middle = UnsafeMutableRawPointer(floats.baseAddress!)  // the capacity is not 0
      for start in stride(from: 0, to: elementCount, by: chunk) {
        let count = min(chunk, elementCount - start)
        var values = from + bytes(start, source)
        let blocks = to + bytes(start, destination)
        if decode.encoding != .f32 {
          decode.run(kernels, values, middle, count)
          values = UnsafeRawPointer(middle)
        }
        let magnitude = refuses ? Magnitude(values, count) : .usual
        if case .notFinite = magnitude { return magnitude.refusal(block, blocks, count, start) }
        encode.run(kernels, values, blocks, count)
        refiner?.refine(kernels, values, blocks, rowLength: count, rowCount: 1, importance: nil)
        if let refusal = magnitude.refusal(block, blocks, count, start) { return refusal }
      }
      return nil
    }
  }

  private func bytes(_ elementCount: Int, _ encoding: Encoding) -> Int {
    elementCount / encoding.unitElementCount * encoding.unitByteCount
  }
}

/// The C kernels of one path.
struct Kernels: @unchecked Sendable {
  let table: UnsafePointer<port_kernels>

  static let best = Kernels(table: port_best_kernels())

  /// Every path that this CPU has, the portable one first.
  static var available: [Kernels] {
    (0..<3).compactMap { port_kernels_for(Int32($0)).map { Kernels(table: $0) } }
  }

  /// Those for matrices whose scales lie beside the codes.
  var matrix: port_matrix_kernels { table.pointee.matrix.pointee }

  var name: String { String(cString: table.pointee.name) }
}

/// Reads an encoding as F32; exactly, but for F64.
struct Decoder: Sendable {
  let encoding: Encoding
  let run: @Sendable (Kernels, _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, Int) -> Void

  static let all: [Decoder] = plain + blocks

  private static let blocks: [Decoder] =
    BlockEncoder.all.filter { $0.block != .q8_0 }.map(\.decoder)

  private static let plain: [Decoder] = [
    Decoder(encoding: .f32) { (_, from, to, count) in
      to.copyMemory(from: from, byteCount: 4 * count)
    },
    Decoder(encoding: .f16) { $0.table.pointee.f16_to_f32($1, $2, $3) },
    Decoder(encoding: .bf16) { $0.table.pointee.bf16_to_f32($1, $2, $3) },
    Decoder(encoding: .q8_0) { $0.table.pointee.q8_0_to_f32($1, $2, $3) },
    Decoder(encoding: .plain(.f8e4m3)) { $0.matrix.f8e4m3_to_f32($1, $2, $3) },
    Decoder(encoding: .plain(.f8e5m2)) { look(up: e5m2, $1, $2, $3) },
    Decoder(encoding: .plain(.f64)) { (_, from, to, count) in
      for index in 0..<count {
        let value = from.loadUnaligned(fromByteOffset: 8 * index, as: Double.self)
        to.storeBytes(of: Float(value), toByteOffset: 4 * index, as: Float.self)
      }
    },
  ]
}

/// Writes F32 in another encoding.
struct Encoder: Sendable {
  let encoding: Encoding
  let run: @Sendable (Kernels, _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, Int) -> Void

  static let all: [Encoder] = plain + blocks

  private static let plain: [Encoder] = [
    Encoder(encoding: .f32) { (_, from, to, count) in
      to.copyMemory(from: from, byteCount: 4 * count)
    },
    Encoder(encoding: .f16) { $0.table.pointee.f32_to_f16($1, $2, $3) },
    Encoder(encoding: .bf16) { $0.table.pointee.f32_to_bf16($1, $2, $3) },
    Encoder(encoding: .q8_0) { $0.table.pointee.f32_to_q8_0($1, $2, $3) },
  ]

  /// The types that can do without importance; see `BlockEncoder` for the others.
  private static let blocks: [Encoder] = BlockEncoder.all.compactMap { block in
    guard block.block != .q8_0, block.importance != .required else { return nil }
    return Encoder(encoding: .block(block.block)) {
      block.run($0, $1, $2, rowLength: $3, rowCount: 1, importance: nil)
    }
  }
}

/// The 256 values of F8_E5M2.
private let e5m2: [Float] = (0..<256).map { code in
  // The upper half of an F16.
  Float(Float16(bitPattern: UInt16(code) << 8))
}

private func look(
  up table: [Float], _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ count: Int
) {
  table.withUnsafeBufferPointer { values in
    for index in 0..<count {
      let code = from.load(fromByteOffset: index, as: UInt8.self)
      to.storeBytes(of: values[Int(code)], toByteOffset: 4 * index, as: Float.self)
    }
  }
}
