import Dispatch
import Synchronization
import TensorTypes

/// The results of `transform` in the order of `items`, computed on all processors.
///
/// - Throws: the failure of the first item, in their order, that has one.
public func concurrentMap<Item: Sendable, Result: Sendable>(
  _ items: [Item], _ transform: @Sendable (Item) throws(Failure) -> Result
) throws(Failure) -> [Result] {
  let results = Mutex([Swift.Result<Result, Failure>?](repeating: nil, count: items.count))
  DispatchQueue.concurrentPerform(iterations: items.count) { number in
    let result = Swift.Result { () throws(Failure) in try transform(items[number]) }
    results.withLock { $0[number] = result }
  }
  var values: [Result] = []
  values.reserveCapacity(items.count)
  // Every number has been visited.
  for result in results.withLock({ $0 }) { values.append(try result!.get()) }
  return values
}
