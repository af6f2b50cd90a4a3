import Accelerators
import ReferenceKernels
import TensorTypes

/// How the stored values of a tensor must follow from the values that the source's graph gives.
enum Law: Sendable {
  /// One encoding on both sides: the same bytes.
  case bitExact
  /// The nearest value of a format. F64 may pass through F32 first.
  case rounded(FloatFormat, DType, viaF32: Bool)
  /// The same numbers in a wider dtype.
  case exactValue
  case blocks(BlockLaw)
  /// Numbers that the source does not tell, of a kind.
  case calibrated(CalibratedSetting)
  /// Codes, scales and sums of a matrix whose scales were searched for.
  case searched(SearchedRows)
  /// Nothing is known; the reason in words.
  case unknown(String)

  init(from source: Encoding, to converted: Encoding) {
    if source == converted {
      self = .bitExact
      return
    }
    if source == .plain(.c64) || converted == .plain(.c64) {
      self = .unknown("complex numbers are compared as they are stored only")
      return
    }
    switch converted {
    case .block(let type): self = .blocks(BlockLaw.of(type))
    case .plain(.f32), .plain(.f16), .plain(.bf16):
      // The guard above leaves dtypes that have a format.
      guard case .plain(let dtype) = converted, let format = FloatFormat(dtype) else {
        self = .exactValue
        return
      }
      self = source.isWhole ? .exactValue : .rounded(format, dtype, viaF32: source == .plain(.f64))
    case .plain(.f64): self = .exactValue
    case .plain(let dtype):
      self =
        source.isWhole && Encoding.plain(dtype).isWhole
        ? .exactValue : .unknown("there is no rule for rounding to \(dtype.name)")
    }
  }

  /// Whether it is about the bits of codes, or of what follows from them.
  var isByBits: Bool {
    switch self {
    case .bitExact, .searched: true
    case .rounded, .exactValue, .blocks, .calibrated, .unknown: false
    }
  }

  /// In a few words, for reports.
  var summary: String {
    switch self {
    case .bitExact: "the same bits"
    case .rounded(_, let dtype, let viaF32):
      viaF32 ? "rounded to \(dtype.name), through F32 or not" : "rounded once to \(dtype.name)"
    case .exactValue: "the same numbers"
    case .blocks(let law): "quantized to \(law.type.name)"
    case .calibrated(let setting): setting.description
    case .searched(let rows):
      switch rows.part {
      case .codes: "the codes that the stored scales give"
      case .scales: "scales no worse than without a search"
      default: "the sums that the stored codes and scales give"
      }
    case .unknown(let reason): reason
    }
  }
}

extension Encoding {
  /// Whether the elements are whole numbers or truth values.
  var isWhole: Bool {
    guard case .plain(let dtype) = self else { return false }
    return switch dtype.kind {
    case .boolean, .signed, .unsigned: true
    case .float, .complex, .exponent: false
    }
  }
}
