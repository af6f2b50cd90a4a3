import Architectures
import TensorTypes

@testable import Equivalence

extension Fault {
  /// Layers of codes in each other's place, and what an AscendV1 folder says of them.
  static let coded: [Fault] = [
    Fault(
      "layers: gate and up are exchanged",
      on("qwen2 kimi", .w8a8, .mx8) + on("wide-mixtral", .w8a16, .fp8), cause: "exchanged with",
      .output { output in
        let isDense = output.has(.of(.feedForwardGate))
        output.exchangeLayers(
          isDense ? .of(.feedForwardGate) : .of(.expertGate, expert: 2),
          isDense ? .of(.feedForwardUp) : .of(.expertUp, expert: 2))
      }),
    Fault(
      "layers: one of the neighbouring layer", on("qwen2 kimi", .w8a8, .fp8Rows),
      cause: "of layer 1 instead of 0",
      .output { $0.copy(.of(.attentionOutput), from: .of(.attentionOutput, 1)) }),
    Fault(
      "layers: experts are shifted by one", on("mixtral qwen3moe kimi", .w8a8, .mx8),
      cause: "it holds 'model.layers.1.",
      .output { $0.moveLayers(.expertUp, 1, of: 4) { ($0 + 1) % 4 } }),
    Fault(
      "layers: two experts are exchanged", on("mixtral qwen3moe", .w8a8, .fp8),
      cause: "exchanged with 'model.layers.1.",
      .output { $0.moveLayers(.expertDown, 1, of: 4) { [0, 2, 1, 3][$0] } }),
    Fault(
      "layers: scales of another expert", on("mixtral kimi", .w8a8), cause: "it holds",
      .output { output in
        output[output.name(.of(.expertUp, 1, expert: 0), "weight_scale")] =
          output[output.name(.of(.expertUp, 1, expert: 3), "weight_scale")]
      }),
    Fault(
      "layers: the prediction of further tokens on a normal layer", on("deepseek", .w8a8),
      cause: "of layer 3 instead of 2",
      .output { $0.copy(.of(.attentionOutput, 2), from: .of(.attentionOutput, 3)) }),
    Fault(
      "layers: the prediction of further tokens is left out", on("deepseek", .w8a8), .structure,
      of: .key("model.layers.3.eh_proj.weight"), cause: nil,
      .output { $0.tensors.removeAll { $0.name.layerNumber == 3 } }),
    Fault(
      "layers: scales are left out", on("qwen2 kimi", .w8a8, .mx8), .structure,
      cause: nil,
      .output { $0.remove($0.name(.of(.attentionOutput), "weight_scale")) }),
    Fault(
      "layers: codes without sign", on("qwen2 kimi", .w8a8), .structure, cause: nil,
      .output { $0.retype($0.name(.of(.attentionOutput))) { $0.with(encoding: .plain(.u8)) } }),
    Fault(
      "layers: deq_scale in F32 for an F16 model", on("qwen2-untied-f16", .fixed), .structure,
      cause: nil,
      .output { output in
        output.retype(output.name(.of(.attentionKey), "deq_scale")) { $0.with(encoding: .f32) }
      }),
    Fault(
      "layers: a layer is left out", on("qwen2 mixtral", .w8a8, .mx8), .structure,
      cause: "layer 1 is missing as a whole",
      .output { $0.tensors.removeAll { $0.name.layerNumber == 1 } }),
    Fault(
      "description: an entry is missing", on("qwen2 kimi", .w8a8, .mx8), .structure,
      of: .entry(.of(.attentionOutput)), cause: nil,
      .output { $0.editEntry($0.name(.of(.attentionOutput)), nil) }),
    Fault(
      "description: another type for keys than for queries", on("qwen2 mixtral", .w8a8),
      .structure, of: .entry(.of(.attentionKey)), cause: nil,
      .output { $0.editEntry($0.name(.of(.attentionKey)), "W8A16") }),
    Fault(
      "description: another type for one expert", on("mixtral kimi", .w8a8), .structure,
      of: .entry(.of(.expertUp, 1, expert: 2)), cause: nil,
      .output { $0.editEntry($0.name(.of(.expertUp, 1, expert: 2)), "W8A16") }),
    Fault(
      "description: a type with codes for a norm", on("qwen2 mixtral", .w8a8), .structure,
      of: .entry(.of(.attentionNorm)), cause: nil,
      .output { $0.editEntry($0.name(.of(.attentionNorm)), "W8A8_DYNAMIC") }),
    Fault(
      "description: an entry without a tensor", on("qwen2 kimi", .w8a8, .mx8), .structure,
      of: .key("model.layers.9.mlp.up_proj.weight"), cause: nil,
      .output { output in
        output.editFile("quant_model_description.json") { text in
          text = text.replacing(
            "\"metadata\"", with: "\"model.layers.9.mlp.up_proj.weight\": \"FLOAT\", \"metadata\"",
            maxReplacements: 1)
        }
      }),
    Fault(
      "description: no version, so that codes would not be packed", on("mixtral kimi", .w4a8),
      .structure, of: .key("version"), cause: "codes that are not packed",
      .output { $0.restate("\"version\": \"1.0.0\",", "") }),
    Fault(
      "description: groups where rows have one scale", on("mixtral kimi", .w4a8), .structure,
      of: .key("group_size"), cause: nil,
      .output { $0.restate("\"group_size\": 0", "\"group_size\": 256") }),
    Fault(
      "description: groups of another size", on("qwen2 mixtral", .mx8, .mx4), .structure,
      of: .key("group_size"), cause: nil,
      .output { $0.restate("\"group_size\": 32", "\"group_size\": 0") }),
    Fault(
      "description: the model is named by a type that it lacks", on("qwen2 kimi", .w8a8),
      .structure, of: .key("model_quant_type"), cause: nil,
      .output { output in
        output.restate(
          "\"model_quant_type\": \"W8A8_DYNAMIC\"", "\"model_quant_type\": \"W8A16\"")
      }),
    Fault(
      "config: quantization_config is left", on("kimi deepseek", .w8a8, .mx8), .structure,
      of: .key("quantization_config"), cause: "the source's key was left",
      .output { output in
        output.editFile("config.json") { text in
          text = text.replacing(
            "{", with: "{\"quantization_config\": {\"quant_method\": \"fp8\"},", maxReplacements: 1)
        }
      }),
    Fault(
      "config: blocks of another size", on("qwen2 wide-mixtral", .fp8), .structure,
      of: .key("quantization_config"), cause: "would not know the scales",
      .output { $0.editFile("config.json") { $0 = $0.replacing("128", with: "64") } }),
    Fault(
      "config: quantization_config is left out", on("qwen2 wide-mixtral", .fp8), .structure,
      of: .key("quantization_config"), cause: "would not know the scales",
      .output { output in
        output.editFile("config.json") { text in
          text = text.replacing("quantization_config", with: "other_config")
        }
      }),
  ]
}
