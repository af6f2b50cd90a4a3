import ByteIO
import TensorTypes

/// All weights of a model, in one file or many, with the small files beside them.
public struct Checkpoint: Sendable {
  /// One weight file and its header.
  public struct File: Sendable {
    public let source: any ByteSource
    public let manifest: Manifest
    public let isCompressed: Bool

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
    self.path = path
    self.files = files
    self.folder = folder
    self.config = config
    format = files[0].manifest.format
    var tensors: [Tensor] = []
    var positions: [ByteString: Int] = [:]
    positions.reserveCapacity(files.reduce(0) { $0 + $1.manifest.tensors.count })
    var joined = Metadata()
    for (number, file) in files.enumerated() {
      for item in file.manifest.metadata.items { joined.append(item.key, item.value) }
      for entry in file.manifest.tensors {
        if let other = positions.updateValue(tensors.count, forKey: entry.name) {
          throw Failure(
            .badInput, "two files hold a tensor of this name", file: file.source.name,
            subject: .tensor(entry.name), expected: "one",
            found: "another in \(files[tensors[other].file].source.name)")
        }
        tensors.append(
          Tensor(
            name: entry.name, type: entry.type, file: number, offset: entry.offset,
            byteCount: entry.byteCount))
      }
    }
    self.tensors = tensors
    self.positions = positions
    self.metadata = metadata ?? joined
    notes = files.flatMap { file in
      file.manifest.notes.map { "\(file.source.name): \($0)" }
    }
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
