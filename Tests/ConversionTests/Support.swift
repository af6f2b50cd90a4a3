import ByteIO
import Foundation
import GraphRewriting
import TensorTypes

@testable import Accelerators
@testable import Conversion
@testable import WeightFormats

/// A temporary folder that is removed with the value.
final class Scratch {
  let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory.appendingPathComponent(
        "port-conversion-\(UUID().uuidString)"
      ).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  func path(_ name: String) -> String { path + "/" + name }

  /// Everything in the folder, hidden files too.
  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }

  func write(_ bytes: [UInt8], _ name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
  }
}

extension Scratch {
  /// Makes a file longer that stays the same file.
  func append(_ bytes: [UInt8], _ name: String) throws {
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path(name)))
    try file.seekToEnd()
    try file.write(contentsOf: bytes)
    try file.close()
  }

  /// A symbolic link; its whole path.
  func link(_ name: String, to target: String) throws -> String {
    try FileManager.default.createSymbolicLink(
      atPath: path(name), withDestinationPath: path(target))
    return path(name)
  }
}

/// A folder of `Fixtures`.
func fixture(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures/" + name).path
}

/// Numbers that look random and are the same for the same seed.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Tensors in memory, and where they lie in it.
struct MemoryCheckpoint {
  var format = Format.Name.safetensors
  var tensors: [(name: String, type: TensorType, bytes: [UInt8])] = []
  var byteOrder = ByteOrder.little

  /// - Parameter wrap: puts a test double around the bytes.
  func opened(_ wrap: (MemorySource) -> any ByteSource = { $0 }) throws -> Checkpoint {
    var manifest = Manifest(format: format)
    manifest.byteOrder = byteOrder
    var bytes: [UInt8] = [1, 2, 3]  // tensors begin at odd offsets
    for tensor in tensors {
      manifest.tensors.append(
        Entry(
          name: ByteString(tensor.name), type: tensor.type, offset: bytes.count,
          byteCount: tensor.bytes.count))
      bytes += tensor.bytes + [0xEE]
    }
    manifest.fileByteCount = bytes.count
    let file = Checkpoint.File(
      source: wrap(MemorySource(name: "memory", bytes: bytes)), manifest: manifest,
      isCompressed: false)
    return try Checkpoint(path: "memory", files: [file], folder: nil, config: nil)
  }
}

/// A plan that writes the outputs of a graph one after another, with gaps between them.
func plan(
  _ graph: WeightGraph, _ source: Checkpoint, to destination: String, jobs: Int,
  unitElementLimit: Int
) throws -> Plan {
  var tensors: [Plan.Tensor] = []
  var position = 16
  var pieces: [[Piece]] = []
  for output in graph.outputs { pieces.append(try graph.pieces(of: output.node)) }
  pieces.alignParts()
  for (output, pieces) in zip(graph.outputs, pieces) {
    let type = graph[output.node].type
    let byteCount = type.byteCount!  // its bytes have been computed
    tensors.append(
      Plan.Tensor(
        name: output.name, type: type, role: nil, output: tensors.count, node: output.node,
        pieces: pieces, importance: nil, file: 0, offset: position,
        byteCount: byteCount))
    position += byteCount + 5
  }
  let framing = Framing(
    prefix: Array(repeating: 7, count: 16), offsets: tensors.map(\.offset),
    fileByteCount: position)
  let sizes = WorkBuffers.Sizes(
    tensors.map(\.pieces), of: source, unitElementLimit: unitElementLimit)
  return Plan(
    source: source, target: try Target.named("safetensors"), scheme: .lossless, architecture: nil,
    graph: graph, firings: [], tensors: tensors,
    files: [Plan.File(name: destination, framing: framing)], sidecars: [],
    destination: destination, isFolder: false, dropped: [], copies: [], warnings: [],
    search: .reference, allowsNonfinite: true,
    memory: MemoryPlan(
      jobs: jobs, unitElementLimit: unitElementLimit, workerByteCount: sizes.byteCount,
      baseByteCount: 0))
}
