import GraphRewriting
import TensorTypes

/// A contiguous piece of an output tensor: where its elements come from and what becomes of them.
public struct Piece: Sendable, Hashable {
  public enum Origin: Sendable, Hashable {
    case view(View)
    case literal([Float])
    /// One value so many times.
    case fill(Float, count: Int)
  }

  /// Scales beside the codes of a source tensor.
  public struct Scales: Sendable, Hashable {
    /// The number of the source tensor that holds them.
    public let source: Int
    public let grid: ScaleGrid
    /// The shape of the codes in the source.
    public let shape: Shape
  }

  /// A tensor that comes from quantizing whole rows.
  public struct Quantization: Sendable, Hashable {
    public let scheme: QuantScheme
    public let part: QuantPart
    /// The node of the matrix: parts of one matrix by one scheme are computed together.
    public let matrix: NodeID
    public let shape: Shape
    /// The number of the source tensor that holds the bias, where the part needs one.
    public let bias: Int?
    /// Rows that are computed together: those that share bytes, scales or tiles.
    public var rowMultiple: Int

    init(
      scheme: QuantScheme, part: QuantPart, matrix: NodeID, shape: Shape, bias: Int?
    ) {
      self.scheme = scheme
      self.part = part
      self.matrix = matrix
      self.shape = shape
      self.bias = bias
      rowMultiple = scheme.rowMultiple
    }
  }

  public let origin: Origin
  /// What the elements of the source are multiplied with as they become F32.
  public let scales: Scales?
  /// The encoding in the source file, then those it passes through; the last is the output's, or
  /// that of the matrix that is quantized.
  public let encodings: [Encoding]
  public private(set) var quantization: Quantization?
  /// How whole rows are transposed and tiled once they have the last encoding; nil for those that
  /// stay.
  public let bands: Bands?
  /// The length of the rows that are encoded whole; nil where any blocks may be.
  public let wholeRowLength: Int?

  init(
    origin: Origin, scales: Scales? = nil, encodings: [Encoding],
    quantization: Quantization? = nil, bands: Bands? = nil, wholeRowLength: Int? = nil
  ) {
    self.origin = origin
    self.scales = scales
    self.encodings = encodings
    self.quantization = quantization
    self.bands = bands
    self.wholeRowLength = wholeRowLength
  }

  /// The piece with its last encoding made from whole rows of F32.
  func encodingWholeRows(of length: Int) -> Piece {
    let before = encodings.dropLast()
    return Piece(
      origin: origin, scales: scales,
      encodings: before + (before.last == .f32 ? [] : [.f32]) + encodings.suffix(1),
      wholeRowLength: length)
  }

  /// The elements that are read; the output of a quantization may have others.
  var elementCount: Int {
    switch origin {
    case .view(let view): view.elementCount
    case .literal(let values): values.count
    case .fill(_, let count): count
    }
  }

  /// - Units: bytes in the output.
  var byteCount: Int {
    if let bands {
      return bands.elementCount(rowCount: bands.rowCount).bytes(storedEncoding)
    }
    if let quantization { return quantization.byteCount }
    return elementCount.bytes(encodings[encodings.count - 1])  // there is at least one
  }

  /// The encoding in the output.
  var storedEncoding: Encoding {
    // The graph has checked both.
    guard let quantization else { return encodings.last! }
    return quantization.part.type(of: quantization.shape, quantization.scheme)!.encoding
  }

  /// The same elements with one more encoding at the end.
  func converted(to encoding: Encoding) -> Piece {
    Piece(origin: origin, scales: scales, encodings: encodings + [encoding], bands: bands)
  }

  /// The same rows, transposed and tiled.
  func inBands(_ bands: Bands) -> Piece {
    Piece(
      origin: origin, scales: scales, encodings: encodings, quantization: quantization,
      bands: bands)
  }

  /// The same with more rows computed together.
  func quantizing(rowsBy multiple: Int) -> Piece {
    var copy = self
    copy.quantization?.rowMultiple = multiple
    return copy
  }

  /// The elements of another walk over the same source.
  func with(_ view: View) -> Piece {
    Piece(origin: .view(view), scales: scales, encodings: encodings)
  }
}
