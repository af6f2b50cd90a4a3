import ByteIO
import TensorTypes

/// The sampling parameters that a checkpoint recommends, from its `generation_config.json`.
///
/// - Returns: the metadata, and what could not be read.
/// - Throws: `inputOutput` when the file cannot be read.
/// - Source: llama.cpp `gguf-py/gguf/metadata.py`, `load`.
public func samplingMetadata(
  of folder: Folder
) throws(Failure) -> (metadata: Metadata, warnings: [String]) {
  let name = "generation_config.json"
  let config: JSON
  do throws(Failure) {
    guard let json = try folder.json(name) else { return (Metadata(), []) }
    config = json
  } catch {
    guard error.kind == .badInput else { throw error }
    return (Metadata(), ["the sampling parameters are left out: \(error)"])
  }
  var metadata = Metadata()
  var warnings: [String] = []
  for row in samplingRows {
    guard let value = row.keys.lazy.compactMap({ config[$0] }).first, !value.isNull else {
      continue
    }
    if let converted = row.convert(value) {
      metadata.append(row.ggufKey, converted)
    } else {
      warnings.append("\(name): the value of \(row.keys[0]) is not usable and is left out")
    }
  }
  return (metadata, warnings)
}

/// A key of GGUF with the keys of `generation_config.json` that give its value, the first first.
private struct SamplingRow: Sendable {
  let ggufKey: ByteString
  let keys: [ByteString]
  let convert: @Sendable (JSON) -> MetadataValue?
}

private let samplingRows: [SamplingRow] = [
  SamplingRow(ggufKey: "general.sampling.sequence", keys: ["sequence"]) { value in
    value.byteString.flatMap { $0.isEmpty ? nil : .string($0) }
  },
  integer("top_k"), real("top_p"), real("min_p"), real("xtc_probability"), real("xtc_threshold"),
  real("temp", "temperature"), integer("penalty_last_n"),
  real("penalty_repeat", "penalty_repeat", "repetition_penalty"), integer("mirostat"),
  real("mirostat_tau"), real("mirostat_eta"),
]

private func integer(_ key: String) -> SamplingRow {
  SamplingRow(
    ggufKey: ByteString("general.sampling.\(key)"), keys: [ByteString(key)],
    convert: { $0.integer.flatMap { Int32(exactly: $0) }.map { .int32($0) } })
}

private func real(_ key: String, _ keys: ByteString...) -> SamplingRow {
  SamplingRow(
    ggufKey: ByteString("general.sampling.\(key)"),
    keys: keys.isEmpty ? [ByteString(key)] : keys,
    convert: { value in
      guard let number = value.double, Float(number).isFinite else { return nil }
      return .float32(Float(number))
    })
}
