import ByteIO
import TensorTypes

/// How much each input of a model's matrices matters to a quantizer: the mean square of the inputs
/// over some text, as llama.cpp's `imatrix` tool writes it.
///
/// Values stay in the file until they are asked for.
///
/// - Source: llama.cpp `common/imatrix-loader.cpp`, `tools/quantize/quantize.cpp`.
public struct ImportanceMatrix: Sendable {
  /// The weights of one tensor: those of all its matrices, one after another.
  public struct Entry: Sendable {
    let source: any ByteSource
    /// - Units: bytes from the start of the file to the sums, which are F32.
    let offset: Int
    /// - Units: values in all.
    public let count: Int
    /// What the sums of each matrix are divided by; 0 for a matrix without any input.
    let divisors: [Float]
  }

  public let path: String
  /// Where the text came from.
  public let datasets: [ByteString]
  public let chunkCount: Int
  public let entries: [ByteString: Entry]

  /// Reads a file of either form and checks every value.
  ///
  /// - Throws: `missingInput`, `inputOutput`; `badInput` for a file that is no importance matrix,
  ///   and for values that are negative or not finite.
  public init(path: String) throws(Failure) {
    let file = try InputFile(path: path)
    let start = try file.bytes(at: 0, count: min(16, file.byteCount))
    self =
      Format[.gguf].recognises(start)
      ? try ImportanceMatrix(gguf: file) : try ImportanceMatrix(binary: file)
    for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
      do throws(Failure) {
        try entry.check()
      } catch {
        throw error.located(subject: .tensor(name))
      }
    }
  }

  private init(
    path: String, datasets: [ByteString], chunkCount: Int, entries: [ByteString: Entry]
  ) {
    self.path = path
    self.datasets = datasets
    self.chunkCount = chunkCount
    self.entries = entries
  }

  // MARK: - GGUF

  /// A tensor `NAME.in_sum2` of sums and one `NAME.counts` for each entry.
  private init(gguf file: InputFile) throws(Failure) {
    let manifest = try Format[.gguf].read(file)
    guard case .array(.string(let datasets)) = manifest.metadata["imatrix.datasets"],
      let chunkCount = manifest.metadata["imatrix.chunk_count"]?.integer,
      manifest.metadata["imatrix.chunk_size"]?.integer != nil
    else {
      throw Failure(
        .badInput, "the file is no importance matrix", file: file.name,
        expected: "the keys imatrix.datasets, imatrix.chunk_count and imatrix.chunk_size",
        found: "not all of them")
    }
    var sums: [ByteString: WeightFormats.Entry] = [:]
    var counts: [ByteString: WeightFormats.Entry] = [:]
    for tensor in manifest.tensors {
      if let name = tensor.name.dropping(suffix: ".in_sum2") { sums[name] = tensor }
      if let name = tensor.name.dropping(suffix: ".counts") { counts[name] = tensor }
    }
    var entries: [ByteString: Entry] = [:]
    for name in Set(sums.keys).union(counts.keys) {
      guard let sum = sums[name], let count = counts[name], sum.type.encoding == .f32,
        count.type.encoding == .f32, let valueCount = sum.type.shape.elementCount,
        let matrixCount = count.type.shape.elementCount, matrixCount > 0,
        valueCount % matrixCount == 0
      else {
        throw Failure(
          .badInput, "sums and counts do not fit each other", file: file.name,
          subject: .tensor(name), expected: "F32 tensors, and whole rows for each count",
          found: "\(sums[name]?.type.description ?? "no sums"), "
            + (counts[name]?.type.description ?? "no counts"))
      }
      var cursor = Cursor(file, position: count.offset)
      cursor.byteOrder = manifest.byteOrder
      var divisors: [Float] = []
      for _ in 0..<matrixCount {
        let value = Float(bitPattern: try cursor.read(UInt32.self))
        divisors.append(value.isFinite && value > 0 ? value.rounded(.toNearestOrAwayFromZero) : 0)
      }
      entries[name] = Entry(
        source: file, offset: sum.offset, count: valueCount, divisors: divisors)
    }
    guard manifest.byteOrder == .little else {
      throw Failure(
        .badInput, "the importance matrix is big-endian", file: file.name, offset: 4,
        expected: "little-endian", found: "big-endian")
    }
    self.init(path: file.name, datasets: datasets, chunkCount: chunkCount, entries: entries)
  }

  // MARK: - The older form

  /// A count of entries; for each its name, the number of calls, and the sums; then, if it is
  /// there, the number of chunks and the name of the text.
  private init(binary file: InputFile) throws(Failure) {
    var cursor = Cursor(file)
    let entryCount = try cursor.count("entries", atLeast: 1, leastByteCount: 16)
    var entries: [ByteString: Entry] = [:]
    for _ in 0..<entryCount {
      let name = try cursor.readText(try cursor.count("bytes of a name", atLeast: 1))
      do throws(Failure) {
        let calls = try cursor.read(Int32.self)
        let count = try cursor.count("values", atLeast: 1, leastByteCount: 4)
        let entry = Entry(
          source: file, offset: cursor.position, count: count,
          divisors: [calls > 0 ? Float(calls) : 1])
        try cursor.skip(4 * count)
        guard entries.updateValue(entry, forKey: name) == nil else {
          throw Failure(.badInput, "the entry comes twice", file: file.name)
        }
      } catch {
        throw error.located(subject: .tensor(name))
      }
    }
    var chunkCount = 0
    var datasets: [ByteString] = []
    if cursor.remaining >= 4 {
      chunkCount = Int(max(0, try cursor.read(Int32.self)))
      if cursor.remaining >= 4 {
        datasets = [try cursor.readText(try cursor.count("bytes of a name", atLeast: 0))]
      }
    }
    self.init(path: file.name, datasets: datasets, chunkCount: chunkCount, entries: entries)
  }
}

extension ImportanceMatrix.Entry {
  /// The weights of matrix `number`, of so many that the tensor has: sums over counts, and 1 for a
  /// matrix that saw no input.
  ///
  /// - Precondition: `matrixCount` divides `count`.
  /// - Throws: `inputOutput`, `badInput`.
  public func weights(_ number: Int, of matrixCount: Int) throws(Failure) -> [Float] {
    let length = count / matrixCount
    let divisorLength = count / divisors.count
    var values = try sums(from: number * length, count: length)
    for index in 0..<length {
      let divisor = divisors[(number * length + index) / divisorLength]
      values[index] = divisor > 0 ? values[index] / divisor : 1
    }
    return values
  }

  /// - Throws: `badInput` for the first value that is negative or not finite.
  fileprivate func check() throws(Failure) {
    let step = 1 << 16
    for start in stride(from: 0, to: count, by: step) {
      let values = try sums(from: start, count: min(step, count - start))
      guard let index = values.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) else { continue }
      throw Failure(
        .badInput, "the importance is not usable", file: source.name,
        offset: offset + 4 * (start + index), expected: "a number of at least 0",
        found: "\(values[index])")
    }
  }

  private func sums(from start: Int, count: Int) throws(Failure) -> [Float] {
    var failure: Failure?
    let values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      initialized = count
      do throws(Failure) {
        try source.read(at: offset + 4 * start, into: UnsafeMutableRawBufferPointer(buffer))
      } catch {
        failure = error
        buffer.initialize(repeating: 0)
      }
    }
    if let failure { throw failure }
    return values
  }
}

extension Cursor {
  /// A count whose things need at least so many bytes each.
  fileprivate mutating func count(
    _ what: String, atLeast least: Int, leastByteCount: Int = 1
  ) throws(Failure) -> Int {
    let offset = position
    let raw = Int(try read(Int32.self))
    guard raw >= least, raw <= remaining / leastByteCount else {
      throw Failure(
        .badInput, "the number of \(what) is not usable", file: source.name, offset: offset,
        expected: "\(least) to \(remaining / leastByteCount)", found: "\(raw)")
    }
    return raw
  }
}
