import ArgumentParser
import ByteIO
import Foundation
import Reports
import Synchronization

/// How progress is shown on standard error.
enum ProgressStyle: String, ExpressibleByArgument, CaseIterable {
  case auto, plain, json, none
}

/// Shows how far a long operation is: a bar on a terminal, now and then a line otherwise.
final class ProgressMeter: Sendable {
  private enum Style {
    case bar, plain, json, none
  }

  private struct State {
    var unit = ProgressReport.Unit.bytes
    var doneCount = 0
    var totalCount: Int
    /// Of the present stage.
    var start: ContinuousClock.Instant
    var shown: ContinuousClock.Instant
    var hasShown = false
  }

  private let style: Style
  private let interval: Duration
  private let activity: String
  private let state: Mutex<State>

  init(_ activity: String, style: ProgressStyle, totalByteCount: Int) {
    switch style {
    case .auto: self.style = Console.isErrorTerminal ? .bar : .plain
    case .plain: self.style = .plain
    case .json: self.style = .json
    case .none: self.style = .none
    }
    interval = self.style == .bar ? .milliseconds(100) : .seconds(self.style == .json ? 1 : 5)
    self.activity = activity
    let now = ContinuousClock.now
    state = Mutex(State(totalCount: totalByteCount, start: now, shown: now))
  }

  /// Counts bytes that are done; from any thread.
  func advance(_ byteCount: Int) { advance(byteCount, .bytes, of: nil) }

  /// Counts what is done of a stage, which is another one when its unit is; from any thread.
  ///
  /// - Parameter total: nil for what the meter was made with.
  func advance(_ count: Int, _ unit: ProgressReport.Unit, of total: Int?) {
    let now = ContinuousClock.now
    state.withLock { state in
      if unit != state.unit {
        if style == .json { show(state, now) }
        (state.unit, state.doneCount, state.start) = (unit, 0, now)
      }
      state.doneCount += count
      state.totalCount = total ?? state.totalCount
      guard style != .none, now - state.shown >= interval else { return }
      state.shown = now
      state.hasShown = true
      show(state, now)
    }
  }

  /// Removes the bar, or says that everything is done where lines were shown.
  func finish() {
    state.withLock { state in
      switch style {
      case .bar where state.hasShown: Console.write(Array("\r\u{1b}[K".utf8), to: 2)
      case .plain where state.hasShown, .json: show(state, .now)
      default: break
      }
    }
  }

  private func show(_ state: State, _ now: ContinuousClock.Instant) {
    let progress = ProgressReport(
      activity: activity, doneCount: state.doneCount, totalCount: state.totalCount,
      unit: state.unit, seconds: (now - state.start) / .seconds(1))
    switch style {
    case .bar: Console.write(Array("\r\(progress.bar(width: terminalWidth))\u{1b}[K".utf8), to: 2)
    case .plain: Console.complain(progress.line)
    case .json: Console.write(progress.json.sortedLine + Array("\n".utf8), to: 2)
    case .none: break
    }
  }

  private var terminalWidth: Int {
    var size = winsize()
    return ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }
}
