/// Rows of cells in aligned columns, two spaces between them.
struct TextTable {
  enum Alignment {
    case left, right
  }

  private let alignments: [Alignment]
  private var rows: [[String]] = []

  /// - Parameter heading: the titles of the columns; one that begins with `>` is aligned right.
  init(_ heading: [String]) {
    alignments = heading.map { $0.hasPrefix(">") ? .right : .left }
    rows.append(heading.map { $0.hasPrefix(">") ? String($0.dropFirst()) : $0 })
  }

  init(_ heading: String...) { self.init(heading) }

  /// - Precondition: as many cells as columns.
  mutating func append(_ cells: [String]) {
    precondition(cells.count == alignments.count)
    rows.append(cells)
  }

  mutating func append(_ cells: String...) { append(cells) }

  /// - Parameter indentation: spaces before each line.
  func lines(indentation: Int = 0) -> [String] {
    let widths = alignments.indices.map { column in
      rows.reduce(0) { max($0, $1[column].unicodeScalars.count) }
    }
    let margin = String(repeating: " ", count: indentation)
    return rows.map { row in
      var line = margin
      for (column, cell) in row.enumerated() {
        let padding = String(
          repeating: " ", count: widths[column] - cell.unicodeScalars.count)
        line += alignments[column] == .right ? padding + cell : cell + padding
        if column < row.count - 1 { line += "  " }
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}
