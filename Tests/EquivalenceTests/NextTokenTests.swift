import Accelerators
import ByteIO
import Conversion
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// Layers that predict further tokens are kept, dropped or kept without their copies, and the
/// verifier sees which.
@Suite struct NextTokenTests {
  static let embedding = "model.layers.3.embed_tokens.weight"
  static let head = "model.layers.3.shared_head.head.weight"

  struct Case: Sendable, CustomTestStringConvertible {
    let target: String
    let scheme: String?
    let choice: NextTokenChoice?

    var testDescription: String {
      "\(target) \(scheme ?? "lossless") \(choice?.rawValue ?? "as ever")"
    }
  }

  static let cases: [Case] =
    ["safetensors", "ascend-910c", "ascend-910b:mindie"].flatMap { target in
      NextTokenChoice.allCases.map { Case(target: target, scheme: nil, choice: $0) }
    } + [
      Case(target: "safetensors", scheme: "bf16", choice: .drop),
      Case(target: "safetensors", scheme: "bf16", choice: .merge),
      Case(target: "safetensors", scheme: nil, choice: nil),
    ]

  @Test(arguments: cases)
  func theVerifierSeesWhatBecameOfThem(_ c: Case) throws {
    let scratch = try Scratch()
    let source = try Checkpoint.open(AscendFolderTests.trained)
    let folder = try scratch.convert(source.path, to: c.target, c.scheme) {
      $0.nextTokens = c.choice
    }
    let converted = try Checkpoint.open(folder)
    func names(_ checkpoint: Checkpoint) -> Set<String> {
      Set(checkpoint.tensors.map(\.name.text).filter { $0.hasPrefix("model.layers.3.") })
    }
    let layer = names(converted)
    switch c.choice ?? .keep {
    case .drop: #expect(layer.isEmpty)
    case .keep:
      #expect(layer.isSuperset(of: [NextTokenTests.embedding, NextTokenTests.head]))
    case .merge:
      #expect(layer.isDisjoint(with: [NextTokenTests.embedding, NextTokenTests.head]))
      #expect(layer.contains("model.layers.3.eh_proj.weight"))
    }
    #expect(
      converted.config?["num_nextn_predict_layers"] == .integer(c.choice == .drop ? 0 : 1))
    let report = try verify(source.path, folder, VerificationRequest(level: .values, jobs: 2))
    #expect(report.verdict == .pass, report.summary)
    let notes = report.notes.filter { $0.contains("left out") }
    #expect(notes.count == [.drop: 1, .merge: 2, .keep: 0][c.choice ?? .keep], "\(notes)")
  }

  /// What is dropped must be stated, and part of a layer is no choice.
  @Test func aSilentOrPartialDropIsFound() throws {
    let scratch = try Scratch()
    let folder = try scratch.convert(AscendFolderTests.trained, to: "safetensors") {
      $0.nextTokens = .drop
    }
    let path = folder + "/config.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try text.replacing(#""num_nextn_predict_layers": 0"#, with: #""num_nextn_predict_layers": 1"#)
      .write(toFile: path, atomically: true, encoding: .utf8)
    let silent = try verify(
      AscendFolderTests.trained, folder, VerificationRequest(level: .structure, jobs: 2))
    #expect(silent.failures.map(\.subject) == [.key("num_nextn_predict_layers")])

    let name: ByteString = "model.layers.3.enorm.weight"
    let partial = try edited(scratch) { $0.name != name }
    let report = try verify(
      AscendFolderTests.trained, partial, VerificationRequest(level: .structure, jobs: 2))
    #expect(report.failures.map(\.subject) == [.tensor(name)], report.summary)
  }

  /// One bit of a copy: conversion refuses to merge, and a merged output is refuted.
  @Test func whatIsNoCopyIsNotMerged() throws {
    let scratch = try Scratch()
    let merged = try scratch.convert(AscendFolderTests.trained, to: "safetensors") {
      $0.nextTokens = .merge
    }
    let other = try edited(scratch)
    let checkpoint = try Checkpoint.open(other)
    let tensor = try #require(checkpoint[ByteString(NextTokenTests.head)])
    let file = checkpoint.files[tensor.file].source.name
    var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    bytes[tensor.offset + 1001] ^= 1
    try bytes.write(to: URL(fileURLWithPath: file))
    let failure = #expect(throws: Failure.self) {
      try scratch.convert(other, to: "ascend-910c") { $0.nextTokens = .merge }
    }
    #expect(failure?.kind == .badInput && failure?.offset == tensor.offset + 1001)
    #expect(failure?.subject == .tensor(tensor.name) && failure?.file == file)
    #expect(failure?.expected == "the bytes of 'lm_head.weight'")
    let report = try verify(other, merged, VerificationRequest(level: .values, jobs: 2))
    #expect(report.failures.map(\.subject) == [.tensor(tensor.name)], report.summary)
  }

  @Test func ggufHoldsNone() throws {
    let scratch = try Scratch()
    let failure = #expect(throws: Failure.self) {
      try scratch.convert(AscendFolderTests.trained, to: "gguf") { $0.nextTokens = .merge }
    }
    #expect(failure?.kind == .usage)
    #expect(failure?.message.contains("llama.cpp does not predict further tokens") == true)
    let file = try scratch.convert(AscendFolderTests.trained, to: "gguf") { $0.nextTokens = .drop }
    #expect(try Checkpoint.open(file).tensors.contains { $0.name.hasPrefix("blk.2.") })
  }

  @Test(arguments: NextTokenChoice.allCases)
  func aChoiceThatChangesNothingIsSaid(_ choice: NextTokenChoice) throws {
    var request = ConversionRequest(
      target: try Target.named("safetensors"), destination: "out", jobs: 1)
    request.nextTokens = choice
    let plan = try Plan(converting: Checkpoint.open("\(fixtures)/models/tiny-qwen2"), request)
    #expect(plan.warnings.contains { $0.hasPrefix("--mtp \(choice.rawValue) changes nothing") })
  }

  /// A copy of the trained model with only some of its tensors.
  private func edited(
    _ scratch: Scratch, keeping isKept: (Checkpoint.Tensor) -> Bool = { _ in true }
  ) throws -> String {
    let source = try Checkpoint.open(AscendFolderTests.trained)
    let folder = scratch.path + "/" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for name in try #require(source.folder).names where name.hasSuffix(".json") {
      guard !name.hasSuffix(".index.json") else { continue }
      try FileManager.default.copyItem(
        atPath: source.path + "/" + name, toPath: folder + "/" + name)
    }
    let kept = source.tensors.filter(isKept)
    let framing = try Format[.safetensors].frame(
      Metadata(), kept.map { Declaration(name: $0.name, type: $0.type) })
    var bytes = Data(framing.prefix)
    bytes.append(Data(count: framing.fileByteCount - bytes.count))
    for (tensor, offset) in zip(kept, framing.offsets) {
      bytes.replaceSubrange(
        offset..<offset + tensor.byteCount,
        with: try source.files[tensor.file].source.bytes(
          at: tensor.offset, count: tensor.byteCount))
    }
    try bytes.write(to: URL(fileURLWithPath: folder + "/model.safetensors"))
    return folder
  }
}
