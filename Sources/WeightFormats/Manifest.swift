import ByteIO
import TensorTypes

/// One tensor of one file: what it is and where its bytes lie.
public struct Entry: Sendable, Hashable {
  public let name: ByteString
  public let type: TensorType
  /// - Units: bytes from the start of the file.
  public let offset: Int
  /// - Units: bytes; what `type` says, checked by the reader.
  public let byteCount: Int

  public init(name: ByteString, type: TensorType, offset: Int, byteCount: Int) {
    self.name = name
    self.type = type
    self.offset = offset
    self.byteCount = byteCount
  }
}

/// What the header of one weight file says: its metadata and its tensors, in the file's order.
public struct Manifest: Sendable {
  public let format: Format.Name
  /// The version that the file states; nil for formats without one.
  public var version: Int?
  public var byteOrder = ByteOrder.little
  public var metadata = Metadata()
  public var tensors: [Entry] = []
  /// - Units: bytes that the header says the file has.
  public var fileByteCount = 0
  /// What the offsets of tensors and the end of the file are multiples of.
  /// - Units: bytes.
  public var alignment = 1
  /// What is allowed and yet worth knowing, one sentence each.
  public var notes: [String] = []

  public init(format: Format.Name) {
    self.format = format
  }
}

/// A tensor that is to be written: a name and a type, and so a size.
public struct Declaration: Sendable, Hashable {
  public let name: ByteString
  public let type: TensorType

  public init(name: ByteString, type: TensorType) {
    self.name = name
    self.type = type
  }
}

/// Everything of a file but the payload of its tensors. The bytes between the tensors, and from the
/// last one to the end, are zero.
public struct Framing: Sendable, Hashable {
  public let prefix: [UInt8]
  /// - Units: bytes from the start of the file, one for each tensor in the order of declaration.
  public let offsets: [Int]
  /// - Units: bytes.
  public let fileByteCount: Int

  public init(prefix: [UInt8], offsets: [Int], fileByteCount: Int) {
    self.prefix = prefix
    self.offsets = offsets
    self.fileByteCount = fileByteCount
  }
}
