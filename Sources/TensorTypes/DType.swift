/// The type of one plain element: the 22 dtypes of safetensors 0.8.
///
/// The cases stand in the order of the safetensors writer, which sorts tensors by descending
/// dtype; `<` follows it. The raw value is the spelling in a safetensors header.
///
/// - Source: safetensors 0.8.0, `tensor.rs`, `enum Dtype`.
public enum DType: String, CaseIterable, Sendable, Hashable {
  case bool = "BOOL"
  case f4 = "F4"
  case f6e2m3 = "F6_E2M3"
  case f6e3m2 = "F6_E3M2"
  case u8 = "U8"
  case i8 = "I8"
  case f8e5m2 = "F8_E5M2"
  case f8e4m3 = "F8_E4M3"
  case f8e8m0 = "F8_E8M0"
  case f8e4m3fnuz = "F8_E4M3FNUZ"
  case f8e5m2fnuz = "F8_E5M2FNUZ"
  case i16 = "I16"
  case u16 = "U16"
  case f16 = "F16"
  case bf16 = "BF16"
  case i32 = "I32"
  case u32 = "U32"
  case f32 = "F32"
  case c64 = "C64"
  case f64 = "F64"
  case i64 = "I64"
  case u64 = "U64"

  /// What the bits of an element mean.
  public enum Kind: Sendable, Hashable {
    case boolean, float, signed, unsigned, complex, exponent
  }

  /// The spelling in a safetensors header.
  public var name: String { rawValue }

  /// - Units: bits of one element.
  public var bitWidth: Int {
    switch self {
    case .f4: 4
    case .f6e2m3, .f6e3m2: 6
    case .bool, .u8, .i8, .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz: 8
    case .i16, .u16, .f16, .bf16: 16
    case .i32, .u32, .f32: 32
    case .c64, .f64, .i64, .u64: 64
    }
  }

  public var kind: Kind {
    switch self {
    case .bool: .boolean
    case .u8, .u16, .u32, .u64: .unsigned
    case .i8, .i16, .i32, .i64: .signed
    case .c64: .complex
    case .f8e8m0: .exponent
    case .f4, .f6e2m3, .f6e3m2, .f8e5m2, .f8e4m3, .f8e4m3fnuz, .f8e5m2fnuz: .float
    case .f16, .bf16, .f32, .f64: .float
    }
  }

  /// The number of bytes that change places when the byte order changes; 1 for types without one.
  public var byteOrderUnit: Int { self == .c64 ? 4 : max(1, bitWidth / 8) }

  /// Whether every value of this dtype is also a value of `other`, so that a cast there and back
  /// gives the same bits.
  public func isExactly(representableIn other: DType) -> Bool {
    if self == other { return true }
    return switch (self, other) {
    case (.f16, .f32), (.bf16, .f32), (.f16, .f64), (.bf16, .f64), (.f32, .f64): true
    case (.f8e4m3, .f16), (.f8e4m3, .bf16), (.f8e4m3, .f32): true
    case (.f8e5m2, .f16), (.f8e5m2, .bf16), (.f8e5m2, .f32): true
    default: false
    }
  }
}

extension DType: Comparable {
  public static func < (a: DType, b: DType) -> Bool { a.order < b.order }

  private static let orders = [DType: Int](
    uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })

  private var order: Int { DType.orders[self]! }  // every case is a key of `orders`
}
