import ByteIO
import TensorTypes

/// Lays out a little-endian GGUF file of version 3: metadata and tensors in the order given, each
/// tensor and the end of the file padded to the alignment.
///
/// - Throws: `usage` when something cannot be said in this format: a type without an id, a name
///   of 64 bytes or more, more than four axes, an empty key.
/// - Source: ggml `src/gguf.cpp`; gguf-py `gguf_writer.py`.
func frameGGUF(metadata: Metadata, tensors: [Declaration]) throws(Failure) -> Framing {
  let alignment = try alignment(metadata)
  var bytes = ByteWriter()
  bytes.append(GGUF.magic)
  bytes.append(UInt32(GGUF.writtenVersion))
  bytes.append(UInt64(tensors.count))
  bytes.append(UInt64(metadata.items.count))
  for item in metadata.items {
    guard (1...GGUF.keyByteLimit).contains(item.key.utf8.count) else {
      throw Failure(
        .usage, "GGUF cannot hold this key", subject: .key(item.key),
        expected: "1 to \(GGUF.keyByteLimit) bytes", found: "\(item.key.utf8.count)")
    }
    bytes.append(item.key)
    bytes.append(item.value)
  }
  var names = Set<ByteString>()
  var position = 0
  var relative: [Int] = []
  for tensor in tensors {
    let (id, byteCount) = try checkWritable(tensor, isNew: names.insert(tensor.name).inserted)
    bytes.append(tensor.name)
    bytes.append(UInt32(tensor.type.shape.rank))
    for axis in tensor.type.shape.axes.reversed() { bytes.append(UInt64(axis)) }
    bytes.append(id)
    bytes.append(UInt64(position))
    relative.append(position)
    guard let padded = byteCount.rounded(upToMultipleOf: alignment),
      case let (next, overflow) = position.addingReportingOverflow(padded), !overflow
    else { throw tooLarge(tensor.name) }
    position = next
  }
  var prefix = bytes.bytes
  if !tensors.isEmpty {
    prefix += repeatElement(0, count: (alignment - prefix.count % alignment) % alignment)
  }
  let (fileByteCount, overflow) = prefix.count.addingReportingOverflow(position)
  guard !overflow else { throw tooLarge(tensors.last?.name ?? "") }
  return Framing(
    prefix: prefix, offsets: relative.map { prefix.count + $0 }, fileByteCount: fileByteCount)
}

private func alignment(_ metadata: Metadata) throws(Failure) -> Int {
  guard let value = metadata[GGUF.alignmentKey] else { return GGUF.defaultAlignment }
  guard case .uint32(let alignment) = value, alignment.nonzeroBitCount == 1,
    alignment <= GGUF.writtenAlignmentLimit
  else {
    throw Failure(
      .usage, "the alignment is not usable", subject: .key(GGUF.alignmentKey),
      expected: "a u32 that is a power of two up to \(GGUF.writtenAlignmentLimit)",
      found: value.integer.map { "\(value.typeName) \($0)" } ?? value.typeName)
  }
  return Int(alignment)
}

private func checkWritable(
  _ tensor: Declaration, isNew: Bool
) throws(Failure) -> (id: UInt32, byteCount: Int) {
  guard isNew else {
    throw Failure(.usage, "two tensors have this name", subject: .tensor(tensor.name))
  }
  let nameByteCount = tensor.name.utf8.count
  guard nameByteCount < GGUF.nameByteLimit, !tensor.name.utf8.contains(0) else {
    throw Failure(
      .usage, "GGUF cannot hold this name", subject: .tensor(tensor.name),
      expected: "fewer than \(GGUF.nameByteLimit) bytes, none of them zero",
      found: "\(nameByteCount) bytes")
  }
  guard tensor.type.shape.rank <= GGUF.rankLimit, tensor.type.layout == .rowMajor,
    let row = GGUFTensorType.holding(tensor.type.encoding), let byteCount = tensor.type.byteCount
  else {
    throw Failure(
      .usage, "GGUF cannot hold this type", subject: .tensor(tensor.name),
      expected: "at most \(GGUF.rankLimit) axes and a type that ggml knows", found: "\(tensor.type)"
    )
  }
  return (row.id, byteCount)
}

private func tooLarge(_ name: ByteString) -> Failure {
  Failure(
    .usage, "the file would be too large", subject: .tensor(name), expected: "less than 2^63 bytes",
    found: "more")
}

/// Little-endian bytes as GGUF writes them.
private struct ByteWriter {
  var bytes: [UInt8] = []

  mutating func append(_ raw: [UInt8]) { bytes += raw }

  mutating func append<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func append(_ text: ByteString) {
    append(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  /// A value after the id of its type.
  mutating func append(_ value: MetadataValue) {
    switch value {
    case .uint8(let v): append(.uint8, v)
    case .int8(let v): append(.int8, v)
    case .uint16(let v): append(.uint16, v)
    case .int16(let v): append(.int16, v)
    case .uint32(let v): append(.uint32, v)
    case .int32(let v): append(.int32, v)
    case .uint64(let v): append(.uint64, v)
    case .int64(let v): append(.int64, v)
    case .float32(let v): append(.float32, v.bitPattern)
    case .float64(let v): append(.float64, v.bitPattern)
    case .bool(let v): append(.bool, UInt8(v ? 1 : 0))
    case .string(let text):
      append(GGUF.ValueType.string.rawValue)
      append(text)
    case .array(let array):
      append(GGUF.ValueType.array.rawValue)
      append(array)
    }
  }

  private mutating func append<T: FixedWidthInteger>(_ type: GGUF.ValueType, _ value: T) {
    append(type.rawValue)
    append(value)
  }

  private mutating func append(_ array: MetadataArray) {
    switch array {
    case .uint8(let a): append(.uint8, all: a)
    case .int8(let a): append(.int8, all: a)
    case .uint16(let a): append(.uint16, all: a)
    case .int16(let a): append(.int16, all: a)
    case .uint32(let a): append(.uint32, all: a)
    case .int32(let a): append(.int32, all: a)
    case .uint64(let a): append(.uint64, all: a)
    case .int64(let a): append(.int64, all: a)
    case .float32(let a): append(.float32, all: a.map(\.bitPattern))
    case .float64(let a): append(.float64, all: a.map(\.bitPattern))
    case .bool(let a): append(.bool, all: a.map { UInt8($0 ? 1 : 0) })
    case .string(let a):
      append(GGUF.ValueType.string.rawValue)
      append(UInt64(a.count))
      for text in a { append(text) }
    }
  }

  private mutating func append<T: FixedWidthInteger>(_ type: GGUF.ValueType, all values: [T]) {
    append(type.rawValue)
    append(UInt64(values.count))
    for value in values { append(value) }
  }
}
