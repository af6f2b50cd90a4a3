import TensorTypes
import WeightFormats

/// The tensors with which vLLM-Ascend holds keys and values as int8 in the cache, type C8: scale
/// and offset of each channel, or one of each, beside the projections that make keys and values.
///
/// - Source: msmodelslim 26.1.0, `save/ascendv1.py`; vllm-ascend 0.23.0, `methods/kv_c8.py`.
public enum AscendCache {
  private static let projections = ["k_proj", "v_proj"]
  private static let parts = ["kv_cache_scale", "kv_cache_offset"]

  /// Those that stand beside a weight: none where it does not make keys or values.
  static func names(beside weight: ByteString) -> [ByteString] {
    guard let linear = weight.dropping(suffix: ".weight"),
      projections.contains(where: { linear.hasSuffix("." + $0) })
    else { return [] }
    return parts.map { ByteString("\(linear).\($0)") }
  }

  /// The numbers of those that stand beside a weight of the checkpoint.
  static func tensors(of checkpoint: Checkpoint) -> [Int] {
    checkpoint.tensors.indices.filter { number in
      guard let linear = linear(of: checkpoint.tensors[number].name) else { return false }
      return checkpoint[ByteString("\(linear).weight")] != nil
    }
  }

  /// The projection that a tensor of the cache stands beside; nil for other tensors.
  static func linear(of name: ByteString) -> ByteString? {
    for part in parts {
      guard let linear = name.dropping(suffix: "." + part) else { continue }
      return projections.contains { linear.hasSuffix("." + $0) } ? linear : nil
    }
    return nil
  }

  /// The tensors of the attention that one of them belongs to, in order; nil for other tensors.
  public static func companions(of name: ByteString) -> [ByteString]? {
    guard let linear = linear(of: name)?.text else { return nil }
    let attention = linear.dropLast(projections[0].utf8.count)
    return projections.flatMap { projection in
      parts.map { ByteString("\(attention)\(projection).\($0)") }
    }
  }
}

extension AscendModel {
  /// Checks that keys and values of a layer have all that the runtime needs: it would take 1 and 0
  /// for what is missing.
  ///
  /// - Throws: `badInput`.
  public func checkCaches() throws(Failure) {
    let names = Set(tensors.lazy.filter { $0.type == .c8 }.map(\.name))
    for name in names.sorted() {
      let missing = AscendCache.companions(of: name)?.first { !names.contains($0) }
      guard let missing else { continue }
      throw Failure(
        .badInput, "keys and values are held as int8 together or not at all",
        subject: .tensor(name), expected: "'\(missing)' beside it", found: "none")
    }
  }
}
