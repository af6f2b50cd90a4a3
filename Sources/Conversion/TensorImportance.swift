import Accelerators
import Quantization
import TensorTypes
import WeightFormats

/// The importance of the inputs of one tensor's matrices.
public struct TensorImportance: Sendable {
  public let entry: ImportanceMatrix.Entry
  /// 1, or one for each expert.
  public let matrixCount: Int
}

extension ConversionRequest {
  /// The importance for a tensor that is quantized; nil where there is none, or no use for it.
  ///
  /// - Throws: `usage` where the type needs it and there is none, `badInput` where it has another
  ///   length than the rows.
  func importance(
    of name: ByteString, _ type: TensorType, _ scheme: Scheme
  ) throws(Failure) -> TensorImportance? {
    guard case .block(let block) = type.encoding, let encoder = BlockEncoder(block),
      encoder.importance != .ignored
    else { return nil }
    var isNeeded = encoder.importance == .required
    if case .mix(let mix) = scheme, mix.needsImportance(name, type.encoding) { isNeeded = true }
    guard let entry = importance?.entries[name] else {
      guard isNeeded else { return nil }
      throw Failure(
        .usage, "\(block.name) needs an importance matrix for the tensor", file: importance?.path,
        expected: importance == nil ? "--imatrix FILE" : "an entry for it", found: "none")
    }
    let matrixCount = type.shape.rank >= 3 ? type.shape.axes[type.shape.rank - 3] : 1
    guard entry.count == type.shape.rowLength * matrixCount else {
      // Embeddings are looked up, so that what their inputs mean has no use.
      if name == "token_embd.weight" { return nil }
      throw Failure(
        .badInput, "the importance does not fit the tensor", file: importance?.path,
        expected: "\(type.shape.rowLength * matrixCount) values", found: "\(entry.count)")
    }
    return TensorImportance(entry: entry, matrixCount: matrixCount)
  }
}
