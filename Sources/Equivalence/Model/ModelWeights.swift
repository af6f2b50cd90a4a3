import Accelerators
import Architectures
import GraphRewriting
import ReferenceKernels
import TensorTypes
import WeightFormats

/// The weights of a model by role, decoded in parts when they are needed.
struct ModelWeights: Sendable {
  let model: CanonicalModel
  /// How the checkpoint stores each tensor.
  let storedForms: [RoleInstance: StoredForm]
  private let evaluation: Evaluation<ModelTensors>
  private let jobs: Int
  /// What is added to the weights; nil for the weights as they are.
  var noise: WeightNoise?
  private let isCancelled: @Sendable () -> Bool

  /// - Units: elements that a worker holds decoded at once, unless one row has more.
  private static let partLength = 1 << 16

  /// - Throws: `badInput`, `missingInput` for a checkpoint that is no known model.
  init(
    _ checkpoint: Checkpoint, jobs: Int, isCancelled: @escaping @Sendable () -> Bool
  ) throws(Failure) {
    model = try checkpoint.canonicalModel()
    storedForms = model.storedForms
    let tensors = CheckpointTensors(checkpoint: checkpoint)
    var coded: [Int: CodedMatrix] = [:]
    for (number, matrix) in model.coded { coded[number] = try CodedMatrix(matrix, of: tensors) }
    evaluation = Evaluation(model.graph, source: ModelTensors(tensors: tensors, coded: coded))
    self.jobs = max(1, jobs)
    self.isCancelled = isCancelled
  }

  /// How the values of a tensor are held before they are stored anew; nil where there is none.
  func form(_ role: RoleInstance) -> StoredForm? {
    guard case .encoding = storedForms[role] else { return storedForms[role] }
    return model.nodes[role].map { .encoding(model.graph[$0].type.encoding) }
  }

  func has(_ role: RoleInstance) -> Bool { model.nodes[role] != nil }

  /// - Shape: `[rows, columns]`; a vector is one row.
  func shape(_ role: RoleInstance) throws(Failure) -> (rows: Int, columns: Int) {
    let type = model.graph[try node(role)].type
    guard type.encoding != .plain(.c64) else {
      throw Failure(
        .badInput, "no known model has complex weights",
        subject: .tensor(ByteString(role.description)), expected: "real numbers",
        found: "\(type.encoding)")
    }
    let axes = type.shape.axes
    guard axes.count == 1 || axes.count == 2, axes.allSatisfy({ $0 > 0 }) else {
      throw Failure(
        .badInput, "the shape does not fit the tensor's role", file: nil,
        subject: .tensor(ByteString(role.description)), expected: "one or two axes",
        found: "\(Shape(axes))")
    }
    return axes.count == 1 ? (1, axes[0]) : (axes[0], axes[1])
  }

  /// The values of a small tensor.
  ///
  /// - Throws: `badInput` unless there are so many.
  func vector(_ role: RoleInstance, count: Int) throws(Failure) -> [Double] {
    let (rows, columns) = try shape(role)
    guard rows == 1, columns == count else {
      throw Failure(
        .badInput, "the tensor does not fit the model", subject: .tensor(ByteString("\(role)")),
        expected: "\(count) elements", found: "\(rows) × \(columns)")
    }
    return try self.rows(role, 0..<1)
  }

  /// The values of a small tensor; nil where the model has none.
  func optionalVector(_ role: RoleInstance, count: Int) throws(Failure) -> [Double]? {
    has(role) ? try vector(role, count: count) : nil
  }

  /// The values of some rows.
  func rows(_ role: RoleInstance, _ rows: Range<Int>) throws(Failure) -> [Double] {
    let node = try node(role)
    let (count, columns) = try shape(role)
    guard rows.lowerBound >= 0, rows.upperBound <= count else {
      throw Failure(
        .badInput, "the tensor is too short", subject: .tensor(ByteString("\(role)")),
        expected: "at least \(rows.upperBound) rows", found: "\(count)")
    }
    var values = try evaluation.values(
      node, elements: rows.lowerBound * columns..<rows.upperBound * columns)
    if let noise, let form = form(role) {
      noise.add(to: &values, role, rowLength: columns, firstRow: rows.lowerBound, source: form)
    }
    return values
  }

  /// The linear layer of a role, with its bias where there is one.
  ///
  /// Rows of the weight are decoded part by part; each output is one inner product, so the result
  /// does not depend on the number of threads.
  ///
  /// - Parameter width: elements of a row of the result; nil for as many as the weight gives.
  /// - Throws: `badInput` when the weight does not fit; `interrupted`.
  func linear(
    _ x: Rows, _ role: RoleInstance, width: Int? = nil
  ) throws(Failure) -> Rows {
    let (rows, columns) = try shape(role)
    guard columns == x.width, width == nil || width == rows else {
      throw Failure(
        .badInput, "the tensor does not fit the model", subject: .tensor(ByteString("\(role)")),
        expected: "[\(width.map(String.init) ?? "any"), \(x.width)]", found: "[\(rows), \(columns)]"
      )
    }
    let bias = try optionalVector(role.bias, count: rows)
    let rowCount = max(1, ModelWeights.partLength / columns)
    let parts = stride(from: 0, to: rows, by: rowCount).map { $0..<min(rows, $0 + rowCount) }
    let results = try concurrentResults(
      count: parts.count, jobs: jobs, isCancelled: isCancelled
    ) { (number) throws(Failure) in
      ReferenceKernels.linear(
        x, weight: try self.rows(role, parts[number]), bias: bias.map { Array($0[parts[number]]) })
    }
    var y = Rows(zeros: x.count, width: rows)
    for (part, result) in zip(parts, results) {
      for token in 0..<x.count {
        let start = token * rows + part.lowerBound
        y.values.replaceSubrange(start..<start + part.count, with: result[token])
      }
    }
    return y
  }

  /// The rows of an embedding.
  ///
  /// - Throws: `usage` for a number beyond its rows.
  func embedding(_ role: RoleInstance, _ numbers: [Int]) throws(Failure) -> Rows {
    let (count, columns) = try shape(role)
    var values: [Double] = []
    for number in numbers {
      guard (0..<count).contains(number) else {
        throw Failure(
          .usage, "the model has no such token", expected: "numbers from 0 to \(count - 1)",
          found: "\(number)")
      }
      values += try rows(role, number..<number + 1)
    }
    return Rows(width: columns, values)
  }

  private func node(_ role: RoleInstance) throws(Failure) -> NodeID {
    guard let node = model.nodes[role] else {
      throw Failure(
        .badInput, "the model lacks a tensor", subject: .tensor(ByteString("\(role)")),
        expected: "a tensor of this role", found: "none")
    }
    return node
  }
}

extension RoleInstance {
  init(_ role: Role, layer: Int? = nil, expert: Int? = nil) {
    self.init(role: role, bindings: .init(layer: layer, expert: expert))
  }

  /// The bias beside a weight.
  var bias: RoleInstance {
    var bindings = bindings
    bindings.part = .bias
    return RoleInstance(role: role, bindings: bindings)
  }
}
