import ByteIO
import TensorTypes

/// A weight file format: how to know it, read its header and write one.
public struct Format: Sendable {
  public enum Name: String, Sendable, Hashable, CaseIterable {
    case safetensors, gguf
  }

  public let name: Name
  /// File name endings people use; only a hint when the content says nothing.
  public let suffixes: [String]
  /// Where the layout is laid down.
  public let specification: String
  /// Whether the first bytes of a file, up to 16, are those of this format.
  public let recognises: @Sendable (_ start: [UInt8]) -> Bool
  /// Reads the header. The law: reading what `frame` made gives the same metadata and tensors.
  public let read: @Sendable (_ source: any ByteSource) throws(Failure) -> Manifest
  /// Lays out a file that holds these tensors in this order.
  public let frame:
    @Sendable (_ metadata: Metadata, _ tensors: [Declaration]) throws(Failure) -> Framing

  public static let all: [Format] = [
    Format(
      name: .safetensors, suffixes: ["safetensors"],
      specification: "safetensors 0.8.0, README and tensor.rs",
      recognises: { $0.count > 8 && $0[8] == UInt8(ascii: "{") && $0[6] == 0 && $0[7] == 0 },
      read: { (source) throws(Failure) in try readSafetensors(source) },
      frame: { (metadata, tensors) throws(Failure) in
        try frameSafetensors(metadata: metadata, tensors: tensors)
      }),
    Format(
      name: .gguf, suffixes: ["gguf"],
      specification: "ggml docs/gguf.md and src/gguf.cpp",
      recognises: { $0.starts(with: GGUF.magic) },
      read: { (source) throws(Failure) in try readGGUF(source) },
      frame: { (metadata, tensors) throws(Failure) in
        try frameGGUF(metadata: metadata, tensors: tensors)
      }),
  ]

  /// The row of a format; every name has one.
  public static subscript(name: Name) -> Format { all.first { $0.name == name }! }

  /// The format of a file: by its content, and by its suffix when it is too broken to tell.
  ///
  /// - Throws: `badInput` when neither says anything.
  public static func of(_ source: any ByteSource) throws(Failure) -> Format {
    let start = try source.bytes(at: 0, atMost: 16)
    if let format = all.first(where: { $0.recognises(start) }) { return format }
    var name = source.name[...]
    if name.hasSuffix(".zst") { name = name.dropLast(4) }
    if let format = all.first(where: { row in row.suffixes.contains { name.hasSuffix("." + $0) } })
    {
      return format
    }
    throw Failure(
      .badInput, "the file is in no known format", file: source.name, offset: 0,
      expected: "one of " + all.map(\.name.rawValue).joined(separator: ", "),
      found: start.isEmpty ? "an empty file" : "bytes \(start.prefix(8).hexadecimal)")
  }
}

extension Sequence<UInt8> {
  /// Two digits a byte, for messages: `47 47 55 46`.
  var hexadecimal: String {
    map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: " ")
  }
}
