import Accelerators
import Architectures
import ByteIO
import GraphRewriting
import Quantization
import TensorTypes
import WeightFormats

/// Everything a conversion will do, known before the first payload byte is read.
public struct Plan: Sendable {
  /// One tensor to be written.
  public struct Tensor: Sendable {
    public let name: ByteString
    public let type: TensorType
    public let role: RoleInstance?
    /// Its position among the outputs of `graph`.
    public let output: Int
    /// Its node in `graph`.
    public let node: NodeID
    public let pieces: [Piece]
    /// nil where it is quantized without.
    public let importance: TensorImportance?
    /// The file it goes into, as a position in `files`.
    public let file: Int
    /// - Units: bytes from the start of that file.
    public let offset: Int
    /// - Units: bytes.
    public let byteCount: Int
  }

  /// A source tensor that should hold the same bytes as another.
  public struct Copy: Sendable, Hashable {
    public let copy: Int
    public let original: Int
  }

  /// One file to be written: framing and tensors, or given bytes.
  public struct File: Sendable {
    /// The name in the output folder, or the whole path of an output that is no folder.
    public let name: String
    public let framing: Framing
  }

  public let source: Checkpoint
  public let target: Target
  public let scheme: Scheme
  public let architecture: Architecture?
  /// After all rules, with a named output for each tensor.
  public let graph: WeightGraph
  public let firings: [Firing]
  public let tensors: [Tensor]
  public let files: [File]
  /// Files beside the weights: index, config, tokenizer.
  public let sidecars: [(name: String, bytes: [UInt8])]
  public let destination: String
  public let isFolder: Bool
  /// Source tensors that are not written, each with the reason.
  public let dropped: [(name: ByteString, reason: String)]
  /// Source tensors that are left out if they are equal byte for byte to others, as positions.
  public let copies: [Copy]
  public let warnings: [String]
  /// How the scales of blocks are chosen.
  public let search: BlockSearch
  /// Whether infinities and NaNs are quantized.
  public let allowsNonfinite: Bool
  public let memory: MemoryPlan

  /// - Units: bytes of all files together.
  public var outputByteCount: Int {
    files.reduce(0) { $0 + $1.framing.fileByteCount } + sidecars.reduce(0) { $0 + $1.bytes.count }
  }

  /// The path that opens the output as a checkpoint: its folder, or its first file.
  public var firstPath: String { isFolder ? destination : files[0].name }

  /// - Units: bytes of payload to be read and written.
  public var payloadByteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }
}

/// How much memory a conversion takes.
public struct MemoryPlan: Sendable, Hashable {
  /// Worker threads.
  public let jobs: Int
  /// - Units: elements that a worker handles at once.
  public let unitElementLimit: Int
  /// - Units: bytes of buffers of one worker.
  public let workerByteCount: Int
  /// - Units: bytes for the process and the headers.
  public let baseByteCount: Int

  /// - Units: bytes; the most the process should ever hold.
  public var peakByteCount: Int { baseByteCount + jobs * workerByteCount }
}
