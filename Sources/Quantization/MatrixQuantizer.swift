import CKernels
import TensorTypes

/// Quantizes whole rows of a matrix of F32 values into codes and scales.
///
/// - Source: that of the scheme.
public struct MatrixQuantizer: Sendable {
  public let scheme: QuantScheme
  private let kernels: Kernels
  private let columnCount: Int

  public init(_ scheme: QuantScheme, columnCount: Int) {
    self.init(scheme, columnCount: columnCount, on: .best)
  }

  init(_ scheme: QuantScheme, columnCount: Int, on kernels: Kernels) {
    self.scheme = scheme
    self.columnCount = columnCount
    self.kernels = kernels
  }

  /// The codes of so many rows, a multiple of `scheme.rowMultiple` unless they are the last.
  ///
  /// - Units: bytes.
  public func codeByteCount(rowCount: Int) -> Int {
    switch scheme.code {
    case .int8, .e4m3: rowCount * columnCount
    case .int4: rowCount / 2 * columnCount
    case .e2m1: rowCount * (columnCount / 2)
    }
  }

  /// - Units: scales across a row.
  public var scalesAcross: Int {
    scheme.grid.columns.map { (columnCount + $0 - 1) / $0 } ?? 1
  }

  /// - Units: bytes of memory beside the codes that quantizing takes.
  public var scratchByteCount: Int {
    scheme.code == .int4 ? 6 * columnCount + 4 * Int(PORT_SEARCH_PADDING) : 0
  }

  /// Quantizes `rowCount` rows, a multiple of `scheme.rowMultiple` unless they are the last.
  ///
  /// - Parameters:
  ///   - codes: room for `codeByteCount` bytes.
  ///   - scales: room for the scales of these rows: F32, or bytes for powers of two.
  ///   - sums: where the sums of the codes over so many equal slices of each row go, for integers.
  ///   - scratch: room for `scratchByteCount` bytes.
  /// - Returns: the first value that is infinite or NaN; nil when all are finite.
  public func quantize(
    _ values: UnsafePointer<Float>, rowCount: Int, codes: UnsafeMutableRawPointer,
    scales: UnsafeMutableRawPointer, sums: (to: UnsafeMutablePointer<Int64>, slices: Int)? = nil,
    scratch: UnsafeMutableRawPointer?
  ) -> Refusal? {
    var isFinite = true
    let floats = scales.assumingMemoryBound(to: Float.self)
    switch (scheme.rule, scheme.code) {
    case (.greatest(let limit, let least), .e4m3) where scheme.grid.rows != 1:
      quantizeBlocks(values, rowCount, limit, least, codes, floats, &isFinite)
    case (.greatest(let limit, let least), _):
      for row in 0..<rowCount {
        quantizeGroups(
          values + row * columnCount, limit, least, codes + codeByteCount(rowCount: row),
          floats + row * scalesAcross, &isFinite)
        if let sums, scheme.code == .int8 { add(codes + row * columnCount, row, sums) }
      }
    case (.search(let limit, let least), _):
      // int4 has scratch
      searchRows(values, rowCount, limit, least, codes, floats, sums, scratch!, &isFinite)
    case (.powerOfTwo, _):
      let exponents = scales.assumingMemoryBound(to: UInt8.self)
      for row in 0..<rowCount {
        quantizeShared(
          values + row * columnCount, codes + codeByteCount(rowCount: row),
          exponents + row * scalesAcross, &isFinite)
      }
    }
    guard !isFinite else { return nil }
    let all = UnsafeBufferPointer(start: values, count: rowCount * columnCount)
    return all.firstIndex { !$0.isFinite }.map { .notFinite(position: $0, value: all[$0]) }
  }

  /// The greatest magnitude; NaN counts for nothing.
  private func greatest(
    _ values: UnsafePointer<Float>, _ count: Int, _ isFinite: inout Bool
  ) -> Float {
    let found = Float(bitPattern: kernels.matrix.greatest(values, count))
    guard !found.isFinite else { return found }
    isFinite = false
    return UnsafeBufferPointer(start: values, count: count)
      .reduce(0) { $1.isNaN ? $0 : max($0, $1.magnitude) }
  }

  /// Sums the codes of one row, slice by slice.
  private func add(
    _ codes: UnsafeMutableRawPointer, _ row: Int,
    _ sums: (to: UnsafeMutablePointer<Int64>, slices: Int)
  ) {
    let bytes = codes.assumingMemoryBound(to: Int8.self)
    let width = columnCount / sums.slices
    for slice in 0..<sums.slices {
      sums.to[row * sums.slices + slice] = kernels.matrix.sum(bytes + slice * width, width)
    }
  }

  // MARK: - Greatest magnitude

  private func scale(_ greatest: Float, _ limit: Float, _ least: Float) -> Float {
    max(greatest / limit, least)
  }

  /// One row, group by group.
  private func quantizeGroups(
    _ row: UnsafePointer<Float>, _ limit: Float, _ least: Float, _ codes: UnsafeMutableRawPointer,
    _ scales: UnsafeMutablePointer<Float>, _ isFinite: inout Bool
  ) {
    let width = scheme.grid.columns ?? columnCount
    for group in 0..<scalesAcross {
      let start = group * width
      let count = min(width, columnCount - start)
      scales[group] = scale(greatest(row + start, count, &isFinite), limit, least)
      encode(row + start, scales[group], codes + start, count)
    }
  }

  private func encode(
    _ values: UnsafePointer<Float>, _ scale: Float, _ codes: UnsafeMutableRawPointer, _ count: Int
  ) {
    if scheme.code == .e4m3 {
      kernels.matrix.f32_to_scaled_f8e4m3(
        values, scale, codes.assumingMemoryBound(to: UInt8.self), count)
    } else {
      kernels.matrix.f32_to_integers(
        values, scale, 127, codes.assumingMemoryBound(to: Int8.self), count)
    }
  }

  /// Blocks of several rows, which share scales.
  private func quantizeBlocks(
    _ values: UnsafePointer<Float>, _ rowCount: Int, _ limit: Float, _ least: Float,
    _ codes: UnsafeMutableRawPointer, _ scales: UnsafeMutablePointer<Float>,
    _ isFinite: inout Bool
  ) {
    let height = scheme.grid.rows ?? rowCount
    let width = scheme.grid.columns ?? columnCount
    for (down, top) in stride(from: 0, to: rowCount, by: height).enumerated() {
      let rows = top..<min(top + height, rowCount)
      for (across, left) in stride(from: 0, to: columnCount, by: width).enumerated() {
        let count = min(width, columnCount - left)
        var most: Float = 0
        for row in rows {
          most = max(most, greatest(values + row * columnCount + left, count, &isFinite))
        }
        let scale = scale(most, limit, least)
        scales[down * scalesAcross + across] = scale
        for row in rows {
          let start = row * columnCount + left
          encode(values + start, scale, codes + start, count)
        }
      }
    }
  }

  // MARK: - Search

  /// Pairs of rows, whose codes share bytes.
  private func searchRows(
    _ values: UnsafePointer<Float>, _ rowCount: Int, _ limit: Float, _ least: Float,
    _ codes: UnsafeMutableRawPointer, _ scales: UnsafeMutablePointer<Float>,
    _ sums: (to: UnsafeMutablePointer<Int64>, slices: Int)?, _ scratch: UnsafeMutableRawPointer,
    _ isFinite: inout Bool
  ) {
    let magnitudes = scratch.assumingMemoryBound(to: UInt32.self)
    let rows = (scratch + 4 * (columnCount + Int(PORT_SEARCH_PADDING)))
      .assumingMemoryBound(to: Int8.self)
    let packed = codes.assumingMemoryBound(to: UInt8.self)
    for pair in 0..<rowCount / 2 {
      for half in 0..<2 {
        let row = 2 * pair + half
        scales[row] = search(
          values + row * columnCount, limit, least, rows + half * columnCount, magnitudes,
          &isFinite)
        if let sums { add(rows + half * columnCount, row, sums) }
      }
      for column in 0..<columnCount {
        let low = UInt8(bitPattern: rows[column]) & 15
        let high = UInt8(bitPattern: rows[columnCount + column]) << 4
        packed[pair * columnCount + column] = high | low
      }
    }
  }

  /// The scale with the least square error that the rounds come by; its codes are left in `codes`.
  private func search(
    _ row: UnsafePointer<Float>, _ limit: Float, _ least: Float,
    _ codes: UnsafeMutablePointer<Int8>, _ magnitudes: UnsafeMutablePointer<UInt32>,
    _ isFinite: inout Bool
  ) -> Float {
    var isRowFinite = true
    let most = greatest(row, columnCount, &isRowFinite)
    var best = scale(most, limit, least)
    isFinite = isFinite && isRowFinite
    // Nothing is better than another where sums are not finite, or all codes are 0.
    if isRowFinite, most > 0 {
      best = port_searched_scale(row, columnCount, most, best, magnitudes)
    }
    kernels.matrix.f32_to_integers(row, best, Int32(limit), codes, columnCount)
    return best
  }

  // MARK: - Powers of two

  private func quantizeShared(
    _ row: UnsafePointer<Float>, _ codes: UnsafeMutableRawPointer,
    _ exponents: UnsafeMutablePointer<UInt8>, _ isFinite: inout Bool
  ) {
    let width = scheme.grid.columns ?? columnCount
    let bytes = codes.assumingMemoryBound(to: UInt8.self)
    for group in 0..<scalesAcross {
      let start = group * width
      let count = min(width, columnCount - start)
      let exponent = sharedExponent(greatest(row + start, count, &isFinite))
      exponents[group] = UInt8(exponent + 127)
      if scheme.code == .e4m3 {
        kernels.matrix.f32_to_mxfp8(row + start, exponent, bytes + start, count)
      } else {
        kernels.matrix.f32_to_mxfp4(row + start, exponent, bytes + start / 2, count)
      }
    }
  }

  /// Within −127…127.
  private func sharedExponent(_ greatest: Float) -> Int32 {
    if scheme.code == .e4m3 {
      guard greatest > 0 else { return -127 }
      return Int32(max(-127, min(127, greatest.clampedExponent - 8)))
    }
    let widened = greatest / 0.875 + 9.6e-7
    return Int32(max(-127, min(127, widened.clampedExponent - 2)))
  }
}

extension Float {
  /// The exponent of a positive value; 128 for infinity.
  fileprivate var clampedExponent: Int { isFinite ? Int(exponent) : 128 }
}
