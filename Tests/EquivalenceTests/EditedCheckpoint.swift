import Architectures
import ByteIO
import Foundation
import TensorTypes
import WeightFormats

/// A checkpoint in memory whose settings and tensors can be changed before it is written again: one
/// GGUF file, or a folder in Hugging Face's layout.
struct EditedCheckpoint {
  struct Tensor {
    var name: ByteString
    var type: TensorType
    var bytes: [UInt8]
  }

  var metadata: Metadata
  var tensors: [Tensor]
  /// The small files of a folder.
  var files: [String: [UInt8]] = [:]
  private let format: Format.Name
  private let dialect: Dialect?

  /// - Parameter architecture: knows what the tensors are called; nil where they are named one by one.
  init(_ path: String, _ architecture: Architecture? = nil) throws {
    let checkpoint = try Checkpoint.open(path)
    format = checkpoint.format
    dialect = format == .gguf ? architecture?.gguf : architecture?.huggingFace
    metadata = checkpoint.metadata
    tensors = try checkpoint.tensors.map { tensor in
      Tensor(
        name: tensor.name, type: tensor.type,
        bytes: try checkpoint.files[tensor.file].source.bytes(
          at: tensor.offset, count: tensor.byteCount))
    }
    guard format == .safetensors, let folder = checkpoint.folder else { return }
    for case let name as String in FileManager.default.enumerator(atPath: folder.path) ?? .init()
    where !name.contains("safetensors") {
      files[name] = FileManager.default.contents(atPath: folder.path(of: name)).map(Array.init)
    }
  }

  func write(_ path: String) throws {
    let framing = try Format[format].frame(
      metadata, tensors.map { Declaration(name: $0.name, type: $0.type) })
    var bytes = framing.prefix
    bytes += [UInt8](repeating: 0, count: framing.fileByteCount - bytes.count)
    for (tensor, offset) in zip(tensors, framing.offsets) {
      bytes.replaceSubrange(offset..<offset + tensor.bytes.count, with: tensor.bytes)
    }
    guard format == .safetensors else {
      return try save(bytes, to: path)
    }
    let folder = URL(fileURLWithPath: path)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (name, content) in files {
      let file = folder.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(content).write(to: file)
    }
    try Data(bytes).write(to: folder.appendingPathComponent("model.safetensors"))
  }

  // MARK: - Tensors

  func position(_ name: String) -> Int {
    tensors.firstIndex { $0.name.text == name }!  // the tests know the names
  }

  func has(_ role: RoleInstance) -> Bool {
    guard dialect?.writing(role.role) != nil else { return false }
    let name = name(role)
    return tensors.contains { $0.name.text == name }
  }

  /// The name of a tensor by its role.
  func name(_ role: RoleInstance) -> String {
    let dialect = dialect!  // the tests that name roles give the architecture
    var bindings = role.bindings
    bindings.expert = bindings.expert ?? 0
    return dialect.name(dialect.writing(role.role)!, bindings).text  // a role of the architecture
  }

  subscript(name: String) -> [UInt8] {
    get { tensors[position(name)].bytes }
    set { tensors[position(name)].bytes = newValue }
  }

  subscript(role: RoleInstance) -> [UInt8] {
    get { self[name(role)] }
    set { self[name(role)] = newValue }
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

  func type(_ role: RoleInstance) -> TensorType { tensors[position(name(role))].type }

  func rowCount(_ role: RoleInstance) -> Int {
    let shape = type(role).shape
    return (shape.elementCount ?? 0) / shape.rowLength
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

  /// Lets each of `count` equal parts of a tensor hold another one.
  mutating func move(_ name: String, count: Int, _ from: (Int) -> Int) {
    let old = self[name]
    let length = old.count / count
    self[name] = (0..<count).flatMap { old[from($0) * length..<(from($0) + 1) * length] }
  }
}

/// Writes a whole file.
func save(_ bytes: [UInt8], to path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}
