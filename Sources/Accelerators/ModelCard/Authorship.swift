import ByteIO
import TensorTypes

/// Who made a model, what it is called and what it derives from, as far as the model card, the
/// config and the folder's name tell.
///
/// - Parameter config: the model's `config.json`.
/// - Returns: the metadata, and what could not be read.
/// - Throws: `inputOutput` when the model card cannot be read.
/// - Source: llama.cpp `gguf-py/gguf/metadata.py`, `apply_metadata_heuristic` and
///   `set_gguf_meta_model`; `conversion/base.py`, `prepare_metadata`.
public func authorshipMetadata(
  of folder: Folder, config: JSON, parameters: ParameterCounts
) throws(Failure) -> (metadata: Metadata, warnings: [String]) {
  authorshipMetadata(
    try ModelCard(folder), folderName: folder.name, config: config, parameters: parameters)
}

/// What a model card, a config and a folder's name tell.
func authorshipMetadata(
  _ card: ModelCard, folderName: String, config: JSON, parameters: ParameterCounts
) -> (metadata: Metadata, warnings: [String]) {
  var card = card
  var names = [ModelName(folderName, parameterCount: parameters.total)]
  if let origin = config["_name_or_path"]?.string,
    origin.utf8.count(where: { $0 == UInt8(ascii: "/") }) <= 1  // else it is a path
  {
    names.insert(ModelName(origin, parameterCount: parameters.total), at: 0)
  }
  let authorship = Authorship(&card, names, parameters)
  return (authorship.metadata, card.warnings)
}

/// The fields of `general.*` about a model, in the order of GGUF.
private struct Authorship {
  private(set) var metadata = Metadata()

  init(_ card: inout ModelCard, _ names: [ModelName], _ parameters: ParameterCounts) {
    func guessed(_ field: KeyPath<ModelName, String?>) -> ByteString? {
      names.lazy.compactMap { $0[keyPath: field] }.first.map { ByteString($0) }
    }
    let title = names.first.map { ByteString(ModelName.title($0.full)) }
    append("name", card.text("name", "model_name") ?? title)
    append("author", card.text("author", "model_author", "model_creator"))
    append("version", card.text("version", "model_version") ?? guessed(\.version))
    let organization = guessed(\.organization).map { ByteString(ModelName.title($0.text)) }
    append("organization", card.text("organization", "model_organization") ?? organization)
    append("finetune", card.text("finetune", "model_finetune") ?? guessed(\.finetune))
    append(
      "basename", card.text("basename", "model_basename", "model_type") ?? guessed(\.basename))
    append("description", card.text("description", "model_description"))
    let size = parameters.total > 0 ? ByteString(parameters.sizeLabel) : nil
    append(
      "size_label", card.text("size_label", "model_size_label") ?? guessed(\.sizeLabel) ?? size)
    let licenses = card.texts("license")?.map(\.text).joined(separator: ",")
    append("license", licenses.map { ByteString($0) })
    append("license.name", card.text("license_name"))
    append("license.link", card.text("license_link"))
    append("source.url", card.text("url", "model_url"))
    append("source.doi", card.text("doi", "model_doi"))
    append("source.uuid", card.text("uuid", "model_uuid"))
    append("source.repo_url", card.text("repo_url", "model_repo_url"))
    appendOrigins(
      "base_model", ["base_model", "base_models", "base_model_sources"], card, parameters)
    appendOrigins("dataset", ["datasets", "dataset", "dataset_sources"], card, parameters)
    appendList("tags", ["tags", "pipeline_tag"], card)
    appendList("languages", ["languages", "language"], card)
  }

  /// Adds `general.` with the key, unless the text is empty.
  private mutating func append(_ key: String, _ value: ByteString?) {
    guard let value, !value.isEmpty else { return }
    metadata.append(ByteString("general.\(key)"), .string(value))
  }

  private mutating func appendList(_ key: String, _ keys: [String], _ card: ModelCard) {
    let texts = keys.flatMap { card.texts($0) ?? [] }
    if !texts.isEmpty {
      metadata.append(ByteString("general.\(key)"), .array(.string(texts)))
    }
  }

  /// Adds the models or data sets that a model derives from.
  private mutating func appendOrigins(
    _ kind: String, _ keys: [String], _ card: ModelCard, _ parameters: ParameterCounts
  ) {
    guard card.has(keys) else { return }
    let origins = card.list(keys)
    metadata.append(ByteString("general.\(kind).count"), .uint32(UInt32(origins.count)))
    for (number, origin) in origins.enumerated() {
      for (field, text) in Origin(origin, parameterCount: parameters.total).fields {
        append("\(kind).\(number).\(field)", text)
      }
    }
  }
}

/// A model or data set that a model derives from, as its card names it: an id of Hugging Face, an
/// address, or a mapping of fields.
private struct Origin {
  private(set) var fields: [(key: String, text: ByteString)] = []

  private static let keys = [
    "name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url",
  ]

  init(_ value: YAML, parameterCount: Int) {
    switch value {
    case .scalar(let id, true):
      let isAddress = ["http://", "https://", "ssh://"].contains { id.hasPrefix($0) }
      if !isAddress {
        name(ModelName(id, parameterCount: parameterCount), address: nil)
      } else if let path = Origin.hubPath(id) {
        name(ModelName(path, parameterCount: parameterCount), address: id)
      } else {
        fields = [("repo_url", ByteString(id))]
      }
    case .mapping:
      for key in Origin.keys {
        if case .scalar(let text, _)? = value[key] { fields.append((key, ByteString(text))) }
      }
    case .null, .scalar, .sequence: break
    }
  }

  private mutating func name(_ name: ModelName, address: String?) {
    fields.append(("name", ByteString(ModelName.title(name.full))))
    if let version = name.version { fields.append(("version", ByteString(version))) }
    if let organization = name.organization {
      fields.append(("organization", ByteString(ModelName.title(organization))))
    }
    let hub = name.organization.map { "https://huggingface.co/\($0)/\(name.full)" }
    if let url = address ?? hub { fields.append(("repo_url", ByteString(url))) }
  }

  /// `organization/name` of an address on Hugging Face; nil for any other.
  private static func hubPath(_ address: String) -> String? {
    for prefix in ["https://huggingface.co/", "http://huggingface.co/"]
    where address.hasPrefix(prefix) {
      let path = String(address.dropFirst(prefix.count))
      let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } ? path : nil
    }
    return nil
  }
}
