import ByteIO
import TensorTypes

/// The templates that turn a conversation into text, with their names.
///
/// - Source: llama.cpp `gguf-py/gguf/vocab.py`, `_try_load_from_tokenizer_json`;
///   `gguf_writer.py`, `add_chat_template`.
struct ChatTemplates {
  private var templates: [(name: String, text: ByteString)] = []

  /// The templates of `tokenizer_config.json`; where it has none, those in files of their own. nil
  /// without any, and without `tokenizer_config.json`.
  ///
  /// - Throws: `badInput` for a template that is no text.
  init?(_ files: TokenizerFiles) throws(Failure) {
    guard files.settings?.object?.members.isEmpty == false else { return nil }
    if let value = files.settings?["chat_template"] {
      read(value)
    } else if let text = try ChatTemplates.text("chat_template.jinja", in: files.folder) {
      templates.append(("default", text))
      try readAdditional(files.folder)
    } else if let value = try files.folder.json("chat_template.json")?["chat_template"] {
      read(value)
    }
    if templates.isEmpty { return nil }
  }

  /// Adds `tokenizer.chat_template.NAME` for each named template, their names, and the default one.
  func append(to metadata: inout Metadata) {
    var names: [ByteString] = []
    for (name, text) in templates where name != "default" && !text.isEmpty {
      metadata.set(ByteString("tokenizer.chat_template.\(name)"), .string(text))
      if !names.contains(ByteString(name)) { names.append(ByteString(name)) }
    }
    if !names.isEmpty { metadata.set("tokenizer.chat_templates", .array(.string(names))) }
    if let text = templates.last(where: { $0.name == "default" })?.text, !text.isEmpty {
      metadata.set("tokenizer.chat_template", .string(text))
    }
  }

  private mutating func read(_ value: JSON) {
    if let text = value.byteString { templates.append(("default", text)) }
    for choice in value.array ?? [] {
      guard let text = choice["template"]?.byteString else { continue }
      let name = ChatTemplates.keyName(choice["name"]?.string ?? "")
      if !name.isEmpty { templates.append((name, text)) }
    }
  }

  private mutating func readAdditional(_ folder: Folder) throws(Failure) {
    guard folder.contains("additional_chat_templates"),
      let more = try? Folder(path: folder.path(of: "additional_chat_templates"))
    else { return }
    for file in more.names where file.hasSuffix(".jinja") {
      guard let text = try ChatTemplates.text(file, in: more) else { continue }
      templates.append((ChatTemplates.keyName(String(file.dropLast(6))), text))
    }
  }

  /// A name as a part of a key: letters and digits of ASCII, all else as `_`.
  private static func keyName(_ name: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in name.unicodeScalars {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9": scalars.append(scalar)
      default: scalars.append("_")
      }
    }
    return String(scalars)
  }

  /// A text file with LF at the ends of its lines.
  private static func text(_ name: String, in folder: Folder) throws(Failure) -> ByteString? {
    guard let bytes = try folder.bytes(of: name) else { return nil }
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count)
    for (index, byte) in bytes.enumerated() {
      if byte == 0x0A, index > 0, bytes[index - 1] == 0x0D { continue }
      text.append(byte == 0x0D ? 0x0A : byte)
    }
    guard let valid = ByteString(validating: text) else {
      throw Failure(
        .badInput, "the text is not valid UTF-8", file: folder.path(of: name), expected: "UTF-8",
        found: "other bytes")
    }
    return valid
  }
}
