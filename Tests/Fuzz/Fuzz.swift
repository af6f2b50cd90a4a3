import ByteIO
import TensorTypes
import WeightFormats

@testable import Tokenizers

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A parser under test: it reads any bytes or throws, and what it says must hold.
///
/// A trap, a sanitizer's report, a hang and memory beyond the limit are findings; so is a broken
/// `precondition` here.
struct FuzzTarget: Sendable {
  let name: String
  let run: @Sendable (_ bytes: [UInt8]) throws(Failure) -> Void

  static let all: [FuzzTarget] =
    Format.all.map { format in
      FuzzTarget(name: format.name.rawValue) { (bytes) throws(Failure) in
        try check(format, bytes)
      }
    } + [
      FuzzTarget(name: "index") { (bytes) throws(Failure) in
        let index = try SafetensorsIndex(parsing: bytes, file: "f")
        precondition(index.places.allSatisfy { index.shards.indices.contains($0.shard) })
        precondition(index.shards.allSatisfy { !$0.utf8.contains(UInt8(ascii: "/")) })
      },
      FuzzTarget(name: "json") { (bytes) throws(Failure) in
        _ = try JSON(parsing: bytes, file: "f")
        // What the tree holds, the scanner reads too.
        var scanner = JSONScanner(bytes, file: "f")
        try scanner.skipValue()
        try scanner.end()
      },
      FuzzTarget(name: "zstd") { (bytes) throws(Failure) in
        let source = try ZstdSource(MemorySource(name: "f", bytes: bytes))
        let count = try source.decompressedByteCount(limit: 1 << 18)
        let kept = try source.bytes(at: 0, atMost: 1 << 18)
        precondition(kept.count == count)
      },
      FuzzTarget(name: "sentencepiece") { (bytes) throws(Failure) in
        _ = try SentencePieceModel(parsing: bytes, file: "f")
      },
    ]

  /// The target that the environment names.
  static let chosen = getenv("PORT_FUZZ_TARGET").flatMap { name in
    all.first { $0.name == String(cString: name) }
  }
}

/// Every tensor lies inside the file, and what can be written reads back as the same.
private func check(_ format: Format, _ bytes: [UInt8]) throws(Failure) {
  let manifest = try format.read(MemorySource(name: "f", bytes: bytes))
  for entry in manifest.tensors {
    precondition(entry.offset >= 0 && entry.byteCount == entry.type.byteCount)
    precondition(entry.offset + entry.byteCount <= bytes.count)
  }
  let framing: Framing
  do throws(Failure) {
    framing = try format.frame(
      manifest.metadata, manifest.tensors.map { Declaration(name: $0.name, type: $0.type) })
  } catch {
    precondition(error.kind == .usage)
    return
  }
  guard framing.fileByteCount < 1 << 22 else { return }
  let padding = [UInt8](repeating: 0, count: framing.fileByteCount - framing.prefix.count)
  let again = try! format.read(MemorySource(name: "g", bytes: framing.prefix + padding))  // the law
  precondition(again.tensors.map(\.name) == manifest.tensors.map(\.name))
  precondition(again.tensors.map(\.type) == manifest.tensors.map(\.type))
  precondition(again.metadata.items.count == manifest.metadata.items.count)
}

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer, _: UnsafeMutableRawPointer) -> CInt {
  if FuzzTarget.chosen == nil {
    for target in FuzzTarget.all { print(target.name) }
    exit(0)
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  do throws(Failure) {
    try FuzzTarget.chosen?.run(bytes)
  } catch {
    precondition(error.kind == .badInput && error.file == "f", "\(error)")
    precondition(error.offset != nil || error.subject != nil || error.expected != nil, "\(error)")
  }
  return 0
}
