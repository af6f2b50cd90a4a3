/// Where the scales of a matrix lie: one for each rectangle of so many rows and columns.
///
/// Rectangles at the lower and right edge are smaller where rows or columns do not divide.
public struct ScaleGrid: Sendable, Hashable {
  /// - Units: rows of one rectangle; nil for all.
  public let rows: Int?
  /// - Units: columns of one rectangle; nil for all.
  public let columns: Int?

  /// - Precondition: both are above 0.
  public init(rows: Int?, columns: Int?) {
    precondition((rows ?? 1) > 0 && (columns ?? 1) > 0, "a rectangle is empty")
    self.rows = rows
    self.columns = columns
  }

  /// One scale for the whole matrix.
  public static let tensor = ScaleGrid(rows: nil, columns: nil)
  /// One scale for each row, which is an output channel of a linear layer.
  public static let channel = ScaleGrid(rows: 1, columns: nil)

  /// One scale for each group of so many columns of a row.
  public static func group(_ columns: Int) -> ScaleGrid { ScaleGrid(rows: 1, columns: columns) }

  /// One scale for each block.
  public static func blocks(_ rows: Int, _ columns: Int) -> ScaleGrid {
    ScaleGrid(rows: rows, columns: columns)
  }

  /// How many rectangles a matrix has down and across; nil for other ranks.
  public func counts(of shape: Shape) -> (down: Int, across: Int)? {
    guard shape.rank == 2 else { return nil }
    return (count(shape.axes[0], rows), count(shape.axes[1], columns))
  }

  private func count(_ length: Int, _ unit: Int?) -> Int {
    guard let unit else { return 1 }
    return length / unit + (length % unit == 0 ? 0 : 1)
  }
}

extension ScaleGrid: CustomStringConvertible {
  /// As the runtimes speak of it: `128×128 blocks`, `channel`, `group of 32`, `tensor`.
  public var description: String {
    switch (rows, columns) {
    case (nil, nil): "tensor"
    case (1, nil): "channel"
    case (1, let columns?): "group of \(columns)"
    case (let rows, let columns):
      "\(rows.map(String.init) ?? "all")×\(columns.map(String.init) ?? "all") blocks"
    }
  }
}
