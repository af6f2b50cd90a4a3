import ByteIO
import TensorTypes

extension Checkpoint {
  /// What transformers and sentence-transformers read beside config and weights.
  public static let smallFiles = [
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja",
    "generation_config.json", "modules.json", "sentence_bert_config.json",
    pooling,
  ]

  /// How sentence encoders put tokens together.
  public static let pooling = "1_Pooling/config.json"

  /// Refuses an output that would replace what the checkpoint is made of. Other files that stand in
  /// its folder may be replaced.
  ///
  /// - Parameter other: what else is read.
  /// - Throws: `cannotCreate`.
  public func checkIsNoInput(_ output: String, beside other: String? = nil) throws(Failure) {
    var inputs = [path, other].compactMap(\.self) + files.map(\.source.name)
    if let folder {
      let small = ["config.json"] + Checkpoint.smallFiles
      let others = folder.names.filter {
        $0.hasSuffix(".safetensors.index.json") || $0.hasPrefix("quant_model_description")
      }
      inputs += (small + others).map(folder.path(of:))
    }
    guard let input = inputs.first(where: { isSameFile(output, $0) }) else { return }
    throw Failure(
      .cannotCreate, "the output is the input", file: output, expected: "another path",
      found: input)
  }
}
