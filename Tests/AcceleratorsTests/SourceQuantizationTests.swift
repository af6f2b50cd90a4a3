import ByteIO
import Support
import TensorTypes
import Testing

@testable import Accelerators
@testable import WeightFormats

/// Which tensors of a checkpoint are codes with scales, and what is refused.
@Suite struct SourceQuantizationTests {
  private static let blocks =
    #"{"quantization_config":{"quant_method":"fp8","weight_block_size":[2,4]}}"#
  private static let channels = """
    {"quantization_config":{"quant_method":"compressed-tensors","format":"float-quantized",\
    "config_groups":{"group_0":{"weights":{"num_bits":8,"type":"float","strategy":"channel"}}}}}
    """
  private static let codes = TensorType(shape: [5, 6], encoding: .plain(.f8e4m3))

  private func checkpoint(
    _ config: String?, _ tensors: [(String, TensorType)]
  ) throws -> Checkpoint {
    var manifest = Manifest(format: .safetensors)
    var offset = 0
    for (name, type) in tensors {
      let byteCount = type.byteCount!  // the shapes are small
      manifest.tensors.append(
        Entry(name: ByteString(name), type: type, offset: offset, byteCount: byteCount))
      offset += byteCount
    }
    let file = Checkpoint.File(
      source: MemorySource(name: "memory", bytes: []), manifest: manifest, isCompressed: false)
    return try Checkpoint(
      path: "memory", files: [file], folder: nil,
      config: try config.map { try JSON(parsing: Array($0.utf8)) })
  }

  private func f32(_ axes: Int...) -> TensorType { TensorType(shape: Shape(axes), encoding: .f32) }

  @Test func edgeBlocksHaveScalesOfTheirOwn() throws {
    let source = try checkpoint(
      SourceQuantizationTests.blocks,
      [
        ("a.weight_scale_inv", f32(3, 2)), ("a.weight", SourceQuantizationTests.codes),
        ("norm.weight", f32(6)),
      ])
    let found = try #require(try SourceQuantization(of: source))
    #expect(found.scalesOfCodes == [1: .init(tensor: 0, grid: .blocks(2, 4))])
    #expect(found.scaleTensors == [0])
  }

  @Test(arguments: [
    ("[2, 4.5]", "[2, 4.5]"), ("[2]", "[2]"), ("[0, 4]", "[0, 4]"), (#"["2", 4]"#, "['2', 4]"),
    ("128", "128"),
  ])
  func blocksHaveTwoLengths(_ size: String, _ found: String) throws {
    let config = SourceQuantizationTests.blocks.replacing("[2,4]", with: size)
    let source = try checkpoint(config, [("a.weight", SourceQuantizationTests.codes)])
    let failure = #expect(throws: Failure.self) { try SourceQuantization(of: source) }
    #expect(failure?.subject == .key("weight_block_size"))
    #expect(failure?.found == found)
  }

  @Test(arguments: [[5, 1], [5]])
  func channelsMayLackTheirLastAxis(_ axes: [Int]) throws {
    let source = try checkpoint(
      SourceQuantizationTests.channels,
      [
        ("a.weight", SourceQuantizationTests.codes), ("a.input_scale", f32(1)),
        ("a.weight_scale", TensorType(shape: Shape(axes), encoding: .bf16)),
      ])
    let found = try #require(try SourceQuantization(of: source))
    #expect(found.scalesOfCodes == [0: .init(tensor: 2, grid: .channel)])
    #expect(found.unused == [1])
  }

  @Test func otherCheckpointsAreNotQuantized() throws {
    #expect(try SourceQuantization(of: checkpoint("{}", [("a.weight", f32(2, 2))])) == nil)
  }

  /// What is refused: the config, the tensors besides `a.weight`, and what the message must say.
  static let refusals: [(config: String?, others: [(String, TensorType)], message: String)] = [
    (blocks, [], "the codes have no scales"),
    (
      blocks, [("a.weight_scale_inv", TensorType(shape: [3, 3], encoding: .f32))],
      "the scales do not fit the codes"
    ),
    (
      blocks,
      [
        ("a.weight_scale_inv", TensorType(shape: [3, 2], encoding: .f32)),
        ("a.weight_scale", TensorType(shape: [3, 2], encoding: .f32)),
      ], "the codes have scales twice"
    ),
    (
      blocks,
      [
        ("a.weight_scale_inv", TensorType(shape: [3, 2], encoding: .f32)),
        ("b.weight_scale_inv", TensorType(shape: [3, 2], encoding: .f32)),
      ], "the scales belong to no codes"
    ),
    (
      blocks, [("a.weight_scale_inv", TensorType(shape: [3, 2], encoding: .plain(.i32)))],
      "codes or scales are not usable"
    ),
    (
      "{}", [("a.weight_scale_inv", TensorType(shape: [3, 2], encoding: .f32))],
      "the config does not say how the codes are scaled"
    ),
    (
      #"{"quantization_config":{"quant_method":"gptq"}}"#, [],
      "the checkpoint is quantized in a way that port does not read"
    ),
    (
      #"{"quantization_config":{"quant_method":"fp8","weight_block_size":[128]}}"#, [],
      "the block size is not usable"
    ),
  ]

  @Test(arguments: refusals.indices)
  func whatDoesNotFitIsRefused(_ number: Int) throws {
    let row = SourceQuantizationTests.refusals[number]
    let source = try checkpoint(
      row.config, [("a.weight", SourceQuantizationTests.codes)] + row.others)
    let failure = #expect(throws: Failure.self) { try SourceQuantization(of: source) }
    #expect(failure?.message == row.message)
    #expect(failure?.subject != nil)
  }
}
