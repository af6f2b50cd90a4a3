import GraphRewriting
import TensorTypes

extension LikelyCauses {
  /// Finds the source rows that some found rows hold, and what rule leads from one to the other.
  func causeInRows(_ suspect: Suspect, _ probe: Probe) throws(Failure) -> String? {
    guard suspect.rowCount > 1 else { return causeInElements(suspect, probe) }
    guard suspect.rowCount <= 1 << 18 else { return nil }
    let length = min(suspect.shape.rowLength, 256)
    var starts: [[Double]] = []
    for row in 0..<suspect.rowCount {
      starts.append(try expected(suspect.pair, row: row, count: length))
    }
    var moves: [(row: Int, from: Int)] = []
    let step = max(1, suspect.rowCount / 13)
    for row in [probe.row] + Array(stride(from: step / 2, to: suspect.rowCount, by: step)) {
      let found = try self.found(suspect.pair, row: row, count: length)
      guard found.contains(where: { $0 != 0 }) else { continue }
      guard let from = nearest(to: found, starts, suspect.tolerance) else { return nil }
      moves.append((row, from))
    }
    guard moves.contains(where: { $0.row != $0.from }) else { return nil }
    return rule(of: moves, suspect.shape, suspect.rowCount)
      ?? "rows stand in another order: row \(moves[0].row) holds row \(moves[0].from)"
  }

  /// The row that is like the one found and more so than all others.
  private func nearest(
    to found: [Double], _ rows: [[Double]], _ tolerance: Double
  ) -> Int? {
    var best: (row: Int, error: Double)?
    for (row, values) in rows.enumerated() {
      var error = 0.0
      for (x, y) in zip(values, found) {
        error += (x - y) * (x - y)
        if error > best?.error ?? .infinity { break }
      }
      if error < best?.error ?? .infinity { best = (row, error) }
    }
    guard let best, isClose(rows[best.row], found, tolerance) else { return nil }
    return best.row
  }

  private func rule(
    of moves: [(row: Int, from: Int)], _ shape: Shape, _ rowCount: Int
  ) -> String? {
    let shifts = Set(moves.map { ($0.from - $0.row + rowCount) % rowCount })
    if shifts.count == 1, let shift = shifts.first {
      if shape.rank == 3, shift % shape.axes[1] == 0 {
        return "experts are shifted: expert 0 holds expert \(shift / shape.axes[1])"
      }
      if 2 * shift == rowCount { return "the two halves of the rows are exchanged" }
      return "rows are shifted: row 0 holds row \(shift)"
    }
    if shape.rank == 3, case let length = shape.axes[1],
      moves.allSatisfy({ $0.row % length == $0.from % length }),
      let moved = moves.first(where: { $0.row != $0.from })
    {
      return "experts stand in another order: expert \(moved.row / length) holds expert "
        + "\(moved.from / length)"
    }
    for length in headLengths(rowCount) {
      if moves.allSatisfy({ $0.from == deinterleaved($0.row, length) }) {
        return "the rows of each head of \(length) are in halves instead of pairs: the rotation of "
          + "queries and keys was not taken into account"
      }
      if moves.allSatisfy({ $0.from == interleaved($0.row, length) }) {
        return "the rows of each head of \(length) are interleaved once too often"
      }
    }
    return nil
  }

  /// The same for a vector, whose elements are too alike to be found one by one.
  private func causeInElements(_ suspect: Suspect, _ probe: Probe) -> String? {
    let count = probe.expected.count
    guard count == suspect.shape.rowLength else { return nil }
    for shift in 1..<max(1, count) where probe.found[0] == probe.expected[shift] {
      let shifted = Array(probe.expected[shift...] + probe.expected[..<shift])
      if isClose(shifted, probe.found, suspect.tolerance) {
        return "elements are shifted: element 0 holds element \(shift)"
      }
    }
    for length in headLengths(count) {
      let halves = (0..<count).map { probe.expected[deinterleaved($0, length)] }
      if isClose(halves, probe.found, suspect.tolerance) {
        return "the elements of each head of \(length) are in halves instead of pairs"
      }
      let pairs = (0..<count).map { probe.expected[interleaved($0, length)] }
      if isClose(pairs, probe.found, suspect.tolerance) {
        return "the elements of each head of \(length) are interleaved once too often"
      }
    }
    return nil
  }

  /// Lengths that heads could have; those that interleaving changes.
  private func headLengths(_ rowCount: Int) -> [Int] {
    (4...max(4, min(rowCount, 1024))).filter { $0 % 2 == 0 && rowCount % $0 == 0 }
  }

  /// Where a row of halves stands among pairs.
  private func deinterleaved(_ row: Int, _ length: Int) -> Int {
    let (head, position) = row.quotientAndRemainder(dividingBy: length)
    return head * length + position % (length / 2) * 2 + position / (length / 2)
  }

  /// Where a row of pairs stands among halves.
  private func interleaved(_ row: Int, _ length: Int) -> Int {
    let (head, position) = row.quotientAndRemainder(dividingBy: length)
    return head * length + position % 2 * (length / 2) + position / 2
  }
}
