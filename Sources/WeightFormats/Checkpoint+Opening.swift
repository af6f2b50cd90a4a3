import ByteIO
import TensorTypes

extension Checkpoint {
  /// Opens a weight file, a shard index, the first part of a split GGUF, or a folder with any of
  /// them. Headers only; the format is found by content.
  ///
  /// A folder is searched for one index, then for `model*.safetensors`, then for any safetensors
  /// files, then for GGUF files. A later part of a split GGUF is opened on its own.
  ///
  /// - Throws: `missingInput`, `badInput`, `inputOutput`.
  public static func open(_ path: String) throws(Failure) -> Checkpoint {
    if let folder = try? Folder(path: path) { return try open(folder: folder) }
    let source = try InputFile(path: path)
    let parent = try Folder(path: parentFolder(of: path))
    if let index = try indexText(source) {
      return try open(index: index, file: path, in: parent, path: path)
    }
    let first = try openFile(source)
    if first.manifest.format == .gguf { return try open(split: first, path: path) }
    return try Checkpoint(
      path: path, files: [first], folder: parent, config: try parent.json("config.json"))
  }

  private static func open(folder: Folder) throws(Failure) -> Checkpoint {
    let config = try folder.json("config.json")
    let indexes = folder.names.filter { $0.hasSuffix(".safetensors.index.json") }
    if let name = indexes.contains("model.safetensors.index.json")
      ? "model.safetensors.index.json" : indexes.first
    {
      guard indexes.count == 1 || name == "model.safetensors.index.json" else {
        throw Failure(
          .badInput, "the folder has several indexes; give the one you want", file: folder.path,
          expected: "one", found: indexes.joined(separator: ", "))
      }
      let file = folder.path(of: name)
      guard let text = try folder.bytes(of: name) else {
        throw Failure(.missingInput, "the index cannot be read", file: file)
      }
      return try open(index: text, file: file, in: folder, path: folder.path)
    }
    let safetensors = folder.names.filter { $0.hasSuffix(".safetensors") }
    let models = safetensors.filter { $0.hasPrefix("model") }
    let names = models.isEmpty ? safetensors : models
    if !names.isEmpty {
      try checkShardNames(names, in: folder)
      let files = try concurrentMap(names) { (name) throws(Failure) in
        try openFile(InputFile(path: folder.path(of: name)))
      }
      return try Checkpoint(path: folder.path, files: files, folder: folder, config: config)
    }
    let parts = folder.names.filter { $0.hasSuffix(".gguf") }
    guard let first = parts.first else {
      throw Failure(
        .missingInput, "the folder holds no weights", file: folder.path,
        expected: "*.safetensors.index.json, *.safetensors or *.gguf", found: "none of them")
    }
    let checkpoint = try open(folder.path(of: first))
    if let split = try GGUFSplit(checkpoint.files[0].manifest.metadata, file: first),
      split.number > 0
    {
      throw Failure(
        .missingInput, "the first part is missing", file: folder.path,
        expected: "a name ending in \(GGUFSplit.suffix(number: 0, count: split.count))",
        found: "'\(first)' and later")
    }
    guard checkpoint.files.count == parts.count else {
      throw Failure(
        .badInput, "the folder holds several GGUF models; give the file you want",
        file: folder.path, expected: "one", found: parts.joined(separator: ", "))
    }
    return checkpoint
  }

  /// Files named `model-00001-of-00003.safetensors` must be complete, with nothing left over.
  private static func checkShardNames(_ names: [String], in folder: Folder) throws(Failure) {
    guard let shard = names.lazy.compactMap(ShardName.init).first else { return }
    let present = Set(names)
    if let absent = (1...shard.count).lazy.map(shard.name(of:)).first(where: {
      !present.contains($0)
    }) {
      throw Failure(
        .missingInput, "a shard is missing", file: folder.path,
        expected: "\(shard.count) files, as their names say", found: "no '\(absent)'")
    }
    guard names.count == shard.count else {
      throw Failure(
        .badInput, "the folder holds several models; give the file you want", file: folder.path,
        expected: "\(shard.count) files, as their names say", found: "\(names.count)")
    }
  }

  private static func open(
    index text: [UInt8], file: String, in folder: Folder, path: String
  ) throws(Failure) -> Checkpoint {
    let index = try SafetensorsIndex(parsing: text, file: file)
    guard !index.shards.isEmpty else {
      throw Failure(
        .badInput, "the index names no tensor", file: file, subject: .key("weight_map"),
        expected: "at least one", found: "none")
    }
    var (files, places) = try shards(of: index, file: file, in: folder)
    let found = try concurrentMap(files) { [places] (file) throws(Failure) in
      file.manifest.tensors.map { places[$0.name] }
    }
    let tensors = try tensors(of: files, found, index, file: file, positions: &places)
    return Checkpoint(
      path: path, files: files, tensors: tensors, positions: places, folder: folder,
      config: try folder.json("config.json"))
  }

  /// The files that an index names, and the position in it of each name, which are hashed while
  /// headers are read.
  private static func shards(
    of index: SafetensorsIndex, file: String, in folder: Folder
  ) throws(Failure) -> (files: [File], places: [ByteString: Int]) {
    enum Part: Sendable {
      case places([ByteString: Int])
      case shard(File)
    }
    let parts = try concurrentMap(Array(-1..<index.shards.count)) { (number) throws(Failure) in
      number < 0
        ? Part.places(try index.placesByName(file: file))
        : .shard(try open(shard: number, of: index, file: file, in: folder))
    }
    var result: (files: [File], places: [ByteString: Int]) = ([], [:])
    for part in parts {
      switch part {
      case .places(let places): result.places = places
      case .shard(let file): result.files.append(file)
      }
    }
    return result
  }

  private static func open(
    shard number: Int, of index: SafetensorsIndex, file: String, in folder: Folder
  ) throws(Failure) -> File {
    let opened: File
    do throws(Failure) {
      opened = try openFile(InputFile(path: folder.path(of: index.shards[number])))
    } catch {
      throw error.kind == .missingInput ? missing(number, error, index, file) : error
    }
    guard opened.manifest.format == .safetensors else {
      throw Failure(
        .badInput, "a shard is in another format", file: opened.source.name,
        expected: "safetensors", found: opened.manifest.format.rawValue)
    }
    return opened
  }

  /// All tensors, after a check that the index names each one once, in the file where it is, and no
  /// others.
  ///
  /// - Parameter places: the position in the index of each tensor of each file.
  /// - Parameter byName: the position in the index of each name; afterwards, that in the result.
  private static func tensors(
    of files: [File], _ places: [[Int?]], _ index: SafetensorsIndex, file: String,
    positions byName: inout [ByteString: Int]
  ) throws(Failure) -> [Tensor] {
    var tensors: [Tensor] = []
    tensors.reserveCapacity(index.places.count)
    var positions = [Int](repeating: -1, count: index.places.count)
    for (number, shard) in files.enumerated() {
      for (tensor, place) in zip(shard.tensors(number: number), places[number]) {
        let stated = place.map { index.shards[index.places[$0].shard] }
        if let place, positions[place] >= 0 {
          throw repeated(tensor, files, other: tensors[positions[place]].file)
        }
        guard let place, index.places[place].shard == number else {
          throw Failure(
            .badInput, "the index and the shards disagree", file: file,
            subject: .tensor(tensor.name), offset: place.map { index.places[$0].offset },
            expected: stated.map { "in \($0)" } ?? "not there",
            found: "in \(index.shards[number])")
        }
        positions[place] = tensors.count
        tensors.append(tensor)
      }
    }
    if let place = positions.firstIndex(of: -1) {
      throw Failure(
        .badInput, "a tensor of the index is in no shard", file: file,
        subject: .tensor(index.places[place].tensor), offset: index.places[place].offset,
        expected: "in \(index.shards[index.places[place].shard])", found: "nowhere")
    }
    var bucket = byName.values.startIndex
    while bucket != byName.values.endIndex {
      byName.values[bucket] = positions[byName.values[bucket]]
      byName.values.formIndex(after: &bucket)
    }
    return tensors
  }

  private static func missing(
    _ number: Int, _ failure: Failure, _ index: SafetensorsIndex, _ file: String
  ) -> Failure {
    let tensors = index.places.count { $0.shard == number }
    var copy = failure
    copy.message = "a shard that holds \(tensors) tensors of the index cannot be opened"
    copy.expected = "a file, as \(file) says"
    copy.found = failure.message
    return copy
  }

  private static func open(split first: File, path: String) throws(Failure) -> Checkpoint {
    let split = try GGUFSplit(first.manifest.metadata, file: path)
    let own = first.manifest.metadata.items.filter { !GGUFSplit.keys.contains($0.key) }
    let metadata = Metadata(own.map { ($0.key, $0.value) })
    let parent = try Folder(path: parentFolder(of: path))
    let config: JSON? = nil
    guard let split, split.count > 1, split.number == 0 else {
      return try Checkpoint(
        path: path, files: [first], folder: parent, config: config,
        metadata: split == nil || split?.number == 0 ? metadata : nil)
    }
    var files = [first]
    for number in 1..<split.count {
      guard let name = split.path(of: number, from: path) else {
        throw Failure(
          .badInput, "the part is not named as its metadata says", file: path,
          expected: "a name ending in \(GGUFSplit.suffix(number: 0, count: split.count))",
          found: "another")
      }
      let part = try openFile(InputFile(path: name))
      let other = try GGUFSplit(part.manifest.metadata, file: name)
      guard part.manifest.format == .gguf, let other, other.number == number,
        other.count == split.count
      else {
        throw Failure(
          .badInput, "the file is not the part its name says", file: name,
          expected: "part \(number) of \(split.count), counted from 0",
          found: other.map { "part \($0.number) of \($0.count)" } ?? "a file that is not split")
      }
      files.append(part)
    }
    let checkpoint = try Checkpoint(
      path: path, files: files, folder: parent, config: config, metadata: metadata)
    if let expected = split.tensorCount, expected != checkpoint.tensors.count {
      throw Failure(
        .badInput, "the parts hold another number of tensors than the first says", file: path,
        subject: .key(GGUFSplit.tensorCountKey), expected: "\(expected)",
        found: "\(checkpoint.tensors.count)")
    }
    return checkpoint
  }

  /// Reads one weight file's header, through zstd when it is compressed.
  private static func openFile(_ file: InputFile) throws(Failure) -> File {
    let start = try file.bytes(at: 0, atMost: 4)
    let isCompressed = ZstdSource.recognises(start)
    let source: any ByteSource = isCompressed ? try ZstdSource(file) : file
    let manifest = try Format.of(source).read(source)
    return File(source: source, manifest: manifest, isCompressed: isCompressed)
  }

  /// The whole text when the file is a shard index; nil when it is something else.
  private static func indexText(_ file: InputFile) throws(Failure) -> [UInt8]? {
    let start = try file.bytes(at: 0, atMost: 16)
    let first = start.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    guard first == UInt8(ascii: "{"), !Format.all.contains(where: { $0.recognises(start) }) else {
      return nil
    }
    guard file.byteCount <= Folder.fileByteLimit else { return nil }
    return try file.bytes(at: 0, count: file.byteCount)
  }
}

/// The folder that a path lies in, as far as the path says.
private func parentFolder(of path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}
