import Architectures
import ByteIO
import TensorTypes
import WeightFormats

/// What `port inspect` says of one checkpoint.
public struct Inspection: Sendable {
  public let checkpoint: Checkpoint
  /// Tensors to list one by one; nil for all, folded where they are many.
  public let selection: Glob?
  /// Whether metadata values are printed in full.
  public let showsWholeMetadata: Bool
  /// What the values of the selected tensors are like; nil when they were not read.
  public var values: ValueInspection?

  /// Beyond so many tensors, those that differ only in numbers share a line.
  static let listLimit = 400

  public init(_ checkpoint: Checkpoint, selection: Glob? = nil, showsWholeMetadata: Bool = false) {
    self.checkpoint = checkpoint
    self.selection = selection
    self.showsWholeMetadata = showsWholeMetadata
  }

  /// The tensors that the selection names.
  public var selected: [Checkpoint.Tensor] {
    guard let selection else { return checkpoint.tensors }
    return checkpoint.tensors.filter { selection.matches($0.name) }
  }

  /// The architecture as the checkpoint states it, and the row of the table that it is.
  var architecture: (stated: String, known: Architecture?)? {
    if checkpoint.format == .gguf {
      guard let stated = checkpoint.metadata["general.architecture"]?.string?.text else {
        return nil
      }
      return (stated, Architecture.all.first { $0.ggufName == stated })
    }
    guard let stated = checkpoint.config?["architectures"]?.array?.first?.string else { return nil }
    return (stated, Architecture.all.first { $0.identifiers.contains(stated) })
  }

  /// Tensors, elements and bytes of each encoding, the largest share of bytes first.
  var encodings: [(encoding: Encoding, tensorCount: Int, elementCount: Int, byteCount: Int)] {
    var totals: [(encoding: Encoding, tensorCount: Int, elementCount: Int, byteCount: Int)] = []
    for tensor in checkpoint.tensors {
      let known = totals.firstIndex { $0.encoding == tensor.type.encoding }
      if known == nil { totals.append((tensor.type.encoding, 0, 0, 0)) }
      let index = known ?? totals.count - 1
      totals[index].tensorCount += 1
      totals[index].elementCount = saturating(
        totals[index].elementCount, tensor.type.shape.elementCount ?? .max)
      totals[index].byteCount = saturating(totals[index].byteCount, tensor.byteCount)
    }
    return totals.sorted { ($1.byteCount, $0.encoding.name) < ($0.byteCount, $1.encoding.name) }
  }
}

private func saturating(_ a: Int, _ b: Int) -> Int {
  let (sum, overflow) = a.addingReportingOverflow(b)
  return overflow ? .max : sum
}
