import TensorTypes

/// How amounts are written for people.
enum Amount {
  /// Bytes in decimal units with three or four digits: `999 B`, `12.3 kB`, `689.5 GB`.
  static func bytes(_ count: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    var value = Double(count)
    var unit = 0
    while value >= 999.95, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    return unit == 0 ? "\(count) B" : "\(fixed(value, 1)) \(units[unit])"
  }

  /// A whole number with commas between thousands.
  static func count(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    var text = ""
    for (position, digit) in digits.enumerated() {
      if position > 0, (digits.count - position) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return value < 0 ? "-" + text : text
  }

  /// `1 tensor`, `2 tensors`.
  static func count(_ value: Int, of noun: String) -> String {
    "\(count(value)) \(noun)\(value == 1 ? "" : "s")"
  }

  /// With so many digits after the point, rounded half to even.
  static func fixed(_ value: Double, _ places: Int) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = Int((value.magnitude * scale).rounded(.toNearestOrEven))
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard places > 0 else { return sign + String(scaled) }
    let digits = String(scaled)
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
  }

  /// A share as `12.5 %`; only nothing is 0 % and only all is 100 %.
  static func share(_ value: Double) -> String {
    switch fixed(100 * value, 1) {
    case "0.0" where value > 0: "<0.1 %"
    case "100.0" where value < 1: ">99.9 %"
    case let text: "\(text) %"
    }
  }

  /// About three significant digits: `0.0123`, `1.23e-08`, `65504`.
  static func real(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
    let magnitude = value.magnitude
    if magnitude >= 1e-4, magnitude < 1e6 {
      let places = magnitude >= 100 ? 1 : magnitude >= 1 ? 3 : magnitude >= 0.01 ? 5 : 7
      return fixed(value, places)
    }
    var exponent = 0
    var mantissa = magnitude
    while mantissa >= 10 {
      mantissa /= 10
      exponent += 1
    }
    while mantissa < 1 {
      mantissa *= 10
      exponent -= 1
    }
    let digits = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
    return "\(value < 0 ? "-" : "")\(fixed(mantissa, 2))e\(exponent < 0 ? "-" : "+")\(digits)"
  }

  /// `12.3 s`, `2 min 05 s`, `3 h 07 min`.
  static func duration(seconds: Double) -> String {
    if seconds < 60 { return "\(fixed(max(0, seconds), 1)) s" }
    let whole = Int(min(seconds, 1e9))
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return whole < 3600
      ? "\(whole / 60) min \(two(whole % 60)) s" : "\(whole / 3600) h \(two(whole % 3600 / 60)) min"
  }
}
