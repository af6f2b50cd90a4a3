/// The bytes of a safetensors file with this header text, whatever it says.
///
/// - Parameters:
///   - length: what the first 8 bytes say instead of the length of `header`.
///   - data: the number of bytes after the header.
public func safetensors(_ header: String, length: UInt64? = nil, data: Int = 0) -> [UInt8] {
  safetensors(header, [], "", length: length, data: data)
}

/// The same with bytes in the middle of the header that need not be text.
public func safetensors(
  _ start: String, _ middle: [UInt8], _ end: String, length: UInt64? = nil, data: Int = 0
) -> [UInt8] {
  let header = Array(start.utf8) + middle + Array(end.utf8)
  let length = length ?? UInt64(header.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header
    + [UInt8](repeating: 0, count: data)
}

/// One member of a header: `"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`.
public func entry(
  _ name: String, _ dtype: String, _ shape: [Int], _ offsets: Range<Int>
) -> String {
  let axes = shape.map(String.init).joined(separator: ",")
  return "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":[\(axes)],"
    + "\"data_offsets\":[\(offsets.lowerBound),\(offsets.upperBound)]}"
}

/// The same for an F32 tensor.
public func entry(_ name: String, _ shape: [Int], _ offsets: Range<Int>) -> String {
  entry(name, "F32", shape, offsets)
}
