import Architectures
import GraphRewriting
import TensorTypes

extension ModelGraph {
  /// The rows of keys or of values in MLA's up-projection `[heads · (key + value), latent]`: keys as
  /// `[heads, latent, key]`, values as `[heads, value, latent]`.
  ///
  /// - Source: llama.cpp `conversion/deepseek.py`, `modify_tensors`.
  mutating func latent(
    _ part: Mapping.Latent, of node: NodeID, _ heads: HeadCounts?
  ) throws(Failure) -> NodeID {
    let shape = graph[node].type.shape
    let (count, key, value) = try latentLengths(heads, shape)
    guard shape.rank == 2, shape.axes[0] == count * (key + value) else {
      throw Failure(
        .badInput, "the rows do not fit the heads",
        expected: "\(count) heads of \(key) rows of keys and \(value) of values",
        found: "\(shape)")
    }
    let width = shape.axes[1]
    let split = try graph.add(.reshape([count, key + value, width]), [node])
    switch part {
    case .keys:
      let rows = try graph.add(.slice(axis: 1, start: 0, count: key), [split])
      return try graph.add(.permute([0, 2, 1]), [rows])
    case .values: return try graph.add(.slice(axis: 1, start: key, count: value), [split])
    }
  }

  /// The up-projection of these keys and values.
  mutating func joiningLatent(
    keys: NodeID, values: NodeID, _ heads: HeadCounts?
  ) throws(Failure) -> NodeID {
    let shape = graph[values].type.shape
    let (count, key, value) = try latentLengths(heads, shape)
    let width = shape.axes.last ?? 0
    guard shape.axes == [count, value, width], graph[keys].type.shape.axes == [count, width, key]
    else {
      throw Failure(
        .badInput, "keys and values do not fit the heads",
        expected: "\(count) heads of \(key) rows of keys and \(value) of values",
        found: "\(graph[keys].type.shape) and \(shape)")
    }
    let turned = try graph.add(.permute([0, 2, 1]), [unblocked(keys)])
    let plain = try unblocked(values)
    var parts: [NodeID] = []
    for head in 0..<count {
      for (node, rows) in [(turned, key), (plain, value)] {
        let own = try graph.add(.slice(axis: 0, start: head, count: 1), [node])
        parts.append(try graph.add(.reshape([rows, width]), [own]))
      }
    }
    return try graph.add(.concat(axis: 0), parts)
  }

  /// The elements of blocks cannot move one by one.
  private mutating func unblocked(_ node: NodeID) throws(Failure) -> NodeID {
    guard case .block = graph[node].type.encoding else { return node }
    return try graph.add(.cast(.f32), [node])
  }

  private func latentLengths(
    _ heads: HeadCounts?, _ shape: Shape
  ) throws(Failure) -> (count: Int, key: Int, value: Int) {
    guard let heads, let latent = heads.latent, heads.keyValue > 0, heads.keyValue <= 1 << 16 else {
      throw Failure(
        .badInput, "the rows of heads cannot be rearranged",
        expected: "the number of heads and the lengths of their parts", found: "\(shape)")
    }
    return (heads.keyValue, latent.plainKeyLength, latent.valueLength)
  }
}
