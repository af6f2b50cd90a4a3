import Architectures
import Equivalence
import TensorTypes

extension TensorReport {
  /// The layer it belongs to, by its role; without one, the first number in its name.
  var layer: Int? {
    if let role { return role.bindings.layer }
    return pieces.lazy.compactMap { Int(String($0)) }.first
  }

  /// What the tensors that differ in layer and expert only have in common: the role, or the name
  /// with `*` for its numbers.
  var kind: String {
    guard let role else {
      return pieces.map { Int(String($0)) == nil ? String($0) : "*" }.joined(separator: ".")
    }
    return role.role.rawValue + (role.bindings.part == .bias ? " bias" : "")
  }

  /// Where kinds stand among each other: as in a forward pass, unknown ones last.
  var kindOrder: Int {
    guard let role, let position = Role.allCases.firstIndex(of: role.role) else { return .max }
    return 2 * position + (role.bindings.part == .bias ? 1 : 0)
  }

  private var pieces: [Substring] {
    name.text.split(separator: ".", omittingEmptySubsequences: false)
  }
}
