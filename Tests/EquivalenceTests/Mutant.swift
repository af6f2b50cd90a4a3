import ByteIO
import TensorTypes
import Testing
import WeightFormats

/// A GGUF file in memory whose metadata and tensors can be changed before it is written again.
struct Mutant {
  struct Tensor {
    var name: ByteString
    var type: TensorType
    var bytes: [UInt8]
  }

  var metadata: Metadata
  var tensors: [Tensor]

  init(_ path: String) throws {
    let checkpoint = try Checkpoint.open(path)
    metadata = checkpoint.metadata
    tensors = try checkpoint.tensors.map { tensor in
      Tensor(
        name: tensor.name, type: tensor.type,
        bytes: try checkpoint.files[tensor.file].source.bytes(
          at: tensor.offset, count: tensor.byteCount))
    }
  }

  func write(_ path: String) throws {
    let framing = try Format[.gguf].frame(
      metadata, tensors.map { Declaration(name: $0.name, type: $0.type) })
    var bytes = framing.prefix
    bytes += [UInt8](repeating: 0, count: framing.fileByteCount - bytes.count)
    for (tensor, offset) in zip(tensors, framing.offsets) {
      bytes.replaceSubrange(offset..<offset + tensor.bytes.count, with: tensor.bytes)
    }
    try save(bytes, to: path)
  }

  subscript(name: String) -> [UInt8] {
    get { tensors[position(name)].bytes }
    set { tensors[position(name)].bytes = newValue }
  }

  private func position(_ name: String) -> Int {
    tensors.firstIndex { $0.name.text == name }!  // the tests know the names
  }

  // MARK: - Faults

  mutating func swap(_ a: String, _ b: String) { (self[a], self[b]) = (self[b], self[a]) }

  mutating func flip(_ name: String, byte: Int, bit: Int) { self[name][byte] ^= 1 << UInt8(bit) }

  /// Lets each row of a tensor hold another one.
  mutating func moveRows(_ name: String, rowCount: Int, _ from: (Int) -> Int) {
    let old = self[name]
    let length = old.count / rowCount
    self[name] = (0..<rowCount).flatMap { row in
      old[from(row) * length..<(from(row) + 1) * length]
    }
  }

  /// Lets rows and columns of a square matrix change places.
  mutating func transpose(_ name: String, order: Int) {
    let old = self[name]
    let width = old.count / (order * order)
    self[name] = (0..<order * order).flatMap { index in
      let place = index % order * order + index / order
      return old[place * width..<(place + 1) * width]
    }
  }

  /// Changes all values of a tensor in F32.
  mutating func mapFloats(_ name: String, _ change: (Float) -> Float) {
    let old = self[name]
    self[name] = stride(from: 0, to: old.count, by: 4).flatMap { place in
      let value = old.withUnsafeBytes {
        $0.loadUnaligned(fromByteOffset: place, as: Float.self)
      }
      return withUnsafeBytes(of: change(value).bitPattern.littleEndian) { Array($0) }
    }
  }
}

/// Writes a whole file.
func save(_ bytes: [UInt8], to path: String) throws {
  let transaction = try OutputTransaction(path, shape: .files, replaces: true)
  let output = try transaction.create(path, byteCount: bytes.count)
  try output.write(bytes, at: 0)
  try transaction.commit()
}
