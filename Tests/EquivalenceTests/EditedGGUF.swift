import ByteIO
import TensorTypes
import WeightFormats

/// A GGUF file whose metadata and F32 tensors can be changed before it is written again.
struct EditedGGUF {
  var metadata: Metadata
  private var names: [ByteString] = []
  private var types: [TensorType] = []
  private var bytes: [[UInt8]] = []

  init(_ path: String) throws {
    let checkpoint = try Checkpoint.open(path)
    metadata = checkpoint.metadata
    for tensor in checkpoint.tensors {
      names.append(tensor.name)
      types.append(tensor.type)
      bytes.append(
        try checkpoint.files[tensor.file].source.bytes(
          at: tensor.offset, count: tensor.byteCount))
    }
  }

  func write(_ path: String) throws {
    let framing = try Format[.gguf].frame(
      metadata, zip(names, types).map { Declaration(name: $0, type: $1) })
    var file = framing.prefix
    file += [UInt8](repeating: 0, count: framing.fileByteCount - file.count)
    for (own, offset) in zip(bytes, framing.offsets) {
      file.replaceSubrange(offset..<offset + own.count, with: own)
    }
    let transaction = try OutputTransaction(path, shape: .files, replaces: true)
    let output = try transaction.create(path, byteCount: file.count)
    try output.write(file, at: 0)
    try transaction.commit()
  }

  /// The bytes of a tensor.
  subscript(name: String) -> [UInt8] {
    get { bytes[position(name)] }
    set { bytes[position(name)] = newValue }
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
    names.append(ByteString(name))
    types.append(types[position(other)])
    self.bytes.append(bytes)
  }

  /// Lets each of `count` equal parts of a tensor hold another one.
  mutating func move(_ name: String, count: Int, _ from: (Int) -> Int) {
    let old = self[name]
    let length = old.count / count
    self[name] = (0..<count).flatMap { old[from($0) * length..<(from($0) + 1) * length] }
  }

  private func position(_ name: String) -> Int {
    names.firstIndex { $0.text == name }!  // the tests know the names
  }
}
