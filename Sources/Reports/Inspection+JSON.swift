import ByteIO
import TensorTypes
import WeightFormats

extension Inspection {
  /// For programs, of the schema `port.inspect/1`.
  public var json: JSON {
    let names = checkpoint.files.map { JSON.text($0.source.name) }
    let encodings = self.encodings.map { row in
      JSON.members([
        "dtype": .text(row.encoding.name), "tensors": .integer(row.tensorCount),
        "elements": .integer(row.elementCount), "bytes": .integer(row.byteCount),
      ])
    }
    var metadata = JSONObject()
    for item in checkpoint.metadata.items {
      metadata.append(
        item.key, .members(["type": .text(item.value.typeName), "value": item.value.json]))
    }
    return .members([
      "schema": .text("port.inspect/1"),
      "path": .text(checkpoint.path),
      "format": .text(checkpoint.format.rawValue),
      "architecture": architecture.map { .text($0.known?.name ?? $0.stated) },
      "parameters": .integer(checkpoint.parameterCount),
      "bytes": .integer(checkpoint.payloadByteCount),
      "dtypes": .array(encodings),
      "files": .array(checkpoint.files.map(\.json)),
      "metadata": .object(metadata),
      "tensors": .array(
        selected.map { tensor in
          .members([
            "name": .string(tensor.name), "dtype": .text(tensor.type.encoding.name),
            "shape": .array(tensor.type.shape.axes.map(JSON.integer)),
            "bytes": .integer(tensor.byteCount), "file": names[tensor.file],
            "offset": .integer(tensor.offset),
          ])
        }),
      "statistics": values?.json,
      "notes": .array(checkpoint.notes.map(JSON.text)),
    ])
  }
}

extension Checkpoint.File {
  fileprivate var json: JSON {
    .members([
      "path": .text(source.name),
      "bytes": .integer(manifest.fileByteCount),
      "tensors": .integer(manifest.tensors.count),
      "version": manifest.version.map(JSON.integer),
      "byte_order": .text(manifest.byteOrder.rawValue),
      "compressed": .bool(isCompressed),
    ])
  }
}

extension MetadataValue {
  /// Numbers as numbers; those that JSON cannot hold exactly as text.
  var json: JSON {
    switch self {
    case .string(let text): .string(text)
    case .bool(let value): .bool(value)
    case .float32(let value): value.isFinite ? .number(Double(value)) : .text("\(value)")
    case .float64(let value): value.isFinite ? .number(value) : .text("\(value)")
    case .uint64(let value): Int(exactly: value).map(JSON.integer) ?? .text("\(value)")
    case .array(let array): .array((0..<array.count).map { array.element($0).json })
    default: integer.map(JSON.integer) ?? .null
    }
  }
}

extension MetadataArray {
  /// One element as a value of its own.
  func element(_ index: Int) -> MetadataValue {
    switch self {
    case .uint8(let a): .uint8(a[index])
    case .int8(let a): .int8(a[index])
    case .uint16(let a): .uint16(a[index])
    case .int16(let a): .int16(a[index])
    case .uint32(let a): .uint32(a[index])
    case .int32(let a): .int32(a[index])
    case .uint64(let a): .uint64(a[index])
    case .int64(let a): .int64(a[index])
    case .float32(let a): .float32(a[index])
    case .float64(let a): .float64(a[index])
    case .bool(let a): .bool(a[index])
    case .string(let a): .string(a[index])
    }
  }
}
