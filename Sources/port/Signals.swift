import Conversion
import Dispatch
import Foundation
import Synchronization

/// Turns the signals that ask a process to stop into a cancellation.
enum Signals {
  private static let received = Atomic<Int32>(SIGINT)

  /// The signal that came last.
  static var last: Int32 { received.load(ordering: .relaxed) }

  /// Lets writes beyond the process's limit on file sizes fail instead of killing it.
  static func ignoreFileSizeLimit() { signal(SIGXFSZ, SIG_IGN) }

  /// Cancels when a signal comes, for as long as the result lives.
  static func cancelling(_ cancellation: Cancellation) -> [any DispatchSourceSignal] {
    [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        received.store(number, ordering: .relaxed)
        cancellation.cancel()
      }
      source.resume()
      return source
    }
  }
}
