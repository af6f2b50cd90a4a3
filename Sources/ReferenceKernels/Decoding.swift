import TensorTypes

extension Cell {
  /// The values of cells, exactly: as the reference decodes them to F32, or as the dtype defines
  /// them.
  ///
  /// - Parameters:
  ///   - cells: whole cells; their number follows from `values`.
  ///   - values: `valuesPerElement` for each element.
  public func decode(
    _ cells: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Double>
  ) {
    guard let from = cells.baseAddress, let to = values.baseAddress else { return }
    switch encoding {
    case .plain(let dtype): decodePlain(dtype, from, to, values.count)
    case .block(let block):
      precondition(values.count % block.elementCount == 0)
      BlockDecoder.of(block).decode(from, to, blockCount: values.count / block.elementCount)
    }
  }

  /// The values of some packed elements of a file.
  ///
  /// - Precondition: `packed` holds them, and they are whole cells.
  public func values(ofPacked packed: [UInt8], elementCount count: Int) -> [Double] {
    let cells = count / elementCount
    var memory = [UInt8](repeating: 0, count: cells * byteCount)
    memory.withUnsafeMutableBytes { memory in
      packed.withUnsafeBytes { packed in
        if packedBitCount % 8 == 0 {
          memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: packed[..<memory.count]))
        } else {
          unpack(packed, 0..<cells, into: memory)
        }
      }
    }
    return [Double](unsafeUninitializedCapacity: count * valuesPerElement) { values, initialized in
      initialized = count * valuesPerElement
      let all = UnsafeMutableBufferPointer(rebasing: values[..<initialized])
      memory.withUnsafeBytes { decode($0, into: all) }
    }
  }
}

private func decodePlain(
  _ dtype: DType, _ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Double>, _ count: Int
) {
  switch dtype {
  case .bool, .u8: widen(UInt8.self, from, to, count)
  case .i8: widen(Int8.self, from, to, count)
  case .i16: widen(Int16.self, from, to, count)
  case .u16: widen(UInt16.self, from, to, count)
  case .i32: widen(Int32.self, from, to, count)
  case .u32: widen(UInt32.self, from, to, count)
  case .i64: widen(Int64.self, from, to, count)
  case .u64: widen(UInt64.self, from, to, count)
  case .f32, .c64:
    for index in 0..<count {
      to[index] = Double(from.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))
    }
  case .f64:
    for index in 0..<count {
      to[index] = from.loadUnaligned(fromByteOffset: 8 * index, as: Double.self)
    }
  case .bf16:
    for index in 0..<count {
      let bits = from.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
      to[index] = Double(Float(bitPattern: UInt32(bits) << 16))
    }
  case .f16:
    for index in 0..<count {
      let bits = from.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
      to[index] = Double(half(bits))
    }
  case .f4, .f6e2m3, .f6e3m2, .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz:
    narrowFloatTables[dtype]!.withUnsafeBufferPointer { table in  // a row for each of these
      for index in 0..<count {
        to[index] = table[Int(from.load(fromByteOffset: index, as: UInt8.self))]
      }
    }
  }
}

private func widen<Stored: FixedWidthInteger>(
  _: Stored.Type, _ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Double>, _ count: Int
) {
  for index in 0..<count {
    let offset = index * MemoryLayout<Stored>.size
    to[index] = Double(from.loadUnaligned(fromByteOffset: offset, as: Stored.self))
  }
}

/// The values of the codes of each float of at most 8 bits.
private let narrowFloatTables: [DType: [Double]] = {
  var tables: [DType: [Double]] = [:]
  for dtype in DType.allCases where dtype.bitWidth <= 8 {
    guard let format = FloatFormat(dtype) else { continue }
    tables[dtype] = (0..<256).map { format.value(of: UInt64($0)) }
  }
  tables[.f8e8m0] = (0..<256).map {
    $0 == 255 ? .nan : Double(sign: .plus, exponent: $0 - 127, significand: 1)
  }
  return tables
}()

/// The value of an F16: its fields moved to those of an F32, whose exponents begin 2^112 lower.
@inline(__always)
func half(_ bits: UInt16) -> Float {
  let magnitude = UInt32(bits & 0x7FFF)
  // All exponent bits set stay so: infinity, or NaN.
  let value =
    magnitude >= 0x7C00
    ? Float(bitPattern: 0x7F80_0000 | (magnitude & 0x3FF) << 13)
    : Float(bitPattern: magnitude << 13) * 0x1p112
  return Float(bitPattern: value.bitPattern | UInt32(bits & 0x8000) << 16)
}
