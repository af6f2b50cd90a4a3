import ByteIO
import Support
import TensorTypes
import Testing

@testable import WeightFormats

/// Why a path cannot be opened, the folder of the test left out; nil when it can.
private func refusal(_ path: String, in folder: TemporaryFolder) -> String? {
  do throws(Failure) {
    _ = try Checkpoint.open(path)
    return nil
  } catch {
    return error.description.split(separator: folder.path + "/", omittingEmptySubsequences: false)
      .joined().split(separator: folder.path, omittingEmptySubsequences: false).joined(
        separator: "FOLDER")
  }
}

private func shard(_ names: String...) -> [UInt8] {
  let members = names.enumerated().map { entry($1, [1], 4 * $0..<4 * $0 + 4) }
  return safetensors("{\(members.joined(separator: ","))}", data: 4 * names.count)
}

private func index(_ places: String) -> String { "{\"weight_map\":{\(places)}}" }

@Suite struct ShardTests {
  private let folder = TemporaryFolder()

  @Test func theShardsOfAnIndexAreJoined() throws {
    try folder.write("a.safetensors", shard("x", "y"))
    try folder.write("b.safetensors", shard("z"))
    try folder.write("config.json", #"{"model_type":"m"}"#)
    let path = try folder.write(
      "model.safetensors.index.json",
      #"{"metadata":{"total_size":12},"weight_map":{"z":"b.safetensors","x":"a.safetensors","#
        + #""y":"a.safetensors"}}"#)
    for path in [path, folder.path] {
      let checkpoint = try Checkpoint.open(path)
      #expect(checkpoint.tensors.map(\.name) == ["x", "y", "z"])
      #expect(checkpoint.tensors.map(\.file) == [0, 0, 1])
      #expect(checkpoint["z"]?.file == 1 && checkpoint["w"] == nil)
      #expect(checkpoint.payloadByteCount == 12 && checkpoint.parameterCount == 3)
      #expect(checkpoint.config?["model_type"]?.string == "m")
    }
  }

  @Test(arguments: [
    (
      #"{"metadata":{}}"#,
      "i: key 'weight_map': the key is missing (expected a map from tensors to files, found none)"
    ),
    (
      #"{"weight_map":{}}"#,
      "i: key 'weight_map': the index names no tensor (expected at least one, found none)"
    ),
    (
      #"{"weight_map":{},"weight_map":{}}"#,
      "i: key 'weight_map': at byte 17: the key comes twice (expected one map, found a second one)"
    ),
    (
      #"{"weight_map":[]}"#,
      "i: at byte 14: the JSON text is malformed (expected '{', found '[')"
    ),
    (
      #"{"weight_map":{"x":1}}"#,
      "i: tensor 'x': at byte 19: the JSON text is malformed (expected a file name, found '1')"
    ),
    (
      #"{"weight_map":{"x":"s","\u0078":"s"}}"#,
      "i: tensor 'x': at byte 23: the name comes twice (expected one entry, found a second one)"
    ),
    (
      #"{"weight_map":{"x":"a"}"#,
      "i: at byte 23: the JSON text is malformed (expected ',' or '}', found the end of the text)"
    ),
    (
      #"{"weight_map":{"x":"../x"}}"#,
      "i: tensor 'x': at byte 19: the shard is not a plain file name (expected a file in the same folder, found '../x')"
    ),
    (
      #"{"weight_map":{"x":"/etc/passwd"}}"#,
      "i: tensor 'x': at byte 19: the shard is not a plain file name (expected a file in the same folder, found '/etc/passwd')"
    ),
    (
      #"{"weight_map":{"x":".."}}"#,
      "i: tensor 'x': at byte 19: the shard is not a plain file name (expected a file in the same folder, found '..')"
    ),
    (
      #"{"weight_map":{"x":"a\\b"}}"#,
      "i: tensor 'x': at byte 19: the shard is not a plain file name (expected a file in the same folder, found 'a\\b')"
    ),
    (
      #"{"weight_map":{"x":"a\u0000b"}}"#,
      "i: tensor 'x': at byte 19: the shard is not a plain file name (expected a file in the same folder, found 'a\\u{0}b')"
    ),
    (
      #"{"weight_map":{"x":""}}"#,
      "i: tensor 'x': at byte 19: the shard is not a plain file name (expected a file in the same folder, found '')"
    ),
    (
      #"{"weight_map":{"x":"s","y":"gone","z":"gone"}}"#,
      "gone: a shard that holds 2 tensors of the index cannot be opened (expected a file, as i says, found cannot open the file: No such file or directory)"
    ),
    (
      #"{"weight_map":{"x":"s","y":"s","z":"s"}}"#,
      "i: tensor 'z': at byte 31: a tensor of the index is in no shard (expected in s, found nowhere)"
    ),
    (
      #"{"weight_map":{"x":"s"}}"#,
      "i: tensor 'y': the index and the shards disagree (expected not there, found in s)"
    ),
    (
      #"{"weight_map":{"x":"s","y":"t"}}"#,
      "i: tensor 'y': at byte 23: the index and the shards disagree (expected in t, found in s)"
    ),
    (
      #"{"weight_map":{"x":"g"}}"#,
      "g: a shard is in another format (expected safetensors, found gguf)"
    ),
    (
      #"{"weight_map":{"x":"i"}}"#,
      "i: at byte 0: the file is in no known format (expected one of safetensors, gguf, found bytes 7B 22 77 65 69 67 68 74)"
    ),
  ])
  func aWrongIndexIsRefused(_ text: String, _ error: String) throws {
    try folder.write("s", shard("x", "y"))
    try folder.write("t", shard("t"))
    try folder.write("g", GGUFBytes().header(tensors: 1).tensor("x", [1]).padded().zeros(4).bytes)
    let found = refusal(try folder.write("i", text), in: folder)
    #expect(found == error)
  }

  @Test func theSameNameInTwoFilesIsRefused() throws {
    try folder.write("a.safetensors", shard("x"))
    try folder.write("b.safetensors", shard("y", "x"))
    #expect(
      refusal(folder.path, in: folder)
        == "b.safetensors: tensor 'x': two files hold a tensor of this name (expected one, "
        + "found another in a.safetensors)")
  }

  @Test(
    arguments: [
      ([1, 2, 3], nil),
      (
        [1, 3],
        "a shard is missing (expected 3 files, as their names say, found no 'model-00002-of-00003.safetensors')"
      ),
      (
        [2, 3],
        "a shard is missing (expected 3 files, as their names say, found no 'model-00001-of-00003.safetensors')"
      ),
      (
        [1, 2, 3, 4],
        "the folder holds several models; give the file you want (expected 3 files, as their names say, found 4)"
      ),
    ] as [([Int], String?)])
  func aFolderWithoutIndexHoldsWholeSets(_ numbers: [Int], _ error: String?) throws {
    for number in numbers {
      try folder.write(
        "model-\(fiveDigits(number))-of-00003.safetensors", shard("\(number)"))
    }
    #expect(refusal(folder.path, in: folder) == error.map { "FOLDER: " + $0 })
  }

  @Test func twoIndexesAreRefusedUnlessOneIsTheModel() throws {
    try folder.write("s.safetensors", shard("x"))
    try folder.write("a.safetensors.index.json", index(#""x":"s.safetensors""#))
    try folder.write("b.safetensors.index.json", index(#""x":"s.safetensors""#))
    #expect(refusal(folder.path, in: folder)?.contains("several indexes") == true)
    try folder.write("model.safetensors.index.json", index(#""x":"s.safetensors""#))
    #expect(refusal(folder.path, in: folder) == nil)
  }

  /// The first failure by position is reported, whichever thread meets one first.
  @Test func errorsDoNotDependOnThreads() throws {
    let names = (1...16).map { "\(fiveDigits($0)).safetensors" }
    for name in names { try folder.write(name, name < "00007" ? shard(name) : [1, 2, 3]) }
    for _ in 0..<20 {
      #expect(refusal(folder.path, in: folder)?.hasPrefix("00007.safetensors: at byte 0") == true)
    }
  }
}

@Suite struct SplitGGUFTests {
  private let folder = TemporaryFolder()

  private func part(_ number: UInt16?, of count: UInt16, total: Int32? = 2, _ name: String)
    -> [UInt8]
  {
    let items = 1 + (number == nil ? 0 : 1) + (total == nil ? 0 : 1)
    var file = GGUFBytes().header(tensors: 1, items: UInt64(items))
      .key("split.count", type: 2).integer(count)
    if let number { file = file.key("split.no", type: 2).integer(number) }
    if let total { file = file.key("split.tensors.count", type: 5).integer(total) }
    return file.tensor(name, [1]).padded().zeros(4).bytes
  }

  @Test func thePartsAreJoined() throws {
    let path = try folder.write("m-00001-of-00002.gguf", part(0, of: 2, "x"))
    try folder.write("m-00002-of-00002.gguf", part(1, of: 2, "y"))
    for path in [path, folder.path] {
      let checkpoint = try Checkpoint.open(path)
      #expect(checkpoint.tensors.map(\.name) == ["x", "y"])
      #expect(checkpoint.metadata.items.isEmpty)
    }
    #expect(try Checkpoint.open(folder.path + "/m-00002-of-00002.gguf").tensors.count == 1)
  }

  @Test func aPartMustBeWhatTheOthersSay() throws {
    let first = "m-00001-of-00002.gguf"
    let second = "m-00002-of-00002.gguf"
    let cases: [([(String, [UInt8])], String)] = [
      (
        [(first, part(0, of: 2, "x"))],
        "\(second): cannot open the file: No such file or directory"
      ),
      (
        [(first, part(0, of: 2, "x")), (second, part(0, of: 2, "y"))],
        "\(second): the file is not the part its name says (expected part 1 of 2, counted from 0, "
          + "found part 0 of 2)"
      ),
      (
        [(first, part(0, of: 2, "x")), (second, part(1, of: 3, "y"))],
        "\(second): the file is not the part its name says (expected part 1 of 2, counted from 0, "
          + "found part 1 of 3)"
      ),
      (
        [(first, part(0, of: 2, "x")), (second, shard("y"))],
        "\(second): the file is not the part its name says (expected part 1 of 2, counted from 0, "
          + "found a file that is not split)"
      ),
      (
        [(first, part(0, of: 2, "x")), (second, part(1, of: 2, "x"))],
        "\(second): tensor 'x': two files hold a tensor of this name (expected one, found another "
          + "in \(first))"
      ),
      (
        [(first, part(0, of: 2, total: 3, "x")), (second, part(1, of: 2, "y"))],
        "\(first): key 'split.tensors.count': the parts hold another number of tensors than the "
          + "first says (expected 3, found 2)"
      ),
      (
        [(first, part(0, of: 2, total: -1, "x"))],
        "\(first): key 'split.tensors.count': the number of tensors is not usable (expected a "
          + "whole number, found -1)"
      ),
      (
        [(first, part(nil, of: 2, "x"))],
        "\(first): key 'split.no': the number of the part is missing or too large (expected 0 to "
          + "1, found none)"
      ),
      (
        [(first, part(2, of: 2, "x"))],
        "\(first): key 'split.no': the number of the part is missing or too large (expected 0 to "
          + "1, found 2)"
      ),
      (
        [("x.gguf", part(0, of: 2, "x"))],
        "x.gguf: the part is not named as its metadata says (expected a name ending in "
          + "-00001-of-00002.gguf, found another)"
      ),
    ]
    for (files, error) in cases {
      let folder = TemporaryFolder()
      for (name, bytes) in files { try folder.write(name, bytes) }
      #expect(refusal(folder.path + "/" + files[0].0, in: folder) == error)
    }
  }

  @Test func aFolderWithoutTheFirstPartIsRefused() throws {
    try folder.write("m-00002-of-00002.gguf", part(1, of: 2, "y"))
    #expect(
      refusal(folder.path, in: folder)
        == "FOLDER: the first part is missing (expected a name ending in -00001-of-00002.gguf, "
        + "found 'm-00002-of-00002.gguf' and later)")
  }

  @Test func aFileThatIsNotSplitMayHaveACountOfZero() throws {
    let path = try folder.write("x.gguf", part(0, of: 0, "x"))
    #expect(try Checkpoint.open(path).tensors.count == 1)
  }
}

@Suite struct OpeningTests {
  private let folder = TemporaryFolder()

  @Test func theFormatIsFoundByContent() throws {
    let gguf = GGUFBytes().header(tensors: 1).tensor("x", [1]).padded().zeros(4).bytes
    for (name, bytes, format) in [
      ("a.gguf", shard("x"), Format.Name.safetensors), ("b.safetensors", gguf, .gguf),
      ("c.json", shard("x"), .safetensors), ("d", zstd(gguf), .gguf),
      ("e.gguf.zst", zstd(shard("x")), .safetensors), ("f.zst", shard("x"), .safetensors),
    ] {
      let checkpoint = try Checkpoint.open(try folder.write(name, bytes))
      #expect(checkpoint.format == format, "\(name)")
      #expect(checkpoint.tensors.map(\.name) == ["x"])
      #expect(checkpoint.files[0].isCompressed == (name == "d" || name == "e.gguf.zst"))
    }
  }

  @Test func whatCannotBeToldIsReadAsItsSuffixSays() throws {
    let path = try folder.write("m.safetensors", safetensors(" {}"))
    #expect(
      refusal(path, in: folder)
        == "m.safetensors: at byte 8: the header does not begin with '{' (expected byte 0x7B, "
        + "found byte 0x20)")
    #expect(
      refusal(try folder.write("m.bin", safetensors(" {}")), in: folder)
        == "m.bin: at byte 0: the file is in no known format (expected one of safetensors, gguf, "
        + "found bytes 03 00 00 00 00 00 00 00)")
    #expect(
      refusal(try folder.write("empty", []), in: folder)
        == "empty: at byte 0: the file is in no known format (expected one of safetensors, gguf, "
        + "found an empty file)")
  }

  @Test func whatIsNoFileIsMissing() throws {
    #expect(
      refusal(folder.path + "/none", in: folder)
        == "none: cannot open the file: No such file or directory")
    #expect(
      refusal(folder.path, in: folder)?.hasPrefix("FOLDER: the folder holds no weights") == true)
    #expect(
      refusal("/dev/zero", in: folder)
        == "/dev/zero: cannot read the file (expected a regular file, found a device, pipe or socket)"
    )
  }

  @Test func aCompressedFileIsCheckedToItsEnd() throws {
    let bytes = shard("x", "y")
    let whole = try Checkpoint.open(try folder.write("whole", zstd(bytes)))
    #expect(throws: Never.self) { try whole.files[0].checkComplete() }
    for (name, bytes, message) in [
      ("short", zstd(Array(bytes.dropLast())), "the decompressed file is too short"),
      ("long", zstd(bytes + [0]), "the decompressed file is too long"),
      ("bomb", zstd(bytes) + zstdBomb(blockCount: 1000), "the decompressed file is too long"),
      ("cut", Array(zstd(bytes).dropLast()), "the compressed file ends inside a frame"),
    ] {
      let file = try Checkpoint.open(try folder.write(name, bytes)).files[0]
      let failure = #expect(throws: Failure.self) { try file.checkComplete() }
      #expect(failure?.message == message)
      #expect(failure?.file == folder.path + "/" + name)
    }
  }
}
