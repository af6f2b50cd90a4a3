import Quantization
import TensorTypes

/// Turns rows of F32 of one tensor into blocks.
struct RowQuantizer {
  let type: TensorType
  let importance: TensorImportance?
  let search: BlockSearch
  /// Whether values are refused that blocks cannot hold.
  let refuses: Bool
  /// The place of the first element that is given.
  /// - Units: elements of the tensor.
  let start: Int
  /// The tensor in which elements are counted, where it is not the source's; for messages.
  var name: ByteString?

  /// Encodes whole rows with the importance of their matrix.
  ///
  /// - Throws: `badInput` for values that blocks cannot hold; what reading the importance throws.
  func encode(
    _ values: UnsafeRawBufferPointer, into blocks: UnsafeMutableRawBufferPointer
  ) throws(Failure) {
    guard let importance, case .block(let block) = type.encoding,
      let encoder = BlockEncoder(block), let elementCount = type.shape.elementCount
    else { throw Failure(.defect, "there is nothing to encode whole rows with") }
    let matrix = elementCount / importance.matrixCount
    let end = start + values.count / 4
    var position = start
    while position < end {
      let number = position / matrix
      let next = min(end, (number + 1) * matrix)
      let from = UnsafeRawBufferPointer(
        rebasing: values[4 * (position - start)..<4 * (next - start)])
      let to = UnsafeMutableRawBufferPointer(
        rebasing: blocks[
          (position - start).bytes(type.encoding)..<(next - start).bytes(type.encoding)])
      let refusal = encoder(
        from, into: to, rowLength: type.shape.rowLength,
        importance: try importance.entry.weights(number, of: importance.matrixCount),
        search: search, refuses: refuses)
      try accept(refusal?.moved(by: position - start))
      position = next
    }
  }

  /// - Throws: `badInput` when there is a refusal, with the place of the element.
  func accept(_ refusal: Refusal?) throws(Failure) {
    switch refusal {
    case nil: return
    case .notFinite(let position, let value):
      throw Failure(
        .badInput, "a value is not finite; --allow-nonfinite quantizes it all the same",
        expected: "finite values", found: "\(value) at \(place(position))")
    case .overflow(let position, let blockCount):
      throw Failure(
        .badInput,
        "values are too large for \(type.encoding); --allow-nonfinite quantizes them all the same",
        expected: "scales up to 65504",
        found:
          "\(blockCount) block\(blockCount == 1 ? "" : "s") with an infinite scale, the first at "
          + place(position))
    }
  }

  /// `[2, 0, 17]`: the indices of an element, and the tensor where it is not the source's.
  private func place(_ position: Int) -> String {
    var rest = start + position
    var indices: [Int] = []
    for axis in type.shape.axes.reversed() {
      indices.append(rest % axis)
      rest /= axis
    }
    let place = Shape(indices.reversed()).description
    return name.map { "\(place) of '\($0)'" } ?? place
  }
}

extension ConversionRequest {
  /// - Throws: `usage` for a type whose scales cannot be searched for as asked.
  func checkSearch(_ type: TensorType) throws(Failure) {
    guard search == .thorough, case .block(let block) = type.encoding,
      !BlockSearch.thoroughTypes.contains(block)
    else { return }
    let names = BlockSearch.thoroughTypes.map(\.name).joined(separator: ", ")
    throw Failure(
      .usage, "there is no thorough search for the tensor's type", expected: "one of \(names)",
      found: block.name)
  }
}
