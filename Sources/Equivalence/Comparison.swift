import Dispatch
import GraphRewriting
import ReferenceKernels
import Synchronization
import TensorTypes
import WeightFormats

/// Compares the tensors of a converted checkpoint with the nodes of the source's graph.
///
/// Tensors are cut into parts of a fixed number of elements; parts are measured in any order and
/// their metrics merged in the order of the elements, so that the result does not depend on the
/// number of threads.
struct Comparison: Sendable {
  /// A tensor of the converted checkpoint and what it should hold.
  struct Pair: Sendable {
    let name: ByteString
    var node: NodeID
    /// The number of the tensor in the converted checkpoint.
    let converted: Int
    var law: Law
    /// What the values were rounded to before the law applies; nil for nothing.
    var intermediate: FloatFormat?
  }

  let evaluation: Evaluation<CheckpointTensors>
  let converted: CheckpointTensors
  let request: VerificationRequest
  let isCancelled: @Sendable () -> Bool
  let progress: @Sendable (Int) -> Void

  /// - Units: elements of one part; a multiple of every block.
  private static let partLength = 1 << 17
  /// - Units: elements that are decoded at once, so that they stay in the first-level cache.
  private static let runLength = 1 << 11
  /// - Units: bytes: cells of both sides and what evaluating takes, at 8 bytes an element.
  private static let workerByteCount = 4 * 8 * partLength + 4 * 8 * runLength
  /// - Units: bytes of the process itself, by measurement.
  private static let baseByteCount = 24 << 20

  /// The elements of one tensor that a worker measures at once.
  private struct Part: Sendable {
    let pair: Int
    let elements: Range<Int>
  }

  /// The metrics of each pair; zero elements where the law is unknown.
  ///
  /// - Throws: what reading throws, of the first part in order; `interrupted`; `usage` when the
  ///   memory limit is too low.
  func metrics(of pairs: [Pair]) throws(Failure) -> [Metrics] {
    let workers = (request.memoryByteLimit - Comparison.baseByteCount) / Comparison.workerByteCount
    guard workers > 0 else {
      throw Failure(
        .usage, "the memory limit is too low",
        expected: "at least \(Comparison.baseByteCount + Comparison.workerByteCount) bytes",
        found: "\(request.memoryByteLimit)")
    }
    var result = pairs.map { pair in
      var metrics = Metrics()
      metrics.elementCount = elementCount(pair)
      return metrics
    }
    var batch: [Part] = []
    for (number, pair) in pairs.enumerated() {
      if case .unknown = pair.law { continue }
      for elements in chosenElements(pair) {
        batch.append(Part(pair: number, elements: elements))
        if batch.count == 1024 {
          try measure(batch, of: pairs, workers: workers, into: &result)
          batch.removeAll(keepingCapacity: true)
        }
      }
    }
    try measure(batch, of: pairs, workers: workers, into: &result)
    return result
  }

  private func elementCount(_ pair: Pair) -> Int {
    let type = converted.checkpoint.tensors[pair.converted].type
    return (type.shape.elementCount ?? 0) * Cell(type.encoding).valuesPerElement
  }

  // MARK: - Which elements

  private func chosenElements(_ pair: Pair) -> [Range<Int>] {
    let shape = converted.checkpoint.tensors[pair.converted].type.shape
    let count = shape.elementCount ?? 0
    guard count > 0 else { return [] }
    guard case .rows(let rowLimit) = request.sample, rowLimit < count / shape.rowLength else {
      return Comparison.parts(of: 0..<count)
    }
    var random = RandomNumbers(seed: request.seed, name: pair.name)
    return random.distinct(max(1, rowLimit), below: count / shape.rowLength).flatMap { row in
      Comparison.parts(of: row * shape.rowLength..<(row + 1) * shape.rowLength)
    }
  }

  private static func parts(of range: Range<Int>) -> [Range<Int>] {
    stride(from: range.lowerBound, to: range.upperBound, by: partLength).map {
      $0..<min(range.upperBound, $0 + partLength)
    }
  }

  // MARK: - Measuring

  private func measure(
    _ parts: [Part], of pairs: [Pair], workers: Int, into result: inout [Metrics]
  ) throws(Failure) {
    let next = Atomic<Int>(0)
    let results = Mutex<[Result<Metrics, Failure>?]>(Array(repeating: nil, count: parts.count))
    let hasFailed = Atomic<Bool>(false)
    let jobs = min(request.jobs, workers, parts.count)
    DispatchQueue.concurrentPerform(iterations: jobs) { _ in
      let buffers = Buffers()
      while !isCancelled(), !hasFailed.load(ordering: .relaxed) {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard number < parts.count else { return }
        let part = parts[number]
        let measured: Result<Metrics, Failure>
        do throws(Failure) {
          measured = .success(try measure(pairs[part.pair], part.elements, buffers))
        } catch {
          measured = .failure(error.located(subject: .tensor(pairs[part.pair].name)))
          hasFailed.store(true, ordering: .relaxed)
        }
        results.withLock { $0[number] = measured }
      }
    }
    let measured = results.withLock { $0 }
    for case .failure(let failure) in measured { throw failure }
    for (part, metrics) in zip(parts, measured) {
      guard case .success(let metrics) = metrics else {
        throw Failure(.interrupted, "interrupted; nothing was decided")
      }
      result[part.pair].merge(metrics)
    }
  }

  private func measure(
    _ pair: Pair, _ elements: Range<Int>, _ buffers: borrowing Buffers
  ) throws(Failure) -> Metrics {
    let from = Cell(evaluation.graph[pair.node].type.encoding)
    let to = Cell(converted.checkpoint.tensors[pair.converted].type.encoding)
    let source = buffers.source(elements.count / from.elementCount * from.byteCount)
    let output = buffers.converted(elements.count / to.elementCount * to.byteCount)
    if case .searched(let rows) = pair.law {
      guard rows.part == .codes else { return try measure(pair, rows, elements, buffers) }
      try rows.codes(elements, evaluation, converted, into: source)
    } else {
      try evaluation.evaluate(pair.node, elements: elements, into: source)
    }
    try converted.cells(of: pair.converted, elements: elements, into: output)
    var metrics = Metrics()
    var run = Run(from: from, to: to, intermediate: pair.intermediate, buffers: buffers)
    for start in stride(from: 0, to: elements.count, by: Comparison.runLength) {
      let count = min(Comparison.runLength, elements.count - start)
      run.load(UnsafeRawBufferPointer(source), UnsafeRawBufferPointer(output), start, count)
      run.values.start = (elements.lowerBound + start) * from.valuesPerElement
      run.compare(by: pair.law, into: &metrics)
    }
    progress(output.count)
    return metrics
  }

  /// Numbers beside codes whose scales were searched for.
  private func measure(
    _ pair: Pair, _ rows: SearchedRows, _ elements: Range<Int>, _ buffers: borrowing Buffers
  ) throws(Failure) -> Metrics {
    var metrics = Metrics()
    var values = Values(
      source: buffers.values, converted: buffers.values + 2 * Comparison.runLength, count: 0,
      start: 0)
    for start in stride(
      from: elements.lowerBound, to: elements.upperBound, by: Comparison.runLength)
    {
      let run = start..<min(start + Comparison.runLength, elements.upperBound)
      let stored = try converted.values(of: pair.converted, elements: run)
      let judged = try rows.judge(stored, from: start, evaluation, converted)
      (values.start, values.count) = (start, run.count)
      for index in stored.indices {
        values.source[index] = judged[index].expected
        values.converted[index] = stored[index]
      }
      metrics.add(values)
      for index in stored.indices {
        if judged[index].holds {
          metrics.equalCount += 1
        } else {
          metrics.violationCount += 1
          metrics.firstViolation = metrics.firstViolation ?? metrics.place(values, index)
        }
      }
    }
    progress(
      converted.checkpoint.tensors[pair.converted].type.encoding.unitByteCount * elements.count)
    return metrics
  }

  /// What one worker needs: cells of both sides, and decoded values.
  fileprivate struct Buffers: ~Copyable {
    private let cells: UnsafeMutableRawBufferPointer
    let values: UnsafeMutablePointer<Double>

    init() {
      cells = .allocate(byteCount: 2 * 8 * partLength, alignment: 64)
      // Two numbers in an element at most.
      let bytes = UnsafeMutableRawPointer.allocate(
        byteCount: 2 * 2 * 8 * runLength, alignment: 64)
      values = bytes.bindMemory(to: Double.self, capacity: 2 * 2 * runLength)
    }

    deinit {
      cells.deallocate()
      UnsafeMutableRawPointer(values).deallocate()
    }

    func source(_ count: Int) -> UnsafeMutableRawBufferPointer {
      UnsafeMutableRawBufferPointer(rebasing: cells[..<count])
    }

    func converted(_ count: Int) -> UnsafeMutableRawBufferPointer {
      UnsafeMutableRawBufferPointer(rebasing: cells[8 * partLength..<8 * partLength + count])
    }
  }

  /// Some elements at a time, decoded.
  private struct Run: ~Copyable {
    let from: Cell
    let to: Cell
    let intermediate: FloatFormat?
    var values: Values
    private var source = UnsafeRawBufferPointer(start: nil, count: 0)
    private var converted = UnsafeRawBufferPointer(start: nil, count: 0)
    private var blocks: BlockComparison?

    init(from: Cell, to: Cell, intermediate: FloatFormat?, buffers: borrowing Buffers) {
      self.from = from
      self.to = to
      self.intermediate = intermediate
      values = Values(
        source: buffers.values, converted: buffers.values + 2 * runLength, count: 0, start: 0)
    }

    /// Decodes `count` elements of both sides.
    mutating func load(
      _ source: UnsafeRawBufferPointer, _ converted: UnsafeRawBufferPointer, _ start: Int,
      _ count: Int
    ) {
      self.source = Run.part(source, from, start, count)
      self.converted = Run.part(converted, to, start, count)
      values.count = count * from.valuesPerElement
      from.decode(
        self.source, into: UnsafeMutableBufferPointer(start: values.source, count: values.count))
      guard let intermediate else { return }
      for index in 0..<values.count {
        values.source[index] = intermediate.rounding(values.source[index])
      }
    }

    private static func part(
      _ cells: UnsafeRawBufferPointer, _ cell: Cell, _ start: Int, _ count: Int
    ) -> UnsafeRawBufferPointer {
      let first = start / cell.elementCount * cell.byteCount
      let byteCount = count / cell.elementCount * cell.byteCount
      return UnsafeRawBufferPointer(rebasing: cells[first..<first + byteCount])
    }

    private func decodeConverted() {
      to.decode(
        converted, into: UnsafeMutableBufferPointer(start: values.converted, count: values.count))
    }

    mutating func compare(by law: Law, into metrics: inout Metrics) {
      switch law {
      case .unknown: return
      case .bitExact, .searched:
        compareBits(into: &metrics)
      case .rounded(let format, _, let viaF32):
        decodeConverted()
        metrics.add(values)
        metrics.checkRounding(values, format, viaF32: viaF32)
      case .exactValue:
        decodeConverted()
        metrics.add(values)
        metrics.checkEqual(values)
      case .calibrated(let setting):
        decodeConverted()
        metrics.add(values)
        metrics.checkEach(values) { setting.allows($0) }
      case .blocks(let law):
        decodeConverted()
        metrics.add(values)
        if blocks == nil { blocks = BlockComparison(law) }
        // Not nil after the line above; a run holds at least one element, so a base address.
        blocks!.compare(converted.baseAddress!, values, into: &metrics)
      }
    }

    private func compareBits(into metrics: inout Metrics) {
      if hasSameBytes(source, converted) {
        let same = Values(
          source: values.source, converted: values.source, count: values.count,
          start: values.start)
        metrics.add(same)
        metrics.equalCount += values.count
        return
      }
      decodeConverted()
      metrics.add(values)
      let perCell = from.elementCount * from.valuesPerElement
      for cell in 0..<source.count / from.byteCount {
        let bytes = cell * from.byteCount..<(cell + 1) * from.byteCount
        if source[bytes].elementsEqual(converted[bytes]) {
          metrics.equalCount += perCell
        } else {
          metrics.violationCount += 1
          metrics.firstViolation =
            metrics.firstViolation ?? metrics.place(values, cell * perCell)
        }
      }
    }
  }
}

private func hasSameBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
  guard a.count == b.count else { return false }
  var difference: UInt64 = 0
  let words = a.count / 8
  for word in 0..<words {
    difference |=
      a.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self)
      ^ b.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self)
  }
  for index in 8 * words..<a.count { difference |= UInt64(a[index] ^ b[index]) }
  return difference == 0
}
