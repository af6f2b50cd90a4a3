import ByteIO
import Dispatch
import Quantization
import Synchronization
import TensorTypes
import WeightFormats

/// Asks a conversion to stop; it does so after the units under way.
public final class Cancellation: Sendable {
  private let flag = Atomic<Bool>(false)

  public init() {}

  public func cancel() { flag.store(true, ordering: .relaxed) }
  public var isCancelled: Bool { flag.load(ordering: .relaxed) }
}

extension Plan {
  /// Carries the plan out. The bytes do not depend on the number of workers.
  ///
  /// - Parameters:
  ///   - replaces: whether an existing output may be replaced.
  ///   - progress: called from any thread with the payload bytes written since the last call.
  /// - Throws: any kind; then no file of the output exists.
  public func execute(
    replaces: Bool, cancellation: Cancellation,
    progress: @escaping @Sendable (_ writtenByteCount: Int) -> Void = { _ in }
  ) throws(Failure) {
    try checkCopies(cancellation)
    let transaction = try OutputTransaction(
      destination, shape: isFolder ? .folder : .files, replaces: replaces)
    var outputs: [OutputFile] = []
    for file in files {
      outputs.append(
        try transaction.create(file.name, byteCount: file.framing.fileByteCount))
    }
    for (file, output) in zip(files, outputs) { try output.write(file.framing.prefix, at: 0) }
    try writePayload(to: outputs, cancellation, progress)
    for sidecar in sidecars {
      let output = try transaction.create(sidecar.name, byteCount: sidecar.bytes.count)
      try output.write(sidecar.bytes, at: 0)
    }
    try source.checkUnchanged()
    if cancellation.isCancelled { throw interrupted() }
    try transaction.commit()
  }

  /// - Throws: `badInput` for a tensor that was to be left out and is no copy.
  private func checkCopies(_ cancellation: Cancellation) throws(Failure) {
    for pair in copies {
      let (copy, original) = (source.tensors[pair.copy], source.tensors[pair.original])
      let files = (source.files[copy.file].source, source.files[original.file].source)
      for start in stride(from: 0, to: copy.byteCount, by: 1 << 18) {
        if cancellation.isCancelled { throw interrupted() }
        let count = min(1 << 18, copy.byteCount - start)
        let bytes = try files.0.bytes(at: copy.offset + start, count: count)
        let others = try files.1.bytes(at: original.offset + start, count: count)
        guard let first = zip(bytes, others).enumerated().first(where: { $1.0 != $1.1 }) else {
          continue
        }
        throw Failure(
          .badInput, "the tensor is no copy of another; --mtp keep leaves it in",
          file: files.0.name, subject: .tensor(copy.name),
          offset: copy.offset + start + first.offset, expected: "the bytes of '\(original.name)'",
          found: "\(first.element.0) instead of \(first.element.1)")
      }
    }
  }

  private func interrupted() -> Failure {
    Failure(.interrupted, "interrupted; nothing was written", file: destination)
  }

  private func writePayload(
    to outputs: [OutputFile], _ cancellation: Cancellation,
    _ progress: @escaping @Sendable (Int) -> Void
  ) throws(Failure) {
    let work = WorkList(self)
    let next = Atomic<Int>(0)
    let failures = Mutex<(unit: Int, failure: Failure)?>(nil)
    let sizes = WorkBuffers.Sizes(
      tensors.map(\.pieces), of: source, unitElementLimit: memory.unitElementLimit)
    DispatchQueue.concurrentPerform(iterations: memory.jobs) { _ in
      let buffers = WorkBuffers(sizes)
      while !cancellation.isCancelled, failures.withLock({ $0 == nil }) {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard number < work.count else { return }
        do throws(Failure) {
          progress(try work.perform(number, self, outputs, buffers))
        } catch {
          failures.withLock { first in
            if number < first?.unit ?? .max { first = (number, error) }
          }
        }
      }
    }
    if let (_, failure) = failures.withLock({ $0 }) { throw failure }
    if cancellation.isCancelled { throw interrupted() }
  }
}
