/// Rows of cells in aligned columns, two spaces between them.
struct TextTable {
  private var layout: Layout
  private var rows: [[String]] = []

  /// - Parameter heading: the titles of the columns; one that begins with `>` is aligned right.
  init(_ heading: [String]) { layout = Layout(heading) }

  init(_ heading: String...) { self.init(heading) }

  /// - Precondition: as many cells as columns.
  mutating func append(_ cells: [String]) {
    layout.widen(for: cells)
    rows.append(cells)
  }

  mutating func append(_ cells: String...) { append(cells) }

  /// - Parameter indentation: spaces before each line.
  func lines(indentation: Int = 0) -> [String] {
    ([layout.titles] + rows).map { layout.line($0, indentation: indentation) }
  }

  /// The lines of a table that is too long to be held; each row is asked for twice.
  static func lines(
    _ heading: [String], rowCount: Int, indentation: Int, row: @escaping (Int) -> [String]
  ) -> some Sequence<String> {
    var layout = Layout(heading)
    for number in 0..<rowCount { layout.widen(for: row(number)) }
    let final = layout
    return (-1..<rowCount).lazy.map {
      final.line($0 < 0 ? final.titles : row($0), indentation: indentation)
    }
  }
}

/// How wide the columns are, and which way their cells are aligned.
private struct Layout {
  private enum Alignment {
    case left, right
  }

  let titles: [String]
  private let alignments: [Alignment]
  private var widths: [Int]

  init(_ heading: [String]) {
    alignments = heading.map { $0.hasPrefix(">") ? .right : .left }
    titles = heading.map { $0.hasPrefix(">") ? String($0.dropFirst()) : $0 }
    widths = titles.map(\.unicodeScalars.count)
  }

  mutating func widen(for cells: [String]) {
    precondition(cells.count == alignments.count)
    for (column, cell) in cells.enumerated() {
      widths[column] = max(widths[column], cell.unicodeScalars.count)
    }
  }

  func line(_ row: [String], indentation: Int) -> String {
    var line = String(repeating: " ", count: indentation)
    for (column, cell) in row.enumerated() {
      let padding = String(repeating: " ", count: widths[column] - cell.unicodeScalars.count)
      line += alignments[column] == .right ? padding + cell : cell + padding
      if column < row.count - 1 { line += "  " }
    }
    while line.last == " " { line.removeLast() }
    return line
  }
}
