import CKernels
import TensorTypes

/// Decodes codes whose scales lie beside them: value = code × scale of its rectangle, in F32 with
/// one rounding.
public struct ScaledRows: Sendable {
  private let kernels: Kernels
  private let grid: ScaleGrid
  private let columnCount: Int
  private let scalesAcross: Int

  /// - Parameter shape: of the whole matrix.
  /// - Precondition: the shape has two axes.
  public init(_ grid: ScaleGrid, shape: Shape) {
    self.init(grid, shape: shape, on: .best)
  }

  init(_ grid: ScaleGrid, shape: Shape, on kernels: Kernels) {
    self.kernels = kernels
    self.grid = grid
    columnCount = shape.axes[1]
    scalesAcross = grid.counts(of: shape)!.across  // the precondition
  }

  /// Decodes `count` codes in row-major order.
  ///
  /// - Parameters:
  ///   - start: the number of the first one in the whole matrix.
  ///   - scales: those of the whole matrix.
  public func decode(
    _ codes: UnsafePointer<UInt8>, from start: Int, count: Int, scales: UnsafePointer<Float>,
    into values: UnsafeMutablePointer<Float>
  ) {
    var done = 0
    while done < count {
      let (row, column) = (start + done).quotientAndRemainder(dividingBy: columnCount)
      let length = min(count - done, columnCount - column)
      let first = grid.rows.map { row / $0 * scalesAcross } ?? 0
      kernels.matrix.scale_f8e4m3(
        codes + done, scales + first, column, grid.columns ?? 0, values + done, length)
      done += length
    }
  }
}
