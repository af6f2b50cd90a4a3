import ArgumentParser

/// A number of bytes on the command line: `512MiB`, `5GB`, `1000000`.
struct ByteAmount: ExpressibleByArgument {
  let byteCount: Int
  private let spelling: String

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = argument.dropFirst(digits.count).lowercased()
    guard let factor = ByteAmount.units[unit], let number = Double(digits), number >= 0 else {
      return nil
    }
    let bytes = (number * Double(factor)).rounded()
    guard bytes < 0x1p62 else { return nil }
    byteCount = Int(bytes)
    spelling = argument
  }

  var defaultValueDescription: String { spelling }

  private static let units: [String: Int] = [
    "": 1, "b": 1, "k": 1000, "kb": 1000, "m": 1_000_000, "mb": 1_000_000, "g": 1_000_000_000,
    "gb": 1_000_000_000, "tb": 1_000_000_000_000, "kib": 1 << 10, "mib": 1 << 20,
    "gib": 1 << 30, "tib": 1 << 40,
  ]
}
