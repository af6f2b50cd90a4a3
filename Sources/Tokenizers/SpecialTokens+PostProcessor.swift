import ByteIO
import TensorTypes

extension SpecialTokens {
  /// Reads from the post-processor of `tokenizer.json` which tokens are put around a text, and
  /// which tokens these are where `tokenizer_config.json` does not say.
  ///
  /// Simple templates only are understood, as in the reference: `first A last` for one text, and
  /// `first A [separator …] B last` for two.
  ///
  /// - Source: llama.cpp `gguf-py/gguf/vocab.py`, `_try_load_from_tokenizer_json`.
  mutating func readPostProcessor(_ value: JSON) {
    var roles = Roles(settings)
    if hasSettings {
      if !roles.first.isTruthy, roles.start.isTruthy { setFirst(roles.start, &roles) }
      if !roles.last.isTruthy, roles.separator.isTruthy { setLast(roles.separator, &roles) }
    }
    for processor in value["processors"]?.array ?? [value] {
      switch processor["type"]?.string {
      case "ByteLevel":
        for kind in ["bos", "eos"] where !isAdded.contains(where: { $0.kind == kind }) {
          setAdded(kind, false)
        }
      case "RobertaProcessing":
        for kind in ["bos", "eos", "sep"] { setAdded(kind, true) }
        guard hasSettings else { break }
        if !roles.start.isTruthy {
          roles.start = processor["cls"]?.array?.first ?? roles.first
          settings["cls_token"] = roles.start
        }
        if !roles.separator.isTruthy {
          roles.separator = processor["sep"]?.array?.first ?? roles.last
          settings["sep_token"] = roles.separator
        }
      case "TemplateProcessing": readTemplates(processor, &roles)
      default: break
      }
    }
  }

  /// The tokens with a role in templates, as `tokenizer_config.json` spells them.
  private struct Roles {
    /// `bos_token`, `cls_token`, `eos_token` and `sep_token`.
    var first: JSON
    var start: JSON
    var last: JSON
    var separator: JSON

    init(_ settings: [ByteString: JSON]) {
      first = settings["bos_token"] ?? .null
      start = settings["cls_token"] ?? .null
      last = settings["eos_token"] ?? .null
      separator = settings["sep_token"] ?? .null
    }

    func separates(_ token: ByteString) -> Bool {
      [separator, last].contains(.string(token))
    }
  }

  private mutating func setFirst(_ token: JSON, _ roles: inout Roles) {
    roles.first = token
    settings["bos_token"] = token
  }

  private mutating func setLast(_ token: JSON, _ roles: inout Roles) {
    roles.last = token
    settings["eos_token"] = token
  }

  private mutating func readTemplates(_ processor: JSON, _ roles: inout Roles) {
    let single = processor["single"]?.array ?? []
    let first = single.count > 1 ? single.first?.templateToken : nil
    let last = single.count > 1 ? single.last?.templateToken : nil
    if let first { readFirst(first, &roles) }
    if let last { readLast(last, &roles) }

    var pair = (processor["pair"]?.array ?? [])[...]
    guard !pair.isEmpty else { return }
    let starts = first != nil && pair.first?.templateToken == first
    let ends = last != nil && pair.last?.templateToken == last
    pair = pair.dropFirst(starts ? 1 : 0).dropLast(ends ? 1 : 0)
    guard pair.first?.templateSequence == "A", pair.last?.templateSequence == "B" else { return }
    let between = pair.dropFirst().dropLast()
    guard let separator = between.first else { return }
    var adds = false
    if let token = separator.templateToken, roles.separates(token) { adds = last == nil }
    if between.count == 2, let token = between.last?.templateToken, roles.separates(token) {
      adds = true
    }
    setAdded("sep", adds)
    if adds, !roles.separator.isTruthy, hasSettings { settings["sep_token"] = roles.last }
  }

  private mutating func readFirst(_ first: ByteString, _ roles: inout Roles) {
    let token = JSON.string(first)
    if !hasSettings {
      roles.first = token
    } else if token != roles.first, token != roles.start {
      if !roles.first.isTruthy { setFirst(token, &roles) }
      if !roles.start.isTruthy {
        roles.start = token
        settings["cls_token"] = token
      }
    }
    let isKnown = token == roles.first || token == roles.start
    setAdded("bos", isKnown)
    if !isKnown { warnings.append("the template begins with the unknown token '\(first)'") }
  }

  /// A template that ends otherwise than `eos_token` says makes that one the end of a turn.
  private mutating func readLast(_ last: ByteString, _ roles: inout Roles) {
    let token = JSON.string(last)
    if !hasSettings {
      roles.last = token
    } else if token != roles.last {
      if let kind = ["eot", "eom"].first(where: { !kinds.contains($0) }) {
        kinds.append(kind)
        settings[ByteString("\(kind)_token")] = roles.last
      } else {
        warnings.append("the template ends with '\(last)', which replaces the eos token")
      }
      setLast(token, &roles)
    }
    setAdded("eos", true)
  }
}

extension JSON {
  /// The special token that an element of a template stands for.
  fileprivate var templateToken: ByteString? {
    let token = self["SpecialToken"]?["id"]?.byteString
    return token?.isEmpty == false ? token : nil
  }

  /// The text, `A` or `B`, that an element of a template stands for.
  fileprivate var templateSequence: String? { self["Sequence"]?["id"]?.string }

  /// Whether the value is something: not null, false, zero or empty.
  fileprivate var isTruthy: Bool {
    switch self {
    case .null: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .string(let value): !value.isEmpty
    case .array(let values): !values.isEmpty
    case .object(let object): !object.members.isEmpty
    }
  }
}
