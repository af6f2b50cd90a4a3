import Foundation
import Testing

/// `port convert`, end to end.
@Suite struct ConvertTests {
  static let model = Tool.fixture("models/tiny-qwen2")

  @Test func existingOutputNeedsForce() throws {
    let scratch = try Scratch()
    let output = scratch.path("m.gguf")
    try Data("precious".utf8).write(to: scratch.url.appendingPathComponent("m.gguf"))
    let refused = try Tool.run("convert", ConvertTests.model, "--to", "gguf", "-o", output)
    #expect(refused.exitCode == 73)
    #expect(refused.errors.contains("--force"))
    #expect(try scratch.text("m.gguf") == "precious")
    let forced = try Tool.run(
      "convert", ConvertTests.model, "--to", "gguf", "-o", output, "--force")
    #expect(forced.exitCode == 0)
    #expect(forced.output.hasPrefix("wrote \(output): gguf lossless, 38 tensors, "))
    #expect(try scratch.data("m.gguf").prefix(4) == Data("GGUF".utf8))
    #expect(try scratch.names == ["m.gguf"])
  }

  @Test func bytesDoNotDependOnJobsAndMemory() throws {
    let scratch = try Scratch()
    for (name, options) in [("a", ["--jobs", "1"]), ("b", ["--jobs", "4", "--memory", "40MiB"])] {
      let result = try Tool.run(
        [
          "convert", ConvertTests.model, "--to", "gguf", "--quantize", "q8_0", "-o",
          scratch.path(name),
        ] + options)
      #expect(result.exitCode == 0, "\(result.errors)")
    }
    #expect(try scratch.data("a") == scratch.data("b"))
  }

  @Test func thoroughSearchGivesTheSameBytesWithAnyJobsAndVerifies() throws {
    let scratch = try Scratch()
    func convert(_ name: String, _ options: String...) throws -> Data {
      let result = try Tool.run(
        [
          "convert", ConvertTests.model, "--to", "gguf", "--quantize", "q4_k_m", "-o",
          scratch.path(name),
        ] + options)
      #expect(result.exitCode == 0, "\(result.errors)\(result.output)")
      return try scratch.data(name)
    }
    let reference = try convert("r")
    let thorough = try convert("a", "--search", "thorough", "--jobs", "1", "--verify")
    #expect(try convert("b", "--search", "thorough", "--jobs", "4") == thorough)
    #expect(thorough.count == reference.count)
    #expect(thorough != reference)
  }

  @Test func planWritesNothingAndSaysTheSize() throws {
    let scratch = try Scratch()
    let output = scratch.path("m.gguf")
    let arguments = [
      "convert", ConvertTests.model, "--to", "gguf", "--quantize", "f16", "-o", output,
    ]
    let plan = try Tool.run(arguments + ["--plan", "--json"]).json()
    #expect(try scratch.names == [])
    #expect(try Tool.run(arguments).exitCode == 0)
    #expect(try scratch.data("m.gguf").count == plan["write_bytes"] as? Int)
    #expect(plan["schema"] as? String == "port.plan/1")
    #expect((plan["tensors"] as? [Any])?.count == 38)
    #expect(try Tool.run(arguments + ["--plan"]).output.contains("memory        at most "))
  }

  @Test func schemeNamesIgnoreCaseAndDashes() throws {
    let scratch = try Scratch()
    for (name, scheme) in [("a", "Q8_0"), ("b", "q8-0")] {
      #expect(
        try Tool.run(
          "convert", ConvertTests.model, "--to", "GGUF", "--quantize", scheme, "-o",
          scratch.path(name)
        ).exitCode == 0)
    }
    #expect(try scratch.data("a") == scratch.data("b"))
  }

  @Test func theLastOverrideThatMatchesWins() throws {
    let plan = try Tool.run(
      "convert", ConvertTests.model, "--to", "gguf", "--quantize", "q8_0", "--plan", "--json",
      "--override", "*=f16", "--override", "*attn_v.weight=f32", "--exclude", "blk.1.attn_k.weight"
    ).json()
    let tensors = try #require(plan["tensors"] as? [[String: Any]])
    func dtype(_ name: String) -> String? {
      tensors.first { $0["name"] as? String == name }?["dtype"] as? String
    }
    #expect(dtype("blk.0.attn_q.weight") == "F16")
    #expect(dtype("blk.0.attn_v.weight") == "F32")
    #expect(dtype("blk.1.attn_k.weight") == "F16")
  }

  @Test func progressAsJSONIsOneObjectALine() throws {
    let scratch = try Scratch()
    let result = try Tool.run(
      "convert", ConvertTests.model, "--to", "gguf", "-o", scratch.path("m"), "--progress", "json")
    let lines = result.errors.split(separator: "\n").filter { $0.hasPrefix("{") }
    let last = try #require(lines.last)
    let value = try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any]
    #expect(value?["done_bytes"] as? Int == value?["total_bytes"] as? Int)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalLeavesNothing(_ signal: Int32) throws {
    let scratch = try Scratch()
    // 400 MB of holes: long enough to be interrupted.
    let header = #"{"w":{"dtype":"F32","shape":[100000,1000],"data_offsets":[0,400000000]}}"#
    let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    let path = scratch.path("big.safetensors")
    try Data().write(to: scratch.url.appendingPathComponent("big.safetensors"))
    let file = try #require(FileHandle(forWritingAtPath: path))
    file.write(withUnsafeBytes(of: UInt64(padded.utf8.count).littleEndian) { Data($0) })
    file.write(Data(padded.utf8))
    try file.truncate(atOffset: UInt64(8 + padded.utf8.count + 400_000_000))
    let process = Tool.process([
      "convert", path, "--to", "safetensors", "--quantize", "f16", "--jobs", "1", "-o",
      scratch.path("out.safetensors"),
    ])
    process.standardError = FileHandle.nullDevice
    try process.run()
    let deadline = Date(timeIntervalSinceNow: 20)
    while try !scratch.names.contains(where: { $0.contains("partial") }), Date() < deadline {
      usleep(5000)
    }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 128 + signal)
    #expect(try scratch.names == ["big.safetensors"])
  }
}
