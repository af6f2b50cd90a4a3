/// The name of a model taken apart: who made it, what it is based on, its size, variant, version.
///
/// Names on Hugging Face follow no rule, so these are guesses, and the same guesses as the
/// reference's.
///
/// - Source: llama.cpp `gguf-py/gguf/metadata.py`, `get_model_id_components`.
struct ModelName: Sendable, Hashable {
  /// Without the organization.
  var full: String
  var organization: String?
  var basename: String?
  var finetune: String?
  var version: String?
  var sizeLabel: String?

  /// - Parameters:
  ///   - id: `organization/name` or a name alone. One with a space is taken as it is.
  ///   - parameterCount: of the model; 0 where it is unknown. What looks like a size and is far
  ///     from it is a context length.
  init(_ id: String, parameterCount: Int) {
    full = id
    guard !id.utf8.contains(UInt8(ascii: " ")) else { return }
    if let slash = id.utf8.firstIndex(of: UInt8(ascii: "/")) {
      full = String(id[id.utf8.index(after: slash)...])
      organization = id.utf8.first == UInt8(ascii: ".") ? nil : String(id[..<slash])
    }
    var parts = full.utf8.split(separator: UInt8(ascii: "-")).map {
      NamePart(text: String(Substring($0)))
    }
    for index in parts.indices {
      parts[index].classify(isFirst: index == 0, parameterCount: parameterCount)
    }
    NamePart.dropWordSizes(&parts)
    NamePart.findBasename(&parts)
    func joined(_ kind: NamePart.Kind, without other: NamePart.Kind? = nil) -> String? {
      var texts: [String] = []
      for part in parts where part.kinds.contains(kind) {
        if let other, part.kinds.contains(other) { continue }
        if kind == .size, texts.contains(part.text) { continue }
        texts.append(part.text)
      }
      return texts.isEmpty ? nil : texts.joined(separator: "-")
    }
    sizeLabel = joined(.size)
    finetune = joined(.finetune)
    version = joined(.version, without: .basename)
    if sizeLabel != nil || finetune != nil || version != nil { basename = joined(.basename) }
  }

  /// A name as a title: spaces for hyphens, and a capital for each word in lower case that is no
  /// version and does not begin with a digit.
  ///
  /// - Source: llama.cpp `gguf-py/gguf/metadata.py`, `id_to_title`.
  static func title(_ id: String) -> String {
    id.unicodeScalars.split { $0 == "-" || $0.properties.isWhitespace }.map { word in
      let isLower =
        word.contains { $0.properties.isLowercase }
        && !word.contains { $0.properties.isUppercase }
      let keeps = ("0"..."9").contains(word[word.startIndex]) || NamePart.isVersion(word)
      return isLower && !keeps ? titleCased(word) : String(word)
    }.joined(separator: " ")
  }

  /// A capital for each letter after something that is no letter.
  private static func titleCased(_ word: Substring.UnicodeScalarView) -> String {
    var result = ""
    var isAfterLetter = false
    for scalar in word {
      result += isAfterLetter ? String(scalar) : scalar.properties.titlecaseMapping
      isAfterLetter = scalar.properties.isCased
    }
    return result
  }
}
