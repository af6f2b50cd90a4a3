import ReferenceKernels
import TensorTypes

extension LikelyCauses {
  /// Zero points with the wrong sign, or none.
  func causeInOffsets(_ suspect: Suspect, _ probe: Probe) throws(Failure) -> String? {
    guard let groups = try groups(suspect, probe), groups.grid.hasOffset else { return nil }
    let turned = groups.values { $0 * $1 - $2 }
    if isClose(probe.expected, turned, suspect.tolerance) {
      return "the offsets of blocks have the wrong sign"
    }
    guard groups.offsets.allSatisfy({ $0 == 0 }) else { return nil }
    let shifted = groups.mapped { expected, found in
      let shift = zip(expected, found).reduce(0) { $0 + $1.0 - $1.1 } / Double(found.count)
      return found.map { $0 + shift }
    }
    return isClose(probe.expected, shifted, suspect.tolerance)
      ? "the offsets of blocks are missing" : nil
  }

  /// Scales of blocks that are one over what they should be.
  func causeInInvertedBlocks(_ suspect: Suspect, _ probe: Probe) throws(Failure) -> String? {
    guard let groups = try groups(suspect, probe) else { return nil }
    let inverted = groups.values { $1 == 0 ? 0 : $0 / $1 + $2 }
    return isClose(probe.expected, inverted, suspect.tolerance) ? "scales are inverted" : nil
  }

  /// Scales that other scales would make right.
  func causeInBlockScales(_ suspect: Suspect, _ probe: Probe) throws(Failure) -> String? {
    guard let groups = try groups(suspect, probe) else { return nil }
    var factors: [Double] = []
    let scaled = groups.mapped { expected, found in
      let square = found.reduce(0) { $0 + $1 * $1 }
      let product = zip(expected, found).reduce(0) { $0 + $1.0 * $1.1 }
      factors.append(square == 0 ? 1 : square / product)
      return found.map { square == 0 ? $0 : $0 * product / square }
    }
    guard isClose(probe.expected, scaled, suspect.tolerance), let least = factors.min(),
      let most = factors.max()
    else { return nil }
    return "the scales of blocks are those of others or wrong: \(rounded(least)) to "
      + "\(rounded(most)) times what they should be"
  }

  /// The groups of blocks that a probe was decoded from.
  private struct Groups {
    let grid: ScalarGrid
    let probe: Probe
    var levels: [Double] = []
    var scales: [Double] = []
    var offsets: [Double] = []

    /// The values that another formula of level, scale and offset gives.
    func values(_ formula: (_ level: Double, _ scale: Double, _ offset: Double) -> Double)
      -> [Double]
    {
      levels.enumerated().map { index, level in
        let group = index / grid.groupElementCount
        return formula(level, scales[group], offsets[group])
      }
    }

    /// What is found, changed group by group.
    func mapped(_ change: (_ expected: [Double], _ found: [Double]) -> [Double]) -> [Double] {
      scales.indices.flatMap { group in
        let members = group * grid.groupElementCount..<(group + 1) * grid.groupElementCount
        return change(Array(probe.expected[members]), Array(probe.found[members]))
      }
    }
  }

  private func groups(_ suspect: Suspect, _ probe: Probe) throws(Failure) -> Groups? {
    guard case .blocks(let law) = suspect.pair.law, let grid = law.scalar?.grid else { return nil }
    let cell = Cell(suspect.encoding)
    let memory = try cells(suspect, probe)
    defer { memory.deallocate() }
    let block = ScalarBlock(grid)
    defer { block.deallocate() }
    var groups = Groups(grid: grid, probe: probe)
    for number in 0..<memory.count / cell.byteCount {
      // A probe holds at least one block, so there is a base address.
      grid.read(UnsafeRawPointer(memory.baseAddress! + number * cell.byteCount), block)
      for index in 0..<cell.elementCount {
        groups.levels.append(Double(grid.levels[Int(block.codes[index])]))
      }
      for group in 0..<cell.elementCount / grid.groupElementCount {
        groups.scales.append(Double(block.scales[group]))
        groups.offsets.append(Double(block.offsets[group]))
      }
    }
    return groups
  }
}
