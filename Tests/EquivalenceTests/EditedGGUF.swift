import ByteIO
import TensorTypes
import WeightFormats

/// A GGUF file whose metadata and tensors can be changed before it is written again.
struct EditedGGUF {
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
    var file = framing.prefix
    file += [UInt8](repeating: 0, count: framing.fileByteCount - file.count)
    for (tensor, offset) in zip(tensors, framing.offsets) {
      file.replaceSubrange(offset..<offset + tensor.bytes.count, with: tensor.bytes)
    }
    try save(file, to: path)
  }

  /// The bytes of a tensor.
  subscript(name: String) -> [UInt8] {
    get { tensors[position(name)].bytes }
    set { tensors[position(name)].bytes = newValue }
  }

  /// The values of an F32 tensor.
  subscript(floats name: String) -> [Float] {
    get {
      self[name].withUnsafeBytes { bytes in
        (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      }
    }
    set { self[name] = newValue.flatMap { value in withUnsafeBytes(of: value) { Array($0) } } }
  }

  /// Adds a tensor of the type of another.
  mutating func add(_ name: String, like other: String, _ bytes: [UInt8]) {
    tensors.append(
      Tensor(name: ByteString(name), type: tensors[position(other)].type, bytes: bytes))
  }

  /// Gives a tensor another type, and zeros where that takes another number of bytes.
  mutating func retype(_ name: String, _ change: (TensorType) -> TensorType) {
    let position = position(name)
    tensors[position].type = change(tensors[position].type)
    let count = tensors[position].type.byteCount ?? 0
    if count != tensors[position].bytes.count {
      tensors[position].bytes = [UInt8](repeating: 0, count: count)
    }
  }

  mutating func exchange(_ a: String, _ b: String) { (self[a], self[b]) = (self[b], self[a]) }

  mutating func flip(_ name: String, byte: Int, bit: Int) { self[name][byte] ^= 1 << UInt8(bit) }

  /// Lets rows and columns of a square matrix change places.
  mutating func transpose(_ name: String, order: Int) {
    move(name, count: order * order) { $0 % order * order + $0 / order }
  }

  /// Lets each of `count` equal parts of a tensor hold another one.
  mutating func move(_ name: String, count: Int, _ from: (Int) -> Int) {
    let old = self[name]
    let length = old.count / count
    self[name] = (0..<count).flatMap { old[from($0) * length..<(from($0) + 1) * length] }
  }

  private func position(_ name: String) -> Int {
    tensors.firstIndex { $0.name.text == name }!  // the tests know the names
  }
}

/// Writes a whole file.
func save(_ bytes: [UInt8], to path: String) throws {
  let transaction = try OutputTransaction(path, shape: .files, replaces: true)
  let output = try transaction.create(path, byteCount: bytes.count)
  try output.write(bytes, at: 0)
  try transaction.commit()
}
