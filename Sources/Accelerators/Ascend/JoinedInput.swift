import Architectures
import TensorTypes

/// Scale or offset of the inputs of layers that the runtime joins: the joined layer has one of each.
public struct JoinedInput: Sendable {
  public let name: ByteString
  public let value: Float

  /// What stands in one place of the joined layer.
  private struct Place: Hashable {
    let group: AscendGroup
    let part: AscendMatrix.Part
  }

  /// Each setting of joined layers beside the first of its kind, which is not listed itself.
  ///
  /// - Parameters:
  ///   - tensors: what `value` takes, by name and role.
  ///   - value: the number in a tensor; nil where there is none.
  public static func settings<Tensor>(
    of tensors: [(name: ByteString, role: RoleInstance?, tensor: Tensor)],
    value: (Tensor) -> Float?
  ) -> [(own: JoinedInput, first: JoinedInput)] {
    let parts: [AscendMatrix.Part] = [.inputScale, .inputOffset]
    var firsts: [Place: JoinedInput] = [:]
    var settings: [(own: JoinedInput, first: JoinedInput)] = []
    for (name, role, tensor) in tensors {
      guard let part = parts.first(where: { name.hasSuffix("." + $0.rawValue) }),
        let group = role.flatMap(AscendGroup.init), let value = value(tensor)
      else { continue }
      let own = JoinedInput(name: name, value: value)
      let place = Place(group: group, part: part)
      if let first = firsts[place] {
        settings.append((own, first))
      } else {
        firsts[place] = own
      }
    }
    return settings
  }
}
