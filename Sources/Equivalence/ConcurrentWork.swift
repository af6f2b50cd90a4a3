import Dispatch
import Synchronization
import TensorTypes

/// The results of `work` for 0, 1, 2 … in order, computed by at most `jobs` threads.
///
/// - Throws: the failure of the lowest number that has one; `interrupted`.
func concurrentResults<Output: Sendable>(
  count: Int, jobs: Int, isCancelled: @Sendable () -> Bool,
  _ work: @Sendable (Int) throws(Failure) -> Output
) throws(Failure) -> [Output] {
  let next = Atomic<Int>(0)
  let hasFailed = Atomic<Bool>(false)
  let results = Mutex<[Result<Output, Failure>?]>(Array(repeating: nil, count: count))
  DispatchQueue.concurrentPerform(iterations: min(jobs, count)) { _ in
    while !isCancelled(), !hasFailed.load(ordering: .relaxed) {
      let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard number < count else { return }
      let result = Result { () throws(Failure) in try work(number) }
      if case .failure = result { hasFailed.store(true, ordering: .relaxed) }
      results.withLock { $0[number] = result }
    }
  }
  let found = results.withLock { $0 }
  for case .failure(let failure) in found { throw failure }
  var values: [Output] = []
  values.reserveCapacity(count)
  for result in found {
    guard case .success(let value) = result else {
      throw Failure(.interrupted, "interrupted; nothing was decided")
    }
    values.append(value)
  }
  return values
}
