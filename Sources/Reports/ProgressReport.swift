import ByteIO

/// How far a long operation is.
public struct ProgressReport: Sendable {
  public let activity: String
  public let doneByteCount: Int
  public let totalByteCount: Int
  /// Since the start.
  public let seconds: Double

  public init(activity: String, doneByteCount: Int, totalByteCount: Int, seconds: Double) {
    self.activity = activity
    self.doneByteCount = doneByteCount
    self.totalByteCount = totalByteCount
    self.seconds = seconds
  }

  private var fraction: Double {
    totalByteCount > 0 ? min(1, Double(doneByteCount) / Double(totalByteCount)) : 1
  }

  private var rate: Double { seconds > 0 ? Double(doneByteCount) / seconds : 0 }

  private var secondsLeft: Double? {
    rate > 0 ? max(0, Double(totalByteCount - doneByteCount)) / rate : nil
  }

  /// `converting  43 %, 343.1 MB of 800.0 MB, 1.2 GB/s, 0.4 s left`.
  public var line: String {
    let percent = Int(100 * fraction)
    let left = secondsLeft.map { ", \(Amount.duration(seconds: $0)) left" } ?? ""
    return "\(activity) \(percent < 10 ? "  " : percent < 100 ? " " : "")\(percent) %, "
      + "\(Amount.bytes(doneByteCount)) of \(Amount.bytes(totalByteCount)), "
      + "\(Amount.bytes(Int(min(rate, 1e18))))/s\(left)"
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
      "activity": .text(activity), "done_bytes": .integer(doneByteCount),
      "total_bytes": .integer(totalByteCount), "seconds": .number(seconds),
      "bytes_per_second": .number(rate.rounded()), "seconds_left": secondsLeft.map(JSON.number),
    ])
  }
}
