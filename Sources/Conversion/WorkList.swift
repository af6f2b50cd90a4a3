import ByteIO
import GraphRewriting
import TensorTypes
import WeightFormats

/// All units of a plan by number.
struct WorkList: Sendable {
  /// A piece of a tensor.
  private struct Place: Sendable {
    let tensor: Int
    let piece: Int
    /// Where the piece begins in its tensor.
    /// - Units: bytes.
    let start: Int
  }

  /// Some units of one piece, or of several that are parts of quantizing the same rows.
  private struct Run: Sendable {
    var places: [Place]
    let firstUnit: Int
  }

  private var runs: [Run] = []
  private(set) var count = 0

  init(_ plan: Plan) {
    var runOfMatrix: [Piece.Quantization.Source: Int] = [:]
    for (number, tensor) in plan.tensors.enumerated() {
      var start = 0
      for (position, piece) in tensor.pieces.enumerated() where piece.elementCount > 0 {
        let place = Place(tensor: number, piece: position, start: start)
        start += piece.byteCount
        if let quantization = piece.quantization {
          if let run = runOfMatrix[quantization.source] {
            runs[run].places.append(place)
            continue
          }
          runOfMatrix[quantization.source] = runs.count
        }
        runs.append(Run(places: [place], firstUnit: count))
        count += piece.unitCount(limit: plan.memory.unitElementLimit)
      }
    }
  }

  /// Reads, converts and writes one unit; returns the bytes written.
  func perform(
    _ number: Int, _ plan: Plan, _ outputs: [OutputFile], _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> Int {
    let run = runs[lastRun(startingAtOrBefore: number)]
    let first = run.places[0]  // every run has one
    let tensor = plan.tensors[first.tensor]
    let piece = tensor.pieces[first.piece]
    do throws(Failure) {
      let unit = piece.unit(number - run.firstUnit, limit: plan.memory.unitElementLimit)
      if piece.quantization != nil {
        return try quantize(unit, of: piece, run, plan, outputs, buffers)
      }
      let encoding = tensor.type.encoding
      let rows = RowQuantizer(
        type: tensor.type, importance: tensor.importance, search: plan.search,
        refuses: !plan.allowsNonfinite,
        start: first.start / encoding.unitByteCount * encoding.unitElementCount + unit.start,
        name: tensor.name == plan.origin(of: piece)?.name ? nil : tensor.name)
      let produced = try piece.produce(unit, from: plan.source, rows, buffers)
      let (bytes, offset) = piece.arranged(produced, at: unit.start.bytes(encoding), buffers)
      try outputs[tensor.file].write(
        bytes, at: tensor.offset + first.start + offset, staging: buffers.staging)
      return bytes.count
    } catch {
      guard error.kind == .badInput, let origin = plan.origin(of: piece) else {
        throw error.located(subject: .tensor(tensor.name))
      }
      throw error.located(
        file: plan.source.files[origin.file].source.name, subject: .tensor(origin.name))
    }
  }

  private func quantize(
    _ unit: Unit, of piece: Piece, _ run: Run, _ plan: Plan, _ outputs: [OutputFile],
    _ buffers: borrowing WorkBuffers
  ) throws(Failure) -> Int {
    // There is a quantization, as the caller has found.
    let matrix = TensorType(shape: piece.quantization!.shape, encoding: .f32)
    let rows = RowQuantizer(
      type: matrix, importance: nil, search: .reference, refuses: !plan.allowsNonfinite,
      start: unit.start)
    var written = 0
    // All pieces of the run are parts of quantizing.
    let pieces = run.places.map { plan.tensors[$0.tensor].pieces[$0.piece] }
    let parts = pieces.map { $0.quantization! }
    try piece.quantize(unit, into: parts, from: plan.source, rows, buffers) {
      (number, part, start) throws(Failure) in
      let place = run.places[number]
      let (bytes, offset) = pieces[number].arranged(part, at: start, buffers)
      let tensor = plan.tensors[place.tensor]
      try outputs[tensor.file].write(
        bytes, at: tensor.offset + place.start + offset, staging: buffers.staging)
      written += bytes.count
    }
    return written
  }

  private func lastRun(startingAtOrBefore unit: Int) -> Int {
    var low = 0
    var high = runs.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if runs[middle].firstUnit <= unit { low = middle } else { high = middle }
    }
    return low
  }
}

extension Plan {
  /// The source tensor that a piece reads; nil for what comes from no tensor.
  fileprivate func origin(of piece: Piece) -> Checkpoint.Tensor? {
    guard case .view(let view) = piece.origin else { return nil }
    return source.tensors[view.source]
  }
}
