import GraphRewriting
import TensorTypes

extension Evaluation {
  /// Codes times the scales of their rectangles: an exact product, rounded to F32 once.
  func evaluateDequantization(
    _ node: WeightGraph.Node, _ grid: ScaleGrid, _ box: Box,
    into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let shape = node.type.shape
    let (rows, columns) = (box.ranges[0], box.ranges[1])
    let across = grid.counts(of: shape)!.across  // the graph has checked it
    func band(_ row: Int) -> Int { grid.rows.map { row / $0 } ?? 0 }
    let width = grid.columns ?? shape.axes[1]
    let bands = band(rows.lowerBound)...band(rows.upperBound - 1)
    let scales = try values(
      node.inputs[1], elements: bands.lowerBound * across..<(bands.upperBound + 1) * across)
    var written = 0
    for row in rows {
      let start = row * shape.axes[1]
      let codes = try values(
        node.inputs[0], elements: start + columns.lowerBound..<start + columns.upperBound)
      let own = scales[
        (band(row) - bands.lowerBound) * across..<(band(row) - bands.lowerBound + 1) * across]
      var column = columns.lowerBound
      while column < columns.upperBound {
        let group = column / width
        let end = min(columns.upperBound, (group + 1) * width)
        let scale = own[own.startIndex + group]
        for index in column - columns.lowerBound..<end - columns.lowerBound {
          cells.storeBytes(
            of: Float(codes[index] * scale), toByteOffset: written + 4 * index, as: Float.self)
        }
        column = end
      }
      written += 4 * columns.count
    }
  }

  /// One of the tensors that quantizing a matrix gives.
  func evaluateQuantization(
    _ node: WeightGraph.Node, _ scheme: QuantScheme, _ part: QuantPart, _ box: Box,
    into cells: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    let input = graph[node.inputs[0]].type.shape
    let columnCount = input.axes[1]
    // Some rows at a time, for their values are held decoded.
    let limit = max(
      1, (1 << 17) / max(1, columnCount * (part == .scales ? scheme.grid.rows ?? 1 : 1)))
    guard box.ranges[0].count <= limit else {
      var done = 0
      for start in stride(from: box.ranges[0].lowerBound, to: box.ranges[0].upperBound, by: limit) {
        var some = box
        some.ranges[0] = start..<min(start + limit, box.ranges[0].upperBound)
        let byteCount = some.count * Cell(node.type.encoding).byteCount
        try evaluateQuantization(
          node, scheme, part, some,
          into: UnsafeMutableRawBufferPointer(rebasing: cells[done..<done + byteCount]))
        done += byteCount
      }
      return
    }
    // The rows of the matrix that the asked rows of the part are made of.
    var rows = box.ranges[0]
    let height = part == .scales ? scheme.grid.rows ?? input.axes[0] : 1
    if part == .codes, scheme.code == .int4 { rows = 2 * rows.lowerBound..<2 * rows.upperBound }
    if part == .scales {
      rows = rows.lowerBound * height..<min(rows.upperBound * height, input.axes[0])
    }
    // Scales that rows share need all of them.
    let shared = scheme.grid.rows ?? input.axes[0]
    let first = rows.lowerBound / shared * shared
    let end = min((rows.upperBound + shared - 1) / shared * shared, input.axes[0])
    let all = try floats(node.inputs[0], elements: first * columnCount..<end * columnCount)
    let matrix = QuantizedMatrix(all, columnCount: columnCount, scheme, hasCodes: part != .scales)
    var bias: [Double]?
    if node.inputs.count > 1 { bias = try values(node.inputs[1], elements: 0..<input.axes[0]) }
    var written = 0
    func write<Number>(_ number: Number) {
      cells.storeBytes(of: number, toByteOffset: written, as: Number.self)
      written += MemoryLayout<Number>.size
    }
    let asked = box.ranges.count > 1 ? box.ranges[1] : 0..<1
    if part == .codes {
      for row in box.ranges[0] {
        matrix.writeCodes(row, asked, firstRow: first, into: cells.baseAddress! + written)
        written += asked.count
      }
      return
    }
    for row in box.ranges[0] {
      for column in asked {
        switch part {
        case .codes: break  // written above
        case .scales:
          let place = (row - first / height) * matrix.scalesAcross + column
          if scheme.rule == .powerOfTwo {
            write(UInt8(Int(matrix.scales[place].exponent) + 127))
          } else {
            write(matrix.scales[place])
          }
        case .scaleBias(let slices):
          let width = columnCount / slices
          let sum = matrix.sum(row - first, column * width..<(column + 1) * width)
          write(Float(8 * sum) * matrix.scales[row - first])
        case .deqScale(let inputScale, let asBits):
          let scale = inputScale * matrix.scales[row - first]
          if asBits { write(Int64(scale.bitPattern)) } else { write(scale) }
        case .quantBias(let inputScale, let inputOffset):
          let scale = inputScale * matrix.scales[row - first]
          let shift = Float(matrix.sum(row - first, 0..<columnCount)) * inputOffset
          let value = Float(bias?[row] ?? 0) / scale - shift
          write(int32(value))
        }
      }
    }
  }
}

/// Some rows of a matrix as codes and scales, by the definition of the scheme, one value at a time.
///
/// - Source: that of the scheme.
struct QuantizedMatrix {
  private let scheme: QuantScheme
  private let columnCount: Int
  /// Whole numbers, or the values of codes that are floats.
  private(set) var codes: [Float]
  private(set) var scales: [Float] = []
  let scalesAcross: Int

  /// - Parameter hasCodes: whether codes are needed beside scales.
  init(_ values: [Float], columnCount: Int, _ scheme: QuantScheme, hasCodes: Bool = true) {
    self.scheme = scheme
    self.columnCount = columnCount
    codes = [Float](repeating: 0, count: hasCodes ? values.count : 0)
    let rowCount = values.count / columnCount
    let height = scheme.grid.rows ?? rowCount
    let width = scheme.grid.columns ?? columnCount
    scalesAcross = (columnCount + width - 1) / width
    for top in stride(from: 0, to: rowCount, by: height) {
      for left in stride(from: 0, to: columnCount, by: width) {
        let right = min(left + width, columnCount)
        let runs = (top..<min(top + height, rowCount)).map {
          $0 * columnCount + left..<$0 * columnCount + right
        }
        quantize(values, runs, hasCodes: hasCodes)
      }
    }
  }

  /// Adds the scale and, if asked, sets the codes of one rectangle, which some runs of values make.
  private mutating func quantize(_ values: [Float], _ runs: [Range<Int>], hasCodes: Bool) {
    let greatest = runs.reduce(0) { max($0, greatestMagnitude(values[$1])) }
    switch scheme.rule {
    case .greatest(let limit, let least):
      let scale = max(greatest / limit, least)
      scales.append(scale)
      for run in hasCodes ? runs : [] {
        if scheme.code == .e4m3 {
          for place in run {
            codes[place] = nearest(Double(values[place] / scale), e4m3Values, tiesToEven: true)
          }
        } else {
          for place in run { codes[place] = wholeCode(values[place] / scale, limit) }
        }
      }
    case .search(let limit, let least):
      let (scale, own) = search(
        runs.flatMap { values[$0] }, from: max(greatest / limit, least), limit)
      scales.append(scale)
      guard hasCodes else { return }
      for (place, code) in zip(runs.joined(), own) { codes[place] = code }
    case .powerOfTwo:
      let exponent = sharedExponent(greatest)
      scales.append(Float(sign: .plus, exponent: exponent, significand: 1))
      for place in hasCodes ? runs.flatMap({ $0 }) : [] {
        codes[place] = sharedCode(Double(values[place]), exponent)
      }
    }
  }

  /// The nearest whole number within the limits, of two the even one; 0 for NaN.
  private func wholeCode(_ quotient: Float, _ limit: Float) -> Float {
    guard !quotient.isNaN else { return 0 }
    // Numbers near 1.5 · 2^23 are whole, so that the sum is rounded to one.
    return (min(max(quotient, -limit - 1), limit) + 0x1.8p23) - 0x1.8p23
  }

  /// At most 50 rounds of the best scale for the codes, and the codes for it.
  private func search(
    _ values: [Float], from scale: Float, _ limit: Float
  ) -> (scale: Float, codes: [Float]) {
    func codes(_ scale: Float) -> [Float] { values.map { wholeCode($0 / scale, limit) } }
    func error(_ scale: Float, _ codes: [Float]) -> Double {
      zip(values, codes).reduce(0) {
        let difference = Double($1.0) - Double(scale) * Double($1.1)
        return $0 + difference * difference
      }
    }
    var current = codes(scale)
    var best = (scale: scale, error: error(scale, current))
    for _ in 0..<50 {
      let products = zip(values, current).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      let squares = current.reduce(0) { $0 + Double($1) * Double($1) }
      guard squares > 0, products > 0 else { break }
      let next = Float(products / squares)
      let before = current
      current = codes(next)
      let found = error(next, current)
      if found < best.error { best = (next, found) }
      if current == before { break }
    }
    return (best.scale, codes(best.scale))
  }

  private func sharedExponent(_ greatest: Float) -> Int {
    let widened = scheme.code == .e4m3 ? greatest : greatest / 0.875 + 9.6e-7
    guard widened > 0 else { return -127 }
    let own = widened.isFinite ? Int(widened.exponent) : 128
    return min(max(own - (scheme.code == .e4m3 ? 8 : 2), -127), 127)
  }

  private func sharedCode(_ value: Double, _ exponent: Int) -> Float {
    let scaled = Double(sign: .plus, exponent: -exponent, significand: value)
    return nearest(scaled, scheme.code == .e4m3 ? e4m3Values : e2m1Values, tiesToEven: false)
  }

  /// Writes the bytes that hold codes of one row.
  func writeCodes(
    _ row: Int, _ columns: Range<Int>, firstRow: Int, into bytes: UnsafeMutableRawPointer
  ) {
    if scheme.code == .int8 {
      let start = (row - firstRow) * columnCount
      for column in columns {
        bytes.storeBytes(
          of: Int8(codes[start + column]), toByteOffset: column - columns.lowerBound, as: Int8.self)
      }
      return
    }
    for column in columns {
      bytes.storeBytes(
        of: codeByte(row, column, firstRow: firstRow), toByteOffset: column - columns.lowerBound,
        as: UInt8.self)
    }
  }

  /// The byte that holds a code; two codes where they share it.
  private func codeByte(_ row: Int, _ column: Int, firstRow: Int) -> UInt8 {
    func code(_ row: Int, _ column: Int) -> Float { codes[row * columnCount + column] }
    switch scheme.code {
    case .int8: return UInt8(truncatingIfNeeded: Int(code(row - firstRow, column)))
    case .int4:
      let low = Int(code(2 * row - firstRow, column)) & 15
      let high = Int(code(2 * row + 1 - firstRow, column)) & 15
      return UInt8(high << 4 | low)
    case .e4m3: return bits(code(row - firstRow, column), e4m3Values, sign: 128)
    case .e2m1:
      let low = bits(code(row - firstRow, 2 * column), e2m1Values, sign: 8)
      let high = bits(code(row - firstRow, 2 * column + 1), e2m1Values, sign: 8)
      return high << 4 | low
    }
  }

  private func bits(_ value: Float, _ magnitudes: [Double], sign: UInt8) -> UInt8 {
    // Codes of magnitudes are their numbers; the one after the last is NaN, which E2M1 lacks.
    if value.isNaN, scheme.code == .e2m1 { return 0 }
    let number = magnitudes.firstIndex(of: Double(value.magnitude)) ?? magnitudes.count
    return UInt8(number) | (value.sign == .minus ? sign : 0)
  }

  /// The sum of some codes of a row.
  func sum(_ row: Int, _ columns: Range<Int>) -> Int {
    columns.reduce(0) { $0 + Int(codes[row * columnCount + $1]) }
  }
}

/// Rounds half to even, saturating; 0 for NaN.
private func int32(_ value: Float) -> Int32 {
  guard !value.isNaN else { return 0 }
  return Int32(clamping: Int64(min(max(value.rounded(.toNearestOrEven), -0x1p32), 0x1p32)))
}

/// NaN counts as nothing.
private func greatestMagnitude(_ values: ArraySlice<Float>) -> Float {
  values.withUnsafeBufferPointer { values in
    // Eight at a time, which do not wait for each other.
    var greatest = SIMD8<Float>(repeating: 0)
    var index = 0
    while index + 8 <= values.count {
      var eight = SIMD8<Float>()
      for lane in 0..<8 { eight[lane] = values[index + lane].magnitude }
      greatest.replace(with: eight, where: eight .> greatest)
      index += 8
    }
    var result = greatest.max()
    while index < values.count {
      if values[index].magnitude > result { result = values[index].magnitude }
      index += 1
    }
    return result
  }
}

/// The finite magnitudes of the two narrow formats, ascending.
private let e4m3Values = (0..<127).map { FloatFormat(.f8e4m3)!.value(of: $0) }  // it is a float
private let e2m1Values = (0..<8).map { FloatFormat(.f4)!.value(of: $0) }

/// The magnitude nearest to that of `x`, with its sign; of two equally near, the one with the even
/// number or the larger one.
private func nearest(_ x: Double, _ magnitudes: [Double], tiesToEven: Bool) -> Float {
  guard !x.isNaN else { return .nan }
  let last = magnitudes.count - 1
  var low = 0
  var high = last
  while high - low > 1 {
    let middle = (low + high) / 2
    if magnitudes[middle] <= x.magnitude { low = middle } else { high = middle }
  }
  let (below, above) = (x.magnitude - magnitudes[low], magnitudes[high] - x.magnitude)
  let isUpper = above < below || above == below && (tiesToEven ? high % 2 == 0 : true)
  let best = isUpper ? high : low
  // A negative value that becomes zero is negative zero.
  return Float(x < 0 || x.sign == .minus && tiesToEven ? -magnitudes[best] : magnitudes[best])
}
