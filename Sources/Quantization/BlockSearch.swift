import CKernels
import TensorTypes

/// How the scales of blocks are chosen.
public enum BlockSearch: String, Sendable, CaseIterable {
  /// As llama.cpp chooses them, to the byte.
  case reference
  /// From what the reference chooses, searches on for less error; keeps the reference's block where
  /// nothing better is found.
  case thorough

  /// The types that have a thorough search.
  public static let thoroughTypes: [BlockType] =
    BlockEncoder.all.filter(\.hasThoroughSearch).map(\.block)
}

extension BlockEncoder {
  /// Whether scales can be searched for thoroughly.
  public var hasThoroughSearch: Bool { port_can_refine(row) != 0 }

  /// Replaces encoded blocks by better ones.
  ///
  /// - Precondition: the type has a thorough search.
  func refine(
    _ kernels: Kernels, _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer,
    rowLength: Int, rowCount: Int, importance: UnsafeRawPointer?
  ) {
    var rows = port_rows(
      values: from, row_length: rowLength, row_count: rowCount, importance: importance)
    kernels.table.pointee.refine(row, &rows, to)
  }
}
