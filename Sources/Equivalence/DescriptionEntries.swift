import Accelerators
import Architectures
import GraphRewriting
import TensorTypes
import WeightFormats

extension Expectation {
  /// Checks that the description of an AscendV1 folder names every tensor, names nothing else, and
  /// gives one type to what the runtime joins.
  func checkDescriptionEntries(into report: inout VerificationReport) {
    guard let types = description?.types else { return }
    func add(_ name: ByteString, _ holds: Bool, _ measured: String, _ bound: String) {
      report.findings.append(
        Finding(
          .descriptionEntry, .key(name), holds ? .pass : .fail, measured: measured, bound: bound))
    }
    for tensor in converted.tensors {
      let type = types[tensor.name]
      add(tensor.name, type != nil, type?.rawValue ?? "no entry", "a type")
    }
    for tensor in tensors where tensor.name.hasSuffix(".weight") {
      guard let type = types[tensor.name], type != .float, !graph[tensor.node].op.isQuantization
      else { continue }
      add(tensor.name, false, type.rawValue, "FLOAT: the runtime has no codes for it")
    }
    // What is missing is reported by itself.
    let expected = Set(tensors.map(\.name))
    for name in types.keys.sorted() where converted[name] == nil && !expected.contains(name) {
      add(name, false, "an entry", "none: there is no such tensor")
    }
    var groups: [JoinedGroup: [(name: ByteString, type: AscendType)]] = [:]
    var order: [JoinedGroup] = []
    for tensor in tensors {
      guard let type = types[tensor.name] else { continue }
      for group in JoinedGroup.all(of: tensor) {
        if groups[group] == nil { order.append(group) }
        groups[group, default: []].append((tensor.name, type))
      }
    }
    for group in order {
      guard let members = groups[group], let most = mostCommon(members.map(\.type)) else {
        continue
      }
      for member in members where member.type != most {
        add(member.name, false, member.type.rawValue, "\(most.rawValue), as the others of \(group)")
      }
    }
  }

  /// The type that most have, or the first of them.
  private func mostCommon(_ types: [AscendType]) -> AscendType? {
    var counts: [AscendType: Int] = [:]
    for type in types { counts[type, default: 0] += 1 }
    let most = counts.values.max()
    return types.first { counts[$0] == most }
  }
}

/// What must have one type: the tensors of a quantized layer, and the weights that the runtime joins.
private struct JoinedGroup: Hashable, CustomStringConvertible {
  let layer: Int?
  let name: String

  var description: String { layer.map { "the \(name) of layer \($0)" } ?? "'\(name)'" }

  static func all(of tensor: Expectation.Tensor) -> [JoinedGroup] {
    let name = tensor.name.text
    var groups: [JoinedGroup] = []
    let part = name.split(separator: ".").last.map(String.init) ?? ""
    if part == "weight" || AscendMatrix.Part(rawValue: part) != nil {
      groups.append(JoinedGroup(layer: nil, name: String(name.dropLast(part.utf8.count + 1))))
    }
    if part == "weight", let joined = tensor.role.flatMap(AscendGroup.init) {
      groups.append(JoinedGroup(layer: joined.layer, name: joined.name))
    }
    return groups
  }
}

extension Op {
  fileprivate var isQuantization: Bool { if case .quantize = self { true } else { false } }
}
