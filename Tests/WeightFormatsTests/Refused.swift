import ByteIO
import TensorTypes
import Testing

@testable import WeightFormats

/// A file that must be refused, and the whole text of the error: file, tensor or key, byte, what
/// was expected and what was found.
struct Refused: CustomTestStringConvertible, Sendable {
  let rule: String
  let bytes: [UInt8]
  let error: String

  init(_ rule: String, _ bytes: [UInt8], _ error: String) {
    self.rule = rule
    self.bytes = bytes
    self.error = error
  }

  var testDescription: String { rule }
}

/// Why a file `m` of these bytes is refused; nil when it is not.
func refusal(_ format: Format.Name, _ bytes: [UInt8]) -> String? {
  do throws(Failure) {
    _ = try Format[format].read(MemorySource(name: "m", bytes: bytes))
    return nil
  } catch {
    #expect(error.kind == .badInput)
    return error.description
  }
}

func read(_ format: Format.Name, _ bytes: [UInt8]) throws(Failure) -> Manifest {
  try Format[format].read(MemorySource(name: "m", bytes: bytes))
}
