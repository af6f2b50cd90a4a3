import Foundation
import Support
import TensorTypes
import WeightFormats

extension Scratch {
  /// The folder of a model by a short name; variants of the seeded ones are made here.
  ///
  /// - `wide-…`: eight times as wide, so that rows hold whole super-blocks.
  /// - `ties`: values of one matrix lie halfway between those of BF16.
  /// - `small`: values of one matrix are below the normal ones of F16.
  /// - `between`: values of one matrix lie halfway between codes of I8.
  /// - `deepseek-bf16`: the trained DeepSeek-V3, whose matrices do not divide into blocks of 128, by
  ///   its values.
  func model(_ name: String) throws -> String {
    let variant = "\(path)/\(name)"
    guard !FileManager.default.fileExists(atPath: variant) else { return variant }
    let changed = "model.layers.0.mlp.up_proj.weight"
    switch name {
    case "ties", "small":
      var edited = try EditedCheckpoint(seeded("llama-bias"))
      edited[floats: changed] = edited[floats: changed].map { value in
        name == "small"
          ? value * 0x1p-12 : Float(bitPattern: value.bitPattern & 0xFFFE_0000 | 0x8000)
      }
      try edited.write(variant)
    case "between":
      var edited = try EditedCheckpoint(seeded("llama-bias"))
      edited[floats: changed] = edited[floats: changed].enumerated().map { index, value in
        // The first value of each row makes the scale 1/128.
        index % 32 == 0
          ? 127 / 128 : ((value * 1000).rounded(.down).remainder(dividingBy: 60) + 0.5) / 128
      }
      try edited.write(variant)
    case "tiny-llama", "tiny-qwen2": return "\(fixtures)/models/\(name)"
    case "deepseek": return "\(fixtures)/models/tiny-deepseek-v3"
    case "deepseek-bf16":
      return try convert("\(fixtures)/models/tiny-deepseek-v3", to: "safetensors", "bf16")
    case "kimi": return "\(fixtures)/models/seeded-ascend/kimi-k2"
    case _ where name.hasPrefix("wide-"):
      var edited = try EditedCheckpoint(seeded(String(name.dropFirst(5))))
      edited.widen()
      try edited.write(variant)
    default: return seeded(name)
    }
    return variant
  }
}

extension EditedCheckpoint {
  /// Makes vectors eight times as long and fills them with other numbers, in BF16.
  fileprivate mutating func widen() {
    for key in ["hidden_size", "intermediate_size", "moe_intermediate_size", "head_dim"] {
      editConfig(key) { "\((Int($0) ?? 0) * 8)" }
    }
    var random = SeededGenerator(seed: 11)
    for position in tensors.indices {
      let axes = tensors[position].type.shape.axes.map {
        $0 > 200 || $0 == 4 ? $0 : $0 * 8  // neither tokens nor experts
      }
      let isNorm = tensors[position].name.text.contains("norm")
      tensors[position].type = TensorType(shape: Shape(axes), encoding: .bf16)
      tensors[position].bytes = (0..<axes.reduce(1, *)).flatMap { _ in
        let sum = (0..<4).reduce(-2) { sum, _ in
          sum + Float(random.next() >> 40) * 0x1p-24
        }
        let value = isNorm ? 1 + sum / 8 : sum / 16
        return [UInt8(value.bitPattern >> 16 & 0xFF), UInt8(value.bitPattern >> 24)]
      }
    }
  }
}
