import CKernels
import TensorTypes

/// Writes rows of F32 in blocks of one type, with the bytes that llama.cpp's quantizer gives on
/// x86-64.
///
/// - Source: llama.cpp `ggml-quants.c`, `ggml_quantize_chunk`.
public struct BlockEncoder: Sendable {
  /// What a type makes of an importance matrix: one weight for each element of a row.
  public enum Importance: Sendable {
    case ignored, optional, required
  }

  public let block: BlockType
  public let importance: Importance
  /// Whether, with importance, a block depends on its whole row, so that rows must come whole.
  public let needsWholeRows: Bool
  let row: port_block_name
  private let codebook: (@Sendable () -> Codebook)?

  /// nil when nothing encodes this type.
  public init?(_ block: BlockType) {
    guard let encoder = BlockEncoder.all.first(where: { $0.block == block }) else { return nil }
    self = encoder
  }

  private init(
    _ name: String, _ row: port_block_name, _ importance: Importance = .ignored,
    wholeRows: Bool = false, codebook: (@Sendable () -> Codebook)? = nil
  ) {
    block = BlockType(named: name)!  // the names below are rows of the table
    self.row = row
    self.importance = importance
    needsWholeRows = wholeRows
    self.codebook = codebook
  }

  /// The length of a row is a multiple of this.
  public var rowMultiple: Int { block.elementCount }

  /// Encodes consecutive rows of `rowLength` elements.
  ///
  /// - Parameters:
  ///   - rows: F32 at any address; none of the values infinite or NaN, or the block is undefined.
  ///   - importance: `rowLength` weights, none negative, the same for every row.
  ///   - search: what types that have no thorough search disregard.
  /// - Precondition: `rows` holds whole rows and `destination` their blocks; `rowLength` is a
  ///   multiple of `rowMultiple`; there is importance where it is required.
  /// - Returns: why elements are refused, when `refuses`; then the destination is undefined.
  @discardableResult
  public func callAsFunction(
    _ rows: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer,
    rowLength: Int, importance weights: [Float]? = nil, search: BlockSearch = .reference,
    refuses: Bool = false
  ) -> Refusal? {
    let count = rows.count / 4
    guard refuses, count > 0, let values = rows.baseAddress, let blocks = destination.baseAddress
    else {
      encode(
        rows, into: destination, rowLength: rowLength, importance: weights, search: search,
        on: .best)
      return nil
    }
    let magnitude = Magnitude(values, count)
    if case .notFinite = magnitude { return magnitude.refusal(block, blocks, count, 0) }
    encode(
      rows, into: destination, rowLength: rowLength, importance: weights, search: search, on: .best)
    return magnitude.refusal(block, blocks, count, 0)
  }

  func encode(
    _ rows: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer,
    rowLength: Int, importance weights: [Float]?, search: BlockSearch, on kernels: Kernels
  ) {
    guard rowLength > 0, let from = rows.baseAddress, let to = destination.baseAddress else {
      return
    }
    let rowCount = rows.count / (4 * rowLength)
    precondition(rowLength % rowMultiple == 0 && rows.count == 4 * rowLength * rowCount)
    precondition(destination.count >= rowLength / rowMultiple * rowCount * block.byteCount)
    precondition(weights == nil ? importance != .required : weights!.count == rowLength)
    func encode(_ importance: UnsafeRawPointer?) {
      run(kernels, from, to, rowLength: rowLength, rowCount: rowCount, importance: importance)
      guard search == .thorough, hasThoroughSearch else { return }
      refine(kernels, from, to, rowLength: rowLength, rowCount: rowCount, importance: importance)
    }
    guard importance != .ignored, let weights else { return encode(nil) }
    weights.withUnsafeBytes { encode($0.baseAddress) }
  }

  func run(
    _ kernels: Kernels, _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer,
    rowLength: Int, rowCount: Int, importance: UnsafeRawPointer?
  ) {
    var rows = port_rows(
      values: from, row_length: rowLength, row_count: rowCount, importance: importance)
    kernels[row].encode(&rows, to, codebook?().memory)
  }

  /// The decoder of the same type.
  var decoder: Decoder {
    let row = row
    return Decoder(encoding: .block(block)) { $0[row].decode($1, $2, $3) }
  }

  /// Every type that can be written, in the order of GGUF's numbers.
  public static let all: [BlockEncoder] = [
    BlockEncoder("q4_0", PORT_Q4_0, .optional, wholeRows: true),
    BlockEncoder("q4_1", PORT_Q4_1, .optional, wholeRows: true),
    BlockEncoder("q5_0", PORT_Q5_0, .optional, wholeRows: true),
    BlockEncoder("q5_1", PORT_Q5_1, .optional, wholeRows: true),
    BlockEncoder("q8_0", PORT_Q8_0),
    BlockEncoder("q2_k", PORT_Q2_K, .optional),
    BlockEncoder("q3_k", PORT_Q3_K, .optional),
    BlockEncoder("q4_k", PORT_Q4_K, .optional),
    BlockEncoder("q5_k", PORT_Q5_K, .optional),
    BlockEncoder("q6_k", PORT_Q6_K, .optional),
    BlockEncoder("iq2_xxs", PORT_IQ2_XXS, .required) { .iq2xxs },
    BlockEncoder("iq2_xs", PORT_IQ2_XS, .required) { .iq2xs },
    BlockEncoder("iq3_xxs", PORT_IQ3_XXS, .optional) { .iq3xxs },
    BlockEncoder("iq1_s", PORT_IQ1_S, .required) { .iq1 },
    BlockEncoder("iq4_nl", PORT_IQ4_NL, .optional),
    BlockEncoder("iq3_s", PORT_IQ3_S, .optional) { .iq3s },
    BlockEncoder("iq2_s", PORT_IQ2_S, .optional) { .iq2s },
    BlockEncoder("iq4_xs", PORT_IQ4_XS, .optional),
    BlockEncoder("iq1_m", PORT_IQ1_M, .optional) { .iq1 },
    BlockEncoder("tq1_0", PORT_TQ1_0),
    BlockEncoder("tq2_0", PORT_TQ2_0),
    BlockEncoder("mxfp4", PORT_MXFP4),
    BlockEncoder("nvfp4", PORT_NVFP4),
    BlockEncoder("q1_0", PORT_Q1_0),
    BlockEncoder("q2_0", PORT_Q2_0),
  ]
}

extension Kernels {
  fileprivate subscript(row: port_block_name) -> port_block_kernels {
    table.pointee.blocks[Int(row.rawValue)]
  }
}

/// The points that encoders of IQ1, IQ2 and IQ3 choose from, with their neighbours; built when first
/// used and kept.
struct Codebook: @unchecked Sendable {
  /// Never written after it is built.
  let memory: OpaquePointer

  private init(_ name: port_codebook_name) {
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: port_codebook_byte_count(name), alignment: 64)
    port_codebook_build(name, bytes)
    memory = OpaquePointer(bytes)
  }

  static let iq2xxs = Codebook(PORT_CODEBOOK_IQ2_XXS)
  static let iq2xs = Codebook(PORT_CODEBOOK_IQ2_XS)
  static let iq2s = Codebook(PORT_CODEBOOK_IQ2_S)
  static let iq1 = Codebook(PORT_CODEBOOK_IQ1)
  static let iq3xxs = Codebook(PORT_CODEBOOK_IQ3_XXS)
  static let iq3s = Codebook(PORT_CODEBOOK_IQ3_S)
}
