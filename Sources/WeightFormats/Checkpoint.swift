import ByteIO
import TensorTypes

/// All weights of a model, in one file or many, with the small files beside them.
public struct Checkpoint: Sendable {
  /// One weight file and its header.
  public struct File: Sendable {
    public let source: any ByteSource
    public let manifest: Manifest
    public let isCompressed: Bool

    /// The tensors of the file, which is at position `number`.
    func tensors(number: Int) -> [Tensor] {
      manifest.tensors.map {
        Tensor(
          name: $0.name, type: $0.type, file: number, offset: $0.offset, byteCount: $0.byteCount)
      }
    }

    /// Decompresses a compressed file to its end and checks that it holds what its header says.
    /// Of other files the header says it all.
    ///
    /// - Throws: `badInput`.
    public func checkComplete() throws(Failure) {
      guard let source = source as? ZstdSource else { return }
      let least = manifest.fileByteCount
      // The padding after the last tensor may be there or not.
      let most = least.rounded(upToMultipleOf: manifest.alignment) ?? least
      let byteCount = try source.decompressedByteCount(limit: most)
      guard byteCount >= least else {
        throw Failure(
          .badInput, "the decompressed file is too short", file: source.name, offset: byteCount,
          expected: "\(least) bytes", found: "\(byteCount)")
      }
    }
  }

  /// One tensor, with the file that holds it as a position in `files`.
  public struct Tensor: Sendable {
    public let name: ByteString
    public let type: TensorType
    public let file: Int
    /// - Units: bytes from the start of that file.
    public let offset: Int
    public let byteCount: Int
  }

  /// As the user gave it.
  public let path: String
  public let format: Format.Name
  public let files: [File]
  /// The tensors of the first file in its order, then those of the second, and so on.
  public let tensors: [Tensor]
  /// The metadata of all files; where files differ, the first that has a key.
  public let metadata: Metadata
  /// The folder with config and tokenizer; nil for a lone file.
  public let folder: Folder?
  /// The model's `config.json`.
  public let config: JSON?
  public let notes: [String]

  private let positions: [ByteString: Int]

  /// Joins files whose names do not repeat.
  ///
  /// - Throws: `badInput` when two files hold tensors of the same name.
  init(
    path: String, files: [File], folder: Folder?, config: JSON?, metadata: Metadata? = nil
  ) throws(Failure) {
    let tensors = files.enumerated().flatMap { $1.tensors(number: $0) }
    var positions = [ByteString: Int](minimumCapacity: 2 * tensors.count)
    for (position, tensor) in tensors.enumerated() {
      if let other = positions.updateValue(position, forKey: tensor.name) {
        throw Checkpoint.repeated(tensor, files, other: tensors[other].file)
      }
    }
    self.init(
      path: path, files: files, tensors: tensors, positions: positions, folder: folder,
      config: config, metadata: metadata)
  }

  /// - Parameter tensors: those of all files.
  /// - Parameter positions: each of them, by name.
  init(
    path: String, files: [File], tensors: [Tensor], positions: [ByteString: Int],
    folder: Folder?, config: JSON?, metadata: Metadata? = nil
  ) {
    self.path = path
    self.files = files
    self.tensors = tensors
    self.positions = positions
    self.folder = folder
    self.config = config
    format = files[0].manifest.format
    var joined = Metadata()
    for file in files {
      for item in file.manifest.metadata.items { joined.append(item.key, item.value) }
    }
    self.metadata = metadata ?? joined
    notes = files.flatMap { file in
      file.manifest.notes.map { "\(file.source.name): \($0)" }
    }
  }

  /// An error about a tensor whose name is in another file as well.
  static func repeated(_ tensor: Tensor, _ files: [File], other: Int) -> Failure {
    Failure(
      .badInput, "two files hold a tensor of this name", file: files[tensor.file].source.name,
      subject: .tensor(tensor.name), expected: "one",
      found: "another in \(files[other].source.name)")
  }

  public subscript(name: ByteString) -> Tensor? { position(of: name).map { tensors[$0] } }

  /// The position of a tensor in `tensors`.
  public func position(of name: ByteString) -> Int? { positions[name] }

  /// - Units: bytes of all tensors; saturates.
  public var payloadByteCount: Int {
    tensors.reduce(0) { sum, tensor in
      let (total, overflow) = sum.addingReportingOverflow(tensor.byteCount)
      return overflow ? .max : total
    }
  }

  /// The number of elements of all tensors; saturates.
  public var parameterCount: Int {
    tensors.reduce(0) { sum, tensor in
      let (total, overflow) = sum.addingReportingOverflow(tensor.type.shape.elementCount ?? .max)
      return overflow ? .max : total
    }
  }

  /// Checks that no file has changed since it was opened.
  ///
  /// - Throws: `inputOutput`.
  public func checkUnchanged() throws(Failure) {
    for file in files { try (file.source as? InputFile)?.checkUnchanged() }
  }
}
