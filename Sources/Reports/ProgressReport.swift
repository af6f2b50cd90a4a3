import ByteIO
import TensorTypes

/// How far a long operation is.
public struct ProgressReport: Sendable {
  /// What is counted.
  public enum Unit: String, Sendable {
    case bytes, tensors, layers
  }

  public let activity: String
  public let doneCount: Int
  public let totalCount: Int
  public let unit: Unit
  /// Since the start.
  public let seconds: Double

  public init(
    activity: String, doneCount: Int, totalCount: Int, unit: Unit = .bytes, seconds: Double
  ) {
    self.activity = activity
    self.doneCount = doneCount
    self.totalCount = totalCount
    self.unit = unit
    self.seconds = seconds
  }

  private var fraction: Double {
    totalCount > 0 ? min(1, Double(doneCount) / Double(totalCount)) : 1
  }

  private var rate: Double { seconds > 0 ? Double(doneCount) / seconds : 0 }

  private var secondsLeft: Double? {
    rate > 0 ? max(0, Double(totalCount - doneCount)) / rate : nil
  }

  /// `converting  43 %, 343.1 MB of 800.0 MB, 1.2 GB/s, 0.4 s left`, or
  /// `verifying  43 %, 26 of 61 layers, 7 min 10 s left`.
  public var line: String {
    let percent = Int(100 * fraction)
    let left = secondsLeft.map { ", \(Amount.duration(seconds: $0)) left" } ?? ""
    let amount =
      unit == .bytes
      ? "\(Amount.bytes(doneCount)) of \(Amount.bytes(totalCount)), "
        + "\(Amount.bytes(Int(min(rate, 1e18))))/s"
      : "\(doneCount) of \(totalCount) \(unit.rawValue)"
    return
      "\(activity) \(percent < 10 ? "  " : percent < 100 ? " " : "")\(percent) %, \(amount)\(left)"
  }

  /// The line with a bar before it, at most so wide.
  public func bar(width: Int) -> String {
    let text = line
    let room = min(32, width - 1 - text.count - 3)
    guard room >= 8 else { return String(text.prefix(max(0, width - 1))) }
    let filled = Int(Double(room) * fraction)
    return "[\(String(repeating: "#", count: filled))"
      + "\(String(repeating: ".", count: room - filled))] \(text)"
  }

  /// For programs, one object a line.
  public var json: JSON {
    .members([
      "activity": .text(activity),
      ByteString("done_\(unit.rawValue)"): .integer(doneCount),
      ByteString("total_\(unit.rawValue)"): .integer(totalCount),
      "seconds": .number(seconds),
      ByteString("\(unit.rawValue)_per_second"): .number(unit == .bytes ? rate.rounded() : rate),
      "seconds_left": secondsLeft.map(JSON.number),
    ])
  }
}
