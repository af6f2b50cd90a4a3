import Foundation
import Testing

/// What the tool says and how it exits when something is wrong.
@Suite struct ErrorTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let arguments: [String]
    let exitCode: Int32
    /// Text that the error line must hold.
    let says: [String]
    var testDescription: String { arguments.joined(separator: " ") }
  }

  static let model = Tool.fixture("models/tiny-qwen2")

  static let usage: [Case] = [
    Case(arguments: ["convert"], exitCode: 64, says: ["source"]),
    Case(arguments: ["convert", model, "-o", "x"], exitCode: 64, says: ["--to"]),
    Case(arguments: ["convert", model, "--to", "gguf"], exitCode: 64, says: ["--output"]),
    Case(
      arguments: ["convert", model, "--to", "gguf", "-o", "x", "--jobs", "0"], exitCode: 64,
      says: ["jobs"]),
    Case(
      arguments: ["convert", model, "--to", "gguf", "-o", "x", "--memory", "1 GB"], exitCode: 64,
      says: ["--memory"]),
    Case(arguments: ["inspect", model, "--stats", "--jobs", "0"], exitCode: 64, says: ["jobs"]),
    Case(arguments: ["nothing"], exitCode: 64, says: ["nothing"]),
    Case(
      arguments: ["convert", model, "--to", "onnx", "-o", "x"], exitCode: 64,
      says: ["the target is unknown", "gguf", "safetensors", "'onnx'"]),
    Case(
      arguments: ["convert", model, "--to", "gguf", "--quantize", "q9", "-o", "x"], exitCode: 64,
      says: ["no such scheme", "q8_0", "'q9'"]),
    Case(
      arguments: ["convert", model, "--to", "gguf", "--override", "blk*", "-o", "x"], exitCode: 64,
      says: ["--override", "GLOB=SCHEME"]),
    Case(
      arguments: [
        "convert", model, "--to", "gguf", "--quantize", "q4_0", "--output-type", "lossless", "-o",
        "x",
      ], exitCode: 64, says: ["stands for no type", "--exclude", "'lossless'"]),
    Case(
      arguments: ["convert", model, "--to", "gguf", "-o", "x", "--memory", "1kB"], exitCode: 64,
      says: ["memory limit is too low", "at least"]),
    Case(
      arguments: [
        "convert", model, "--to", "gguf", "--quantize", "q4_0", "--override",
        "*attn_q.weight=mxfp4", "--search", "thorough", "-o", "x",
      ], exitCode: 64,
      says: [
        "tensor 'blk.0.attn_q.weight'", "no thorough search", "q4_0", "iq4_xs", "found mxfp4",
      ]),
    Case(
      arguments: ["convert", model, "--to", "gguf", "--search", "best", "-o", "x"], exitCode: 64,
      says: ["--search", "thorough"]),
    Case(
      arguments: ["explain", model, "--to", "gguf", "no.such.tensor"], exitCode: 64,
      says: ["tensor 'no.such.tensor'"]),
  ]

  @Test(arguments: usage)
  func wrongUsage(_ c: Case) throws {
    let result = try Tool.run(c.arguments)
    #expect(result.exitCode == c.exitCode)
    #expect(result.output == "")
    #expect(result.errors.hasPrefix("error: "))
    for text in c.says { #expect(result.errors.contains(text), "\(result.errors)") }
  }

  @Test func missingInput() throws {
    let result = try Tool.run("inspect", "/no/such/file", "--json")
    #expect(result.exitCode == 66)
    #expect(
      result.errors == "error: /no/such/file: cannot open the file: No such file or directory\n")
    let error = try #require(try result.json()["error"] as? [String: Any])
    #expect(error["file"] as? String == "/no/such/file")
  }

  @Test func badInputNamesTensorByteExpectedAndFound() throws {
    let scratch = try Scratch()
    let header = #"{"w\u001b":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}    "#
    var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    bytes += Data(header.utf8) + Data(count: 4)
    try bytes.write(to: scratch.url.appendingPathComponent("m.safetensors"))
    let path = scratch.path("m.safetensors")
    let result = try Tool.run("inspect", path, "--json")
    #expect(result.exitCode == 65)
    #expect(
      result.errors
        == "error: \(path): tensor 'w\\u{1b}': at byte 9: data_offsets do not fit dtype and shape "
        + "(expected 8 bytes for F32[2], found [0, 4])\n")
    let error = try #require(try result.json()["error"] as? [String: Any])
    #expect(error["tensor"] as? String == "w\u{1b}")
    #expect(error["offset"] as? Int == 9)
    #expect(error["expected"] as? String == "8 bytes for F32[2]")
    #expect(error["found"] as? String == "[0, 4]")
  }

  @Test func unknownArchitectureSaysWhatStillWorks() throws {
    let scratch = try Scratch()
    try FileManager.default.copyItem(
      atPath: Tool.fixture("models/seeded/gpt2/model.safetensors"),
      toPath: scratch.path("model.safetensors"))
    try #"{"architectures": ["NewForCausalLM"]}"#.write(
      toFile: scratch.path("config.json"), atomically: true, encoding: .utf8)
    let result = try Tool.run(
      "convert", scratch.url.path, "--to", "gguf", "-o", scratch.path("m.gguf"))
    #expect(result.exitCode == 65)
    for text in ["'NewForCausalLM'", "LlamaForCausalLM", "inspect", "--to safetensors"] {
      #expect(result.errors.contains(text))
    }
    #expect(try Tool.run("inspect", scratch.url.path).exitCode == 0)
    let copy = try Tool.run(
      "convert", scratch.url.path, "--to", "safetensors", "-o", scratch.path("copy"))
    #expect(copy.exitCode == 0)
    #expect(try scratch.names == ["config.json", "copy", "model.safetensors"])
  }

  @Test func missingConfigKeyIsNamed() throws {
    let scratch = try Scratch()
    for name in ["model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
      try FileManager.default.copyItem(
        atPath: Tool.fixture("models/tiny-qwen2/\(name)"), toPath: scratch.path(name))
    }
    try #"{"architectures": ["Qwen2ForCausalLM"], "num_hidden_layers": 3}"#.write(
      toFile: scratch.path("config.json"), atomically: true, encoding: .utf8)
    let result = try Tool.run(
      "convert", scratch.url.path, "--to", "gguf", "-o", scratch.path("m.gguf"))
    #expect(result.exitCode == 65)
    #expect(result.errors.contains("config.json: key 'num_attention_heads': the key is missing"))
    #expect(!(try scratch.names.contains("m.gguf")))
  }

  @Test func outputEqualToInputIsRefused() throws {
    let scratch = try Scratch()
    let path = scratch.path("model.safetensors")
    try FileManager.default.copyItem(
      atPath: Tool.fixture("models/tiny-qwen2/model.safetensors"), toPath: path)
    let before = try scratch.data("model.safetensors")
    for output in [path, scratch.url.path + "/./model.safetensors"] {
      let result = try Tool.run("convert", path, "--to", "safetensors", "-o", output, "--force")
      #expect(result.exitCode == 73)
      #expect(result.errors.contains("the output is the input"))
    }
    #expect(try scratch.data("model.safetensors") == before)
    #expect(try scratch.names == ["model.safetensors"])
  }

  @Test func smallFilesAndVerifiedFilesAreInputsToo() throws {
    let scratch = try Scratch()
    let model = scratch.path("model")
    try FileManager.default.copyItem(atPath: ErrorTests.model, toPath: model)
    for name in ["config.json", "tokenizer.json"] {
      let path = "\(model)/\(name)"
      let result = try Tool.run("convert", model, "--to", "gguf", "-o", path, "--force")
      #expect(result.exitCode == 73)
      #expect(result.errors.contains("the output is the input"))
      for option in ["--json", "--junit", "--html"] {
        #expect(try Tool.run("verify", model, model, option, path).exitCode == 73)
      }
      let before = "\(ErrorTests.model)/\(name)"
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: before))
    }
    let inside = "\(model)/m.gguf"
    #expect(try Tool.run("convert", model, "--to", "gguf", "-o", inside).exitCode == 0)
    #expect(try Tool.run("verify", model, inside, "--json", inside).exitCode == 73)
  }

  @Test(arguments: [["list", "types"], ["list", "types", "--json"], ["--help"]])
  func aStreamThatTakesNothingIsAnError(_ arguments: [String]) throws {
    let scratch = try Scratch()
    try Data().write(to: scratch.url.appendingPathComponent("err"))
    let process = Tool.process(arguments)
    // Open for reading alone.
    process.standardOutput = FileHandle(forReadingAtPath: "/dev/null")
    process.standardError = FileHandle(forWritingAtPath: scratch.path("err"))
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 74)
    #expect(try scratch.text("err").hasPrefix("error: cannot write to standard output: "))
  }

  @Test func outputThatCannotBeCreated() throws {
    let result = try Tool.run(
      "convert", ErrorTests.model, "--to", "gguf", "-o", "/no/such/folder/m.gguf")
    #expect(result.exitCode == 73)
    #expect(result.errors.contains("/no/such/folder"))
  }
}
