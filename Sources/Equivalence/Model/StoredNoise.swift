import Architectures
import ReferenceKernels
import TensorTypes

/// How far the values of a row may move when they are stored in an encoding, by the values alone:
/// what rounding to the nearest code leaves, not what some encoder left.
///
/// Errors within half a step are taken as independent from element to element, those of a scale as
/// shared by the elements of its group.
struct StoredNoise: Sendable {
  /// Half a step for each element.
  private(set) var steps: [Double]
  /// - Units: elements that share a scale.
  private(set) var groupLength: Int
  /// What the rounding of a group's scale may change, as a share of the values.
  private(set) var scale: [Double]
  /// What the rounding of a group's offset may change.
  private(set) var offset: [Double]
  /// What the rounding of the scale of a whole block to F16 may change, as a share of the values.
  private(set) var blockScale = 0.0
  /// How far each value is from the nearest that is stored, where that follows from the value alone;
  /// nil elsewhere. Equal significands then have equal errors, and values of codes with a scale have
  /// few of them, so that many weights share what adds up.
  private(set) var distances: [Double]?

  /// nil where nothing is known of rounding to the form.
  ///
  /// - Parameters:
  ///   - source: the form that the values come from; nothing moves when it is the same.
  ///   - peaks: the greatest magnitudes among the values that share each of the row's scales; nil
  ///     where no other row does.
  init?(
    _ row: ArraySlice<Double>, source: StoredForm, stored: StoredForm, peaks: [Double]? = nil
  ) {
    switch (source, stored) {
    case (.encoding(let source), .encoding(let stored)):
      self.init(row, source: source, stored: stored)
    case (.codes, .encoding(let stored)): self.init(row, source: .f32, stored: stored)
    case (_, .codes(let scheme)):
      self.init(
        row, codes: scheme,
        peaks: source == stored ? nil : peaks ?? scheme.peaks(row, row.count))
    }
  }

  /// Half a step of each code, and what is cut off where scales are powers of two.
  ///
  /// - Parameter peaks: nil where nothing moves.
  private init(_ row: ArraySlice<Double>, codes scheme: QuantScheme, peaks: [Double]?) {
    steps = [Double](repeating: 0, count: row.count)
    groupLength = scheme.grid.columns ?? max(1, row.count)
    scale = [Double](repeating: 0, count: (row.count + groupLength - 1) / groupLength)
    offset = scale
    guard let peaks else { return }
    for (index, value) in row.enumerated() {
      let scale = scheme.scale(peak: peaks[index / groupLength])
      switch scheme.code {
      case .int8, .int4: steps[index] = scale / 2
      case .e4m3: steps[index] = NarrowFloat.e4m3.greatestError(at: value / scale) * scale
      case .e2m1: steps[index] = NarrowFloat.e2m1.greatestError(at: value / scale) * scale
      }
    }
  }

  /// nil where nothing is known of rounding to the encoding.
  ///
  /// - Parameter source: the encoding that the values come from; nothing moves when it is the same.
  init?(_ row: ArraySlice<Double>, source: Encoding, stored: Encoding) {
    steps = [Double](repeating: 0, count: row.count)
    groupLength = max(1, row.count)
    scale = [0]
    offset = [0]
    if source == stored { return }
    switch stored {
    case .plain(let dtype):
      if Encoding.plain(dtype).isWhole, source.isWhole { return }
      guard let format = FloatFormat(dtype), [.f16, .bf16, .f32, .f64].contains(dtype) else {
        return nil
      }
      guard dtype != .f64 else { return }
      distances = row.map { value in
        let distance = (format.rounding(value) - value).magnitude
        return distance.isFinite ? distance : 0
      }
      for (index, value) in row.enumerated() { steps[index] = format.halfStep(at: value) }
    case .block(let type):
      switch BlockDecoder.of(type).kind {
      case .scalar(let grid): measure(row, GridSteps.of(grid.type))
      case .codebook:
        measure(
          row, bitsPerElement: 8 * Double(type.byteCount) / Double(type.elementCount))
      }
    }
  }

  private mutating func measure(_ row: ArraySlice<Double>, _ grid: GridSteps) {
    groupLength = grid.groupLength
    blockScale = grid.blockScale
    let groups = row.count / groupLength
    scale = [Double](repeating: 0, count: groups)
    offset = scale
    let perBlock = max(1, grid.blockLength / groupLength)
    var own = [(scale: Double, offset: Double)](repeating: (0, 0), count: groups)
    for group in 0..<groups {
      let start = row.startIndex + group * groupLength
      let values = row[start..<start + groupLength]
      let least = min(0, values.min() ?? 0)
      let most = max(0, values.max() ?? 0)
      own[group] =
        grid.hasOffset
        ? ((most - least) / grid.span, -least) : (max(most, -least) / grid.reach, 0)
      for index in group * groupLength..<(group + 1) * groupLength {
        steps[index] =
          own[group].scale * grid.halfGap(at: row[row.startIndex + index], own[group].scale)
      }
    }
    for block in stride(from: 0, to: groups, by: perBlock) {
      let members = block..<min(groups, block + perBlock)
      let greatestScale = members.reduce(0) { max($0, own[$1].scale) }
      let greatestOffset = members.reduce(0) { max($0, own[$1].offset.magnitude) }
      for group in members where own[group].scale > 0 {
        var error = grid.leastScaleError
        if let codes = grid.scaleCodes {
          error += greatestScale / (2 * codes)
          offset[group] = greatestOffset / (2 * codes)
        }
        // A scale that is rounded to nothing takes all of the values with it, and no more.
        scale[group] = min(1, error / own[group].scale)
      }
    }
  }

  /// Codebooks: `b` bits bring the error to `2^-b` of the peak of 32 elements, for their points are
  /// spread up to it; that they are only some of the points of a grid may cost half a bit.
  private mutating func measure(_ row: ArraySlice<Double>, bitsPerElement bits: Double) {
    for start in stride(from: 0, to: row.count, by: 32) {
      let end = min(row.count, start + 32)
      let values = row[row.startIndex + start..<row.startIndex + end]
      let peak = values.reduce(0) { max($0, $1.magnitude) }
      for index in start..<end { steps[index] = 2.0.squareRoot() * power(bits) * peak }
    }
  }

  /// `2^-bits`, the fraction of a bit linearly, which is a little more.
  private func power(_ bits: Double) -> Double {
    let whole = bits.rounded(.down)
    return Double(sign: .plus, exponent: -Int(whole), significand: 1) * (1 - (bits - whole) / 2)
  }
}

extension QuantScheme {
  /// The scale of values whose greatest magnitude is `peak`.
  func scale(peak: Double) -> Double {
    switch rule {
    case .greatest(let limit, let least), .search(let limit, let least):
      return max(peak / Double(limit), Double(least))
    case .powerOfTwo:
      let code = code == .e4m3 ? NarrowFloat.e4m3 : .e2m1
      // The scheme of four bits makes room for a little more than the peak.
      let widened = code == .e4m3 ? peak : peak / 0.875 + 9.6e-7
      guard widened > 0 else { return 0x1p-127 }
      let exponent = min(max(Int(widened.exponent) - code.greatestExponent, -127), 127)
      return Double(sign: .plus, exponent: exponent, significand: 1)
    }
  }

  /// The greatest magnitudes in some rows that share their scales, for each group of columns.
  func peaks(_ rows: ArraySlice<Double>, _ rowLength: Int) -> [Double] {
    let length = grid.columns ?? max(1, rowLength)
    var peaks = [Double](repeating: 0, count: (rowLength + length - 1) / length)
    for (index, value) in rows.enumerated() {
      let group = index % rowLength / length
      peaks[group] = max(peaks[group], value.magnitude)
    }
    return peaks
  }
}

/// The steps of a grid in units of its scale.
private struct GridSteps {
  let groupLength: Int
  let blockLength: Int
  let hasOffset: Bool
  /// From the lowest to the highest level.
  let span: Double
  /// The level that both signs reach.
  let reach: Double
  let blockScale: Double
  /// What the largest group scale of a block is divided into; nil where scales stand alone.
  let scaleCodes: Double?
  /// Half a step of the smallest scales, which are subnormal.
  let leastScaleError: Double
  private let levels: [Double]
  /// Half the gap between levels; nil where gaps differ.
  private let evenHalfGap: Double?

  init(_ grid: ScalarGrid) {
    groupLength = grid.groupElementCount
    blockLength = grid.type.elementCount
    hasOffset = grid.hasOffset
    levels = Set(grid.levels.map(Double.init)).sorted()
    let (least, most) = (levels.first ?? 0, levels.last ?? 0)
    span = max(most - least, 1)
    var reach = least < 0 ? max(1, min(-least, most)) : max(most, 1)
    switch grid.type.name {
    case "mxfp4":
      // The scale is a power of two: up to twice what the values need.
      reach /= 2
      blockScale = 0
    case "nvfp4": blockScale = 0x1p-4
    default: blockScale = 0x1p-11
    }
    self.reach = reach
    let gaps = Set(zip(levels, levels.dropFirst()).map { $1 - $0 })
    evenHalfGap = gaps.count == 1 ? gaps.first.map { $0 / 2 } : nil
    switch grid.type.name {
    case "q2_k": scaleCodes = 15
    case "q3_k", "iq4_xs": scaleCodes = 31
    case "q4_k", "q5_k": scaleCodes = 63
    case "q6_k": scaleCodes = 127
    default: scaleCodes = nil
    }
    leastScaleError = grid.type.name == "nvfp4" ? 0x1p-10 : 0x1p-25 * (scaleCodes ?? 1)
  }

  private static let rows = [BlockType: GridSteps](
    uniqueKeysWithValues: BlockDecoder.all.compactMap { decoder in
      guard case .scalar(let grid) = decoder.kind else { return nil }
      return (decoder.type, GridSteps(grid))
    })

  /// The steps of a type whose elements have codes of their own.
  static func of(_ type: BlockType) -> GridSteps { rows[type]! }  // each of these has a row

  /// Half the gap between the levels around a value.
  func halfGap(at value: Double, _ scale: Double) -> Double {
    if let evenHalfGap { return evenHalfGap }
    guard levels.count > 1 else { return 0 }
    let place = levels.dropFirst().dropLast().count { $0 <= value / scale }
    return (levels[place + 1] - levels[place]) / 2
  }
}

/// Random errors of the size that storing weights makes: every weight up or down by the usual error
/// of rounding, which is 1/√3 of half a step, and every scale by 1/√3 of what its rounding may change.
struct WeightNoise: Sendable {
  /// How each weight is stored in the converted checkpoint.
  let stored: [RoleInstance: StoredForm]
  let seed: UInt64

  /// Moves some rows. Of rows that share a scale it follows from those at hand.
  func add(
    to values: inout [Double], _ role: RoleInstance, rowLength: Int, firstRow: Int,
    source: StoredForm
  ) {
    guard let stored = stored[role], stored != source else { return }
    let plain = values
    let count = values.count / rowLength
    var own = RandomNumbers(seed: seed, name: ByteString("\(role)"))
    let key = own.next()
    var peaks: (band: Int, values: [Double])?
    for row in 0..<count {
      if case .codes(let scheme) = stored, let height = scheme.grid.rows, height > 1,
        case let band = (firstRow + row) / height, band != peaks?.band
      {
        let end = min(count, (band + 1) * height - firstRow)
        peaks = (band, scheme.peaks(plain[row * rowLength..<end * rowLength], rowLength))
      }
      let range = row * rowLength..<(row + 1) * rowLength
      guard
        let noise = StoredNoise(
          plain[range], source: source, stored: stored, peaks: peaks?.values)
      else { continue }
      var random = RandomNumbers(
        seed: seed &+ UInt64(firstRow + row) &* 0x9E37_79B9, name: ByteString("\(role)"))
      noise.move(&values, range, &random, key: key)
    }
  }
}

extension StoredNoise {
  /// The root of the mean square of numbers that are uniform between −1 and 1.
  private static let usual = (1.0 / 3).squareRoot()

  /// - Parameter key: the same for all rows of a tensor.
  fileprivate func move(
    _ values: inout [Double], _ range: Range<Int>, _ random: inout RandomNumbers, key: UInt64
  ) {
    if let distances {
      for (index, position) in range.enumerated() {
        let value = values[position]
        var hash = RandomNumbers(seed: key ^ value.significand.bitPattern, name: "")
        let isUp = (hash.next() & 1 == 0) == (value < 0)
        values[position] += isUp ? distances[index] : -distances[index]
      }
      return
    }
    var signs: UInt64 = 0
    for (index, position) in range.enumerated() {
      if index % groupLength == 0 {
        let group = index / groupLength
        let bits = random.next()
        func moved(_ error: Double, _ bit: UInt64) -> Double {
          StoredNoise.usual * (bits & bit == 0 ? error : -error)
        }
        let factor = 1 + moved(scale[group], 1) + moved(blockScale, 2)
        let shift = moved(offset[group], 4)
        for member in position..<min(range.upperBound, position + groupLength) {
          values[member] = values[member] * factor + shift
        }
      }
      if index % 64 == 0 { signs = random.next() }
      values[position] += StoredNoise.usual * (signs & 1 == 0 ? steps[index] : -steps[index])
      signs >>= 1
    }
  }
}
