import ByteIO
import TensorTypes

/// Lays out a safetensors file: the header padded with spaces to a multiple of 8 bytes, the tensors
/// one after another in the order given, metadata keys sorted.
///
/// - Throws: `usage` when something cannot be said in this format: an encoding other than a plain
///   dtype, metadata that is not text, a name that readers disagree about.
/// - Source: safetensors 0.8.0, `tensor.rs`, `prepare`.
func frameSafetensors(metadata: Metadata, tensors: [Declaration]) throws(Failure) -> Framing {
  var json = JSONWriter()
  json.open("{")
  if !metadata.items.isEmpty {
    json.key(Safetensors.metadataKey)
    json.open("{")
    for item in metadata.items.sorted(by: { $0.key < $1.key }) {
      guard let text = item.value.string else {
        throw Failure(
          .usage, "safetensors metadata holds text only", subject: .key(item.key),
          expected: "a string", found: item.value.typeName)
      }
      json.key(item.key)
      json.string(text)
    }
    json.close("}")
  }
  // Readers that compare names as text see canonically equivalent spellings as one name.
  var names = Set<String>()
  var position = 0
  var relative: [Int] = []
  for tensor in tensors {
    try checkWritable(tensor, isNew: names.insert(tensor.name.text).inserted)
    guard case .plain(let dtype) = tensor.type.encoding, tensor.type.layout == .rowMajor,
      let byteCount = tensor.type.byteCount
    else {
      throw Failure(
        .usage, "safetensors cannot hold this type", subject: .tensor(tensor.name),
        expected: "a plain dtype that fills whole bytes", found: "\(tensor.type)")
    }
    let (end, overflow) = position.addingReportingOverflow(byteCount)
    guard !overflow else { throw tooLarge(tensor.name) }
    json.key(tensor.name)
    json.open("{")
    json.key("dtype")
    json.string(ByteString(dtype.name))
    json.key("shape")
    json.counts(tensor.type.shape.axes)
    json.key("data_offsets")
    json.counts([position, end])
    json.close("}")
    relative.append(position)
    position = end
  }
  json.close("}")
  var header = json.bytes
  header += repeatElement(UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
  guard header.count <= Safetensors.headerByteLimit else {
    throw Failure(
      .usage, "the header is too long; use more shards",
      expected: "at most \(Safetensors.headerByteLimit) bytes", found: "\(header.count)")
  }
  let start = 8 + header.count
  let (fileByteCount, overflow) = start.addingReportingOverflow(position)
  guard !overflow else { throw tooLarge(tensors.last?.name ?? "") }
  let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
  return Framing(
    prefix: length + header, offsets: relative.map { start + $0 }, fileByteCount: fileByteCount)
}

private func checkWritable(_ tensor: Declaration, isNew: Bool) throws(Failure) {
  let isReserved = tensor.name == Safetensors.metadataKey
  guard isNew, !isReserved, !tensor.name.utf8.contains(0) else {
    throw Failure(
      .usage, isNew ? "readers disagree about this name" : "two tensors have this name",
      subject: .tensor(tensor.name))
  }
}

private func tooLarge(_ name: ByteString) -> Failure {
  Failure(
    .usage, "the file would be too large", subject: .tensor(name), expected: "less than 2^63 bytes",
    found: "more")
}
