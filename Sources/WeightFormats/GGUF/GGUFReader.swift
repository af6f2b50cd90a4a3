import ByteIO
import TensorTypes

/// Reads the header of a GGUF file of version 1, 2 or 3 in either byte order, and checks every rule
/// of the format.
///
/// Where readers differ: text must be UTF-8; booleans must be 0 or 1; nested arrays are refused;
/// the alignment must be a power of two; a header ends within 256 MiB; tensors must lie one after another at padded offsets in
/// the order of their table; bytes after the last tensor are noted, not refused.
///
/// - Throws: `badInput`.
/// - Source: ggml `docs/gguf.md`, `src/gguf.cpp`; `docs/formats/gguf.md`.
func readGGUF(_ source: any ByteSource) throws(Failure) -> Manifest {
  var reader = GGUFReader(source)
  try reader.readHeader()
  try reader.readMetadata()
  try reader.readTensors()
  return reader.manifest
}

private struct GGUFReader: ~Copyable {
  let source: any ByteSource
  var cursor: Cursor
  var manifest = Manifest(format: .gguf)
  private var version = GGUF.writtenVersion
  private var tensorCount = 0
  private var itemCount = 0
  private var alignmentAt = 0

  init(_ source: any ByteSource) {
    self.source = source
    cursor = Cursor(source)
  }

  // MARK: - Header

  mutating func readHeader() throws(Failure) {
    let magic = try cursor.readBytes(4)
    guard magic == GGUF.magic else {
      throw failure(
        "the magic is wrong", at: 0, expected: "bytes \(GGUF.magic.hexadecimal)",
        found: "bytes \(magic.hexadecimal)")
    }
    var number = try cursor.read(UInt32.self)
    // The version is small: when its low half is zero, the bytes stand in the other order.
    if number & 0xFFFF == 0, number != 0 {
      cursor.byteOrder = .big
      manifest.byteOrder = .big
      number = number.byteSwapped
    }
    guard let small = Int(exactly: number), GGUF.versions.contains(small) else {
      throw failure("the version is unknown", at: 4, expected: "1, 2 or 3", found: "\(number)")
    }
    version = small
    manifest.version = small
    // The least entry has an empty name, no axes, a type and an offset.
    let least = GGUF.ValueType.string.leastByteCount(version: version)
    tensorCount = try readCount(
      leastByteCount: least + 16, excess: "the number of tensors is too large")
    itemCount = try readCount(
      leastByteCount: least + 5, excess: "the number of metadata values is too large")
  }

  /// A count whose things need at least so many bytes each, and so cannot exceed what is left.
  private mutating func readCount(
    leastByteCount: Int, limit: Int = .max, excess: String
  ) throws(Failure) -> Int {
    let offset = cursor.position
    let raw = version == 1 ? UInt64(try cursor.read(UInt32.self)) : try cursor.read(UInt64.self)
    let rest = max(0, min(cursor.remaining, GGUF.headerByteLimit - cursor.position))
    let most = min(limit, rest / leastByteCount)
    guard let count = Int(exactly: raw), count <= most else {
      throw failure(excess, at: offset, expected: "at most \(most)", found: "\(raw)")
    }
    return count
  }

  private mutating func readText(limit: Int, excess: String) throws(Failure) -> ByteString {
    try cursor.readText(try readCount(leastByteCount: 1, limit: limit, excess: excess))
  }

  // MARK: - Metadata

  mutating func readMetadata() throws(Failure) {
    for _ in 0..<itemCount {
      let offset = cursor.position
      let key = try readText(limit: GGUF.keyByteLimit, excess: "a key is too long")
      guard !key.isEmpty else {
        throw failure("a key is empty", at: offset, expected: "at least 1 byte", found: "0")
      }
      if key == GGUF.alignmentKey { alignmentAt = offset }
      do throws(Failure) {
        let value = try readValue(try readValueType())
        guard manifest.metadata.append(key, value) else {
          throw failure(
            "the key comes twice", at: offset, expected: "one value", found: "a second one")
        }
      } catch {
        throw error.located(subject: .key(key))
      }
    }
  }

  private mutating func readValueType() throws(Failure) -> GGUF.ValueType {
    let offset = cursor.position
    let id = try cursor.read(UInt32.self)
    guard let type = GGUF.ValueType(rawValue: id) else {
      throw failure("the value type is unknown", at: offset, expected: "0 to 12", found: "\(id)")
    }
    return type
  }

  private mutating func readValue(_ type: GGUF.ValueType) throws(Failure) -> MetadataValue {
    switch type {
    case .uint8: .uint8(try cursor.read(UInt8.self))
    case .int8: .int8(try cursor.read(Int8.self))
    case .uint16: .uint16(try cursor.read(UInt16.self))
    case .int16: .int16(try cursor.read(Int16.self))
    case .uint32: .uint32(try cursor.read(UInt32.self))
    case .int32: .int32(try cursor.read(Int32.self))
    case .float32: .float32(Float(bitPattern: try cursor.read(UInt32.self)))
    case .bool: .bool(try readBool())
    case .string: .string(try readString())
    case .array: .array(try readArray())
    case .uint64: .uint64(try cursor.read(UInt64.self))
    case .int64: .int64(try cursor.read(Int64.self))
    case .float64: .float64(Double(bitPattern: try cursor.read(UInt64.self)))
    }
  }

  private mutating func readString() throws(Failure) -> ByteString {
    try readText(limit: GGUF.stringByteLimit, excess: "a string is too long")
  }

  private mutating func readBool() throws(Failure) -> Bool {
    let offset = cursor.position
    let byte = try cursor.read(UInt8.self)
    guard byte <= 1 else {
      throw failure(
        "a boolean is neither 0 nor 1", at: offset, expected: "0 or 1", found: "\(byte)")
    }
    return byte == 1
  }

  private mutating func readArray() throws(Failure) -> MetadataArray {
    let offset = cursor.position
    let type = try readValueType()
    guard type != .array else {
      throw failure(
        "arrays of arrays are not allowed", at: offset, expected: "an element type other than 9",
        found: "9")
    }
    let count = try readCount(
      leastByteCount: type.leastByteCount(version: version), limit: GGUF.arrayElementLimit,
      excess: "the number of array elements is too large")
    return switch type {
    case .uint8: .uint8(try readIntegers(count))
    case .int8: .int8(try readIntegers(count))
    case .uint16: .uint16(try readIntegers(count))
    case .int16: .int16(try readIntegers(count))
    case .uint32: .uint32(try readIntegers(count))
    case .int32: .int32(try readIntegers(count))
    case .uint64: .uint64(try readIntegers(count))
    case .int64: .int64(try readIntegers(count))
    case .float32: .float32(try readIntegers(count).map { Float(bitPattern: $0) })
    case .float64: .float64(try readIntegers(count).map { Double(bitPattern: $0) })
    case .bool: .bool(try readBools(count))
    case .string: .string(try readStrings(count))
    case .array: throw failure("arrays of arrays are not allowed", at: offset)
    }
  }

  private mutating func readIntegers<T: FixedWidthInteger>(_ count: Int) throws(Failure) -> [T] {
    var values: [T] = []
    for _ in 0..<count { values.append(try cursor.read(T.self)) }
    return values
  }

  private mutating func readBools(_ count: Int) throws(Failure) -> [Bool] {
    var values: [Bool] = []
    for _ in 0..<count { values.append(try readBool()) }
    return values
  }

  private mutating func readStrings(_ count: Int) throws(Failure) -> [ByteString] {
    var values: [ByteString] = []
    for _ in 0..<count {
      values.append(try readString())
    }
    return values
  }

  // MARK: - Tensors

  mutating func readTensors() throws(Failure) {
    let alignment = try alignment()
    manifest.alignment = alignment
    var declared: [(name: ByteString, type: TensorType, byteCount: Int, offset: Int, at: Int)] = []
    var names = Set<ByteString>()
    for _ in 0..<tensorCount {
      let at = cursor.position
      let name = try readText(
        limit: GGUF.nameByteLimit - 1, excess: "a tensor name is too long")
      do throws(Failure) {
        guard !name.utf8.contains(0) else {
          throw failure(
            "the tensor name has a zero byte", at: at, expected: "text without", found: "one")
        }
        guard names.insert(name).inserted else {
          throw failure(
            "the tensor name comes twice", at: at, expected: "one tensor", found: "a second one")
        }
        let (type, byteCount) = try readTensorType()
        let offsetAt = cursor.position
        let raw = try cursor.read(UInt64.self)
        guard let offset = Int(exactly: raw) else {
          throw failure(
            "the tensor's offset is too large", at: offsetAt, expected: "less than 2^63",
            found: "\(raw)")
        }
        declared.append((name, type, byteCount, offset, offsetAt))
      } catch {
        throw error.located(subject: .tensor(name))
      }
    }
    var dataStart = cursor.position
    if tensorCount > 0 {
      guard let start = dataStart.rounded(upToMultipleOf: alignment) else {
        throw failure("the alignment is too large", at: dataStart, found: "\(alignment)")
      }
      dataStart = start
    }
    try place(declared, from: dataStart, alignment: alignment)
  }

  private func alignment() throws(Failure) -> Int {
    guard let value = manifest.metadata[GGUF.alignmentKey] else { return GGUF.defaultAlignment }
    guard case .uint32(let alignment) = value, alignment.nonzeroBitCount == 1 else {
      throw Failure(
        .badInput, "the alignment is not usable", file: source.name,
        subject: .key(GGUF.alignmentKey), offset: alignmentAt,
        expected: "a u32 that is a power of two",
        found: value.integer.map { "\(value.typeName) \($0)" } ?? value.typeName)
    }
    return Int(alignment)
  }

  private mutating func readTensorType() throws(Failure) -> (TensorType, byteCount: Int) {
    let rankAt = cursor.position
    let rank = try cursor.read(UInt32.self)
    guard rank <= GGUF.rankLimit else {
      throw failure(
        "the tensor has too many axes", at: rankAt, expected: "at most \(GGUF.rankLimit)",
        found: "\(rank)")
    }
    var axes: [Int] = []
    let axesAt = cursor.position
    for _ in 0..<rank {
      let at = cursor.position
      let raw = version == 1 ? UInt64(try cursor.read(UInt32.self)) : try cursor.read(UInt64.self)
      guard let axis = Int(exactly: raw) else {
        throw failure(
          "an axis of the tensor is too long", at: at, expected: "less than 2^63", found: "\(raw)")
      }
      axes.append(axis)
    }
    let typeAt = cursor.position
    let id = try cursor.read(UInt32.self)
    guard let row = GGUFTensorType.with(id: id) else { throw unknownType(id, at: typeAt) }
    let type = TensorType(shape: Shape(axes.reversed()), encoding: row.encoding)
    guard let byteCount = type.byteCount else {
      let unit = row.encoding.unitElementCount
      let fits = type.shape.rowLength.isMultiple(of: unit)
      throw failure(
        fits ? "the tensor is too large" : "the rows do not fit the type", at: axesAt,
        expected: fits ? "less than 2^63 bits" : "a multiple of \(unit) elements",
        found: "\(row.name) \(type.shape)")
    }
    return (type, byteCount)
  }

  private func unknownType(_ id: UInt32, at offset: Int) -> Failure {
    let known = "a type of the table in ggml.h"
    if let name = GGUFTensorType.removed[id] {
      return failure(
        "the tensor type was removed from ggml", at: offset, expected: known,
        found: "\(id) (\(name))")
    }
    if GGUFTensorType.foreign.contains(where: { $0.contains(id) }) {
      return failure(
        "the tensor type is one of ik_llama.cpp only", at: offset, expected: known, found: "\(id)")
    }
    return failure("the tensor type is unknown", at: offset, expected: known, found: "\(id)")
  }

  /// Checks that each tensor lies where the padded sizes of those before it put it, inside the file.
  private mutating func place(
    _ declared: [(name: ByteString, type: TensorType, byteCount: Int, offset: Int, at: Int)],
    from dataStart: Int, alignment: Int
  ) throws(Failure) {
    var position = 0
    var end = dataStart
    for tensor in declared {
      guard tensor.offset == position else {
        throw failure(
          "the tensor does not follow the one before it", at: tensor.at,
          expected: "offset \(position)", found: "\(tensor.offset)"
        ).located(subject: .tensor(tensor.name))
      }
      let (start, o1) = dataStart.addingReportingOverflow(position)
      let (last, o2) = start.addingReportingOverflow(tensor.byteCount)
      guard !o1, !o2, last <= source.byteCount else {
        throw failure(
          "the file ends before the tensor's last byte", at: source.byteCount,
          expected: o1 || o2 ? "fewer bytes" : "\(last) bytes", found: "\(source.byteCount)"
        ).located(subject: .tensor(tensor.name))
      }
      manifest.tensors.append(
        Entry(name: tensor.name, type: tensor.type, offset: start, byteCount: tensor.byteCount))
      end = last
      guard let padded = tensor.byteCount.rounded(upToMultipleOf: alignment),
        case let (next, overflow) = position.addingReportingOverflow(padded), !overflow
      else {
        throw failure("the tensor's padded size is too large", at: tensor.at)
          .located(subject: .tensor(tensor.name))
      }
      position = next
    }
    manifest.fileByteCount = end
    let padded = dataStart + position
    if !source.isOpenEnded, source.byteCount > max(end, padded) {
      manifest.notes.append(
        "\(source.byteCount - max(end, padded)) bytes after the last tensor belong to none")
    }
  }

  private func failure(
    _ message: String, at offset: Int, expected: String? = nil, found: String? = nil
  ) -> Failure {
    Failure(
      .badInput, message, file: source.name, offset: offset, expected: expected, found: found)
  }
}
