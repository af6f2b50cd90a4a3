import GraphRewriting
import ReferenceKernels
import TensorTypes
import WeightFormats

/// What differs between two checkpoints of any formats.
///
/// Checkpoints of one format are compared by the names they have; of two formats, the first is read
/// as a model and its tensors are looked for under the names that the second format gives them.
public struct Difference: Sendable {
  /// A tensor that both have, and what is not the same about it.
  public struct Tensor: Sendable {
    public let name: ByteString
    /// In the first checkpoint, rearranged as the second stores it.
    public let first: TensorType
    public let second: TensorType
    /// nil when values were not compared, or cannot be.
    public let metrics: Metrics?

    /// Whether shape and encoding are equal, and the values as far as they were compared.
    public var isEqual: Bool {
      first == second && metrics.map { $0.equalCount == $0.comparedCount } ?? true
    }
  }

  /// A metadata key whose values differ; nil where a checkpoint does not have it.
  public struct Item: Sendable {
    public let key: ByteString
    public let first: MetadataValue?
    public let second: MetadataValue?
  }

  public let firstPath: String
  public let secondPath: String
  /// Names that only the first has, or only the second, each in its own order.
  public private(set) var onlyInFirst: [ByteString] = []
  public private(set) var onlyInSecond: [ByteString] = []
  /// The tensors that both have.
  public private(set) var tensors: [Tensor] = []
  public private(set) var metadata: [Item] = []
  public private(set) var notes: [String] = []

  public var isEmpty: Bool {
    onlyInFirst.isEmpty && onlyInSecond.isEmpty && metadata.isEmpty
      && tensors.allSatisfy(\.isEqual)
  }

  /// - Parameters:
  ///   - values: how values are compared; nil for names, types and metadata alone.
  ///   - progress: called from any thread with the bytes compared since the last call.
  /// - Throws: `badInput` when the first checkpoint cannot be read as a model and that is needed;
  ///   `inputOutput`, `interrupted`; `usage` for a memory limit that is too low.
  public init(
    _ first: Checkpoint, _ second: Checkpoint, values: VerificationRequest?,
    isCancelled: @escaping @Sendable () -> Bool = { false },
    progress: @escaping @Sendable (_ byteCount: Int) -> Void = { _ in }
  ) throws(Failure) {
    firstPath = first.path
    secondPath = second.path
    let expectation = try Expectation(source: first, converted: second)
    notes = expectation.warnings
    for (number, reason) in expectation.dropped {
      notes.append("'\(first.tensors[number].name)' has no counterpart: \(reason)")
    }
    let numbers = [ByteString: Int](
      uniqueKeysWithValues: second.tensors.enumerated().map { ($1.name, $0) })
    var pairs: [Comparison.Pair] = []
    var shared: [Expectation.Tensor] = []
    var names = Set<ByteString>()
    for tensor in expectation.tensors {
      names.insert(tensor.name)
      guard let number = numbers[tensor.name] else {
        onlyInFirst.append(tensor.name)
        continue
      }
      shared.append(tensor)
      pairs.append(
        Comparison.Pair(
          name: tensor.name, node: tensor.node, converted: number,
          law: Law(
            from: expectation.type(tensor).encoding, to: second.tensors[number].type.encoding)))
    }
    onlyInSecond = second.tensors.map(\.name).filter { !names.contains($0) }
    let metrics = try Difference.metrics(
      of: pairs, expectation, values, isCancelled: isCancelled, progress: progress)
    for (position, tensor) in shared.enumerated() {
      let number = pairs[position].converted
      tensors.append(
        Tensor(
          name: tensor.name, first: expectation.type(tensor), second: second.tensors[number].type,
          metrics: metrics[position]))
    }
    if first.format == second.format {
      metadata = Difference.items(first.metadata, second.metadata)
    } else {
      notes.append("metadata of two formats are not compared; 'port verify' compares what matters")
    }
    try first.checkUnchanged()
    try second.checkUnchanged()
  }

  /// The metrics of the pairs of equal shape; nil for the others.
  private static func metrics(
    of pairs: [Comparison.Pair], _ expectation: Expectation, _ request: VerificationRequest?,
    isCancelled: @escaping @Sendable () -> Bool, progress: @escaping @Sendable (Int) -> Void
  ) throws(Failure) -> [Metrics?] {
    var result = [Metrics?](repeating: nil, count: pairs.count)
    guard let request else { return result }
    let comparable = pairs.indices.filter { position in
      let pair = pairs[position]
      let shape = expectation.graph[pair.node].type.shape
      return shape == expectation.converted.tensors[pair.converted].type.shape
    }
    let comparison = Comparison(
      evaluation: Evaluation(
        expectation.graph, source: CheckpointTensors(checkpoint: expectation.source)),
      converted: CheckpointTensors(checkpoint: expectation.converted), request: request,
      isCancelled: isCancelled, progress: progress)
    let measured = try comparison.metrics(of: comparable.map { pairs[$0] })
    for (position, own) in zip(comparable, measured) where own.comparedCount > 0 {
      result[position] = own
    }
    return result
  }

  private static func items(_ first: Metadata, _ second: Metadata) -> [Item] {
    var items: [Item] = []
    for item in first.items where second[item.key] != item.value {
      items.append(Item(key: item.key, first: item.value, second: second[item.key]))
    }
    for item in second.items where first[item.key] == nil {
      items.append(Item(key: item.key, first: nil, second: item.value))
    }
    return items
  }
}
