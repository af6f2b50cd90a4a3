import Accelerators
import ByteIO
import Conversion
import Foundation
import Synchronization
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// Folders with weights as FRACTAL_NZ beside those as they are.
@Suite struct TileFolderTests {
  static let weight: ByteString = "model.layers.1.mlp.experts.3.up_proj.weight"

  private func convert(
    _ scratch: Scratch, _ scheme: String = "w8a8-dynamic", to target: String = "ascend-910c",
    _ change: (inout ConversionRequest) -> Void = { _ in }
  ) throws -> String {
    try scratch.convert(AscendFolderTests.trained, to: target, scheme) {
      $0.layout = .nz
      change(&$0)
    }
  }

  private func verify(
    _ folder: String, _ level: Level = .values
  ) throws -> VerificationReport {
    try Verification.run(
      source: Checkpoint.open(AscendFolderTests.trained), converted: Checkpoint.open(folder),
      VerificationRequest(level: level, jobs: 2))
  }

  @Test(arguments: ["w8a8-dynamic", "w4a8", "float"])
  func tilesAreVerified(_ scheme: String) throws {
    let scratch = try Scratch()
    let folder = try convert(scratch, scheme) { $0.shardByteLimit = 500_000 }
    let report = try verify(folder)
    #expect(report.failures.isEmpty, report.summary)
    let tiles = try Checkpoint.open(folder + "/nz")
    #expect(tiles.files.count > 1 && tiles.metadata["layout"]?.string == "FRACTAL_NZ")
    let own = report.findings.filter {
      $0.subject == .tensor(ByteString("nz/\(TileFolderTests.weight)"))
    }
    #expect(own.map(\.check) == [.tensorPresent, .shape, .encoding, .bitExact, .finite])
    let plain = try #require(try Checkpoint.open(folder)[TileFolderTests.weight])
    let tiled = try #require(tiles[TileFolderTests.weight])
    #expect(tiled.type.encoding == plain.type.encoding)
    #expect(tiles.metadata[TileFolderTests.weight]?.string?.text == "\(plain.type.shape)")
    #expect(!tiles.tensors.contains { $0.name.hasSuffix("kv_b_proj.weight") })
  }

  @Test func progressCountsThemToo() throws {
    let scratch = try Scratch()
    let folder = try convert(scratch)
    let total =
      try Checkpoint.open(folder).payloadByteCount
      + Checkpoint.open(folder + "/nz").payloadByteCount
    let done = Mutex(0)
    _ = try Verification.run(
      source: Checkpoint.open(AscendFolderTests.trained), converted: Checkpoint.open(folder),
      VerificationRequest(level: .values, jobs: 2),
      progress: { progress in
        guard case .compared(let count, total) = progress else { return }
        done.withLock { $0 += count }
      })
    #expect(done.withLock { $0 } == total)
  }

  /// The tensors as they are do not depend on what lies beside them.
  @Test func theOthersStayAsTheyAre() throws {
    let scratch = try Scratch()
    let nd = try convert(scratch) { $0.layout = .nd }
    let nz = try convert(scratch)
    #expect(Set(try Folder(path: nz).names).subtracting(try Folder(path: nd).names) == ["nz"])
    for name in try Folder(path: nd).names {
      #expect(try Folder(path: nd).bytes(of: name) == Folder(path: nz).bytes(of: name), "\(name)")
    }
  }

  @Test func mindIEHasItsNames() throws {
    let scratch = try Scratch()
    let folder = try convert(scratch, to: "ascend-910b:mindie")
    #expect(
      try Folder(path: folder + "/nz").names == ["quant_model_weight_w8a8_dynamic_nz.safetensors"])
    #expect(try verify(folder).verdict == .pass)
  }

  @Test func aFlippedCodeIsFound() throws {
    let scratch = try Scratch()
    let folder = try convert(scratch)
    try edit(folder) { bytes, tensor in bytes[tensor.offset + 77] ^= 1 }
    let report = try verify(folder)
    #expect(report.failures.map(\.subject) == [.tensor(ByteString("nz/\(TileFolderTests.weight)"))])
    #expect(report.failures.map(\.check) == [.bitExact])
  }

  static let headers: [(from: String, to: String, subject: Finding.Subject)] = [
    ("FRACTAL_NZ", "FRACTAL_ZZ", .key("nz/layout")),
    (
      "\"\(weight)\":\"[64, 160]\"", "\"\(weight)\":\"[64, 161]\"",
      .key(ByteString("nz/\(weight)"))
    ),
    (
      "\"\(weight)\":{", "\"model.layers.1.mlp.experts.9.up_proj.weight\":{",
      .tensor(ByteString("nz/\(weight)"))
    ),
  ]

  @Test(arguments: headers.indices)
  func anotherHeaderIsFound(_ number: Int) throws {
    let row = TileFolderTests.headers[number]
    let scratch = try Scratch()
    let folder = try convert(scratch)
    try edit(folder) { bytes, _ in
      let range = try #require(bytes.firstRange(of: Data(row.from.utf8)))
      bytes.replaceSubrange(range, with: Data(row.to.utf8))
    }
    let report = try verify(folder, .structure)
    #expect(report.failures.contains { $0.subject == row.subject }, report.summary)
    #expect(report.failures.count <= 2)
  }

  private func edit(_ folder: String, _ change: (inout Data, Checkpoint.Tensor) throws -> Void)
    throws
  {
    let checkpoint = try Checkpoint.open(folder + "/nz")
    let tensor = try #require(checkpoint[TileFolderTests.weight])
    let url = URL(fileURLWithPath: checkpoint.files[tensor.file].source.name)
    var bytes = try Data(contentsOf: url)
    try change(&bytes, tensor)
    try bytes.write(to: url)
  }

  @Test func whatHasNoSuchLayoutIsRefused() throws {
    let scratch = try Scratch()
    let none = #expect(throws: Failure.self) { try convert(scratch, "wfp8afp8-dynamic") }
    #expect(none?.kind == .usage && none?.message == "no layer has weights that FRACTAL_NZ is for")
    let other = #expect(throws: Failure.self) { try convert(scratch, "bf16", to: "safetensors") }
    #expect(other?.kind == .usage && other?.message == "the target 'safetensors' has one layout")
  }
}
