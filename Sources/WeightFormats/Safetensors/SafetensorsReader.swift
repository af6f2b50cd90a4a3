import ByteIO
import TensorTypes

/// The limits of the format.
enum Safetensors {
  /// - Units: bytes of the JSON header.
  static let headerByteLimit = 100_000_000
  static let metadataKey: ByteString = "__metadata__"
}

/// Reads the header of a safetensors file and checks every rule of the format.
///
/// Where readers differ: the header must begin with `{`; a name that comes twice is an error, also
/// when one is spelt with escapes; `__metadata__` may be `null`; unknown fields of an entry are
/// ignored.
///
/// - Throws: `badInput`.
/// - Source: safetensors 0.8.0, README "Format" and `tensor.rs`; `docs/formats/safetensors.md`.
func readSafetensors(_ source: any ByteSource) throws(Failure) -> Manifest {
  let header = try headerBytes(of: source)
  let dataStart = 8 + header.count
  var manifest = Manifest(format: .safetensors)
  var scanner = JSONScanner(header, base: 8, file: source.name)
  var spans: [Span] = []
  // An entry takes some 100 bytes; growing step by step would hash every name twice, and a full
  // table compares names that collide.
  var names = Set<ByteString>(minimumCapacity: header.count / 50)
  spans.reserveCapacity(header.count / 100)
  var hasMetadata = false

  try scanner.object { (s, name, offset) throws(Failure) in
    if name == Safetensors.metadataKey {
      guard !hasMetadata else { throw duplicate(name, .key(name), source, offset) }
      hasMetadata = true
      do throws(Failure) {
        return try readMetadata(&s, into: &manifest.metadata, source)
      } catch {
        throw error.located(subject: .key(name))
      }
    }
    guard names.insert(name).inserted else {
      throw duplicate(name, .tensor(name), source, offset)
    }
    do throws(Failure) {
      spans.append(try readEntry(&s, named: name, at: offset, file: source.name))
    } catch {
      throw error.located(subject: .tensor(name))
    }
  }
  try scanner.end()

  manifest.tensors.reserveCapacity(spans.count)
  for span in spans {
    let (offset, overflow) = dataStart.addingReportingOverflow(span.begin)
    guard !overflow else {
      throw Failure(
        .badInput, "the tensor's data offsets are too large", file: source.name,
        subject: .tensor(span.name), offset: span.offset,
        expected: "at most \(source.byteCount)", found: "\(span.begin)")
    }
    manifest.tensors.append(
      Entry(name: span.name, type: span.type, offset: offset, byteCount: span.end - span.begin))
  }
  let dataByteCount = try checkContiguous(spans, file: source.name)
  manifest.fileByteCount = try checkFileSize(source, dataStart, dataByteCount, spans)
  return manifest
}

/// One entry of the header, its data offsets still relative to the data section.
private struct Span {
  let name: ByteString
  let type: TensorType
  let begin: Int
  let end: Int
  /// Where the entry's name stands in the file.
  let offset: Int
}

private func headerBytes(of source: any ByteSource) throws(Failure) -> [UInt8] {
  var cursor = Cursor(source, windowByteCount: 8)
  let declared = try cursor.read(UInt64.self)
  guard declared <= Safetensors.headerByteLimit else {
    throw Failure(
      .badInput, "the header is too long", file: source.name, offset: 0,
      expected: "at most \(Safetensors.headerByteLimit) bytes", found: "\(declared)")
  }
  let header = try cursor.readBytes(Int(declared))
  guard header.first == UInt8(ascii: "{") else {
    throw Failure(
      .badInput, "the header does not begin with '{'", file: source.name, offset: 8,
      expected: "byte 0x7B",
      found: header.first.map { "byte 0x" + String($0, radix: 16, uppercase: true) }
        ?? "none")
  }
  return header
}

private func readMetadata(
  _ scanner: inout JSONScanner, into metadata: inout Metadata, _ source: any ByteSource
) throws(Failure) {
  if try scanner.nextKind() == .literal {
    var after = scanner
    guard try after.literal() == nil else { throw scanner.unexpected("an object of strings") }
    scanner = after
    return
  }
  try scanner.object { (s, key, offset) throws(Failure) in
    do throws(Failure) {
      guard metadata.append(key, .string(try s.string())) else {
        throw duplicate(key, .key(key), source, offset)
      }
    } catch {
      throw error.located(subject: .key(key))
    }
  }
}

private func readEntry(
  _ scanner: inout JSONScanner, named name: ByteString, at offset: Int, file: String
) throws(Failure) -> Span {
  var dtype: DType?
  var axes: [Int]?
  var offsets: (begin: Int, end: Int)?
  try scanner.object { (s, field, fieldOffset) throws(Failure) in
    switch field.text {
    case "dtype" where dtype == nil:
      let at = s.offset
      let spelling = try s.string()
      dtype = DType(rawValue: spelling.text)
      guard dtype != nil else {
        throw Failure(
          .badInput, "the dtype is unknown", file: file, offset: at,
          expected: "one of " + DType.allCases.map(\.name).joined(separator: " "),
          found: "'\(spelling)'")
      }
    case "shape" where axes == nil: axes = try counts(&s)
    case "data_offsets" where offsets == nil: offsets = try pair(&s, at: offset, file: file)
    case "dtype", "shape", "data_offsets":
      throw Failure(
        .badInput, "the field '\(field)' comes twice", file: file, offset: fieldOffset,
        expected: "one", found: "a second one")
    default: try s.skipValue()
    }
  }
  guard let dtype, let axes, let offsets else {
    let missing = dtype == nil ? "dtype" : axes == nil ? "shape" : "data_offsets"
    throw Failure(
      .badInput, "the field '\(missing)' is missing", file: file, offset: offset,
      expected: "dtype, shape and data_offsets", found: "no '\(missing)'")
  }
  let type = TensorType(shape: Shape(axes), encoding: .plain(dtype))
  guard let byteCount = type.byteCount else {
    let bits = type.shape.elementCount?.multipliedReportingOverflow(by: dtype.bitWidth)
    let isHuge = bits?.overflow ?? true
    throw Failure(
      .badInput, isHuge ? "the tensor is too large" : "the tensor ends inside a byte", file: file,
      offset: offset, expected: isHuge ? "less than 2^63 bits" : "whole bytes", found: "\(type)")
  }
  guard offsets.end >= offsets.begin, offsets.end - offsets.begin == byteCount else {
    throw Failure(
      .badInput, "data_offsets do not fit dtype and shape", file: file, offset: offset,
      expected: "\(byteCount) bytes for \(type)", found: "[\(offsets.begin), \(offsets.end)]")
  }
  return Span(name: name, type: type, begin: offsets.begin, end: offsets.end, offset: offset)
}

private func counts(_ scanner: inout JSONScanner) throws(Failure) -> [Int] {
  var values: [Int] = []
  try scanner.array { (s) throws(Failure) in values.append(try s.count()) }
  return values
}

private func pair(
  _ scanner: inout JSONScanner, at offset: Int, file: String
) throws(Failure) -> (begin: Int, end: Int) {
  var values = (begin: 0, end: 0)
  var count = 0
  try scanner.array { (s) throws(Failure) in
    let value = try s.count()
    if count == 0 { values.begin = value } else { values.end = value }
    count += 1
  }
  guard count == 2 else {
    throw Failure(
      .badInput, "data_offsets is not a pair", file: file, offset: offset,
      expected: "2 numbers", found: "\(count)")
  }
  return values
}

/// Checks that the tensors fill the data section without holes and overlaps, and returns its size.
private func checkContiguous(_ spans: [Span], file: String) throws(Failure) -> Int {
  var position = 0
  for span in spans.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
    guard span.begin == position else {
      throw Failure(
        .badInput,
        span.begin < position
          ? "the tensor's bytes overlap those of another"
          : "bytes before the tensor belong to none",
        file: file, subject: .tensor(span.name), offset: span.offset,
        expected: "data_offsets from \(position)", found: "from \(span.begin)")
    }
    position = span.end
  }
  return position
}

private func checkFileSize(
  _ source: any ByteSource, _ dataStart: Int, _ dataByteCount: Int, _ spans: [Span]
) throws(Failure) -> Int {
  let (end, overflow) = dataStart.addingReportingOverflow(dataByteCount)
  guard !overflow, end <= source.byteCount else {
    let last = spans.max { $0.end < $1.end }
    throw Failure(
      .badInput, "the file ends before the tensor's last byte", file: source.name,
      subject: last.map { .tensor($0.name) }, offset: source.byteCount,
      expected: overflow ? "fewer bytes" : "\(end) bytes", found: "\(source.byteCount)")
  }
  guard end == source.byteCount || source.isOpenEnded else {
    throw Failure(
      .badInput, "bytes after the last tensor belong to none", file: source.name, offset: end,
      expected: "\(end) bytes", found: "\(source.byteCount)")
  }
  return end
}

private func duplicate(
  _ name: ByteString, _ subject: Failure.Subject, _ source: any ByteSource, _ offset: Int
) -> Failure {
  Failure(
    .badInput, "the name comes twice", file: source.name, subject: subject, offset: offset,
    expected: "one entry", found: "a second one")
}
