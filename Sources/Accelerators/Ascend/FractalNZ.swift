import Architectures
import GraphRewriting
import TensorTypes

/// How the weights of layers lie in an Ascend folder.
public enum AscendLayout: String, Sendable, CaseIterable {
  /// As they are, rows of outputs.
  case nd
  /// As they are, and beside them as the matrix unit reads them.
  case nz
}

/// The layout FRACTAL_NZ of a transposed matrix: tiles of 16 rows by 32 bytes, one column of tiles
/// after another, zeros beyond the edges.
///
/// - Source: vllm-ascend 0.23.0, `quantization/methods/w8a8_dynamic.py`; CANN 8, data formats.
public enum FractalNZ {
  /// The folder, beside the files of the matrices as they are, that runtimes do not look into.
  public static let folder = "nz"
  /// What the names of its files have at the end.
  public static let suffix = "_nz"
  /// What its files' metadata say of them; and, by the name of a tensor, the shape that it has as it
  /// is.
  public static let metadata: (key: ByteString, value: String) = ("layout", "FRACTAL_NZ")

  public static let rows = 16

  /// Elements of a row of a tile; nil for types that are never tiled.
  public static func columns(_ encoding: Encoding) -> Int? {
    switch encoding {
    // Two int4 share an I8, so that their tiles are 64 wide.
    case .plain(.i8): 32
    case .plain(.bf16), .plain(.f16): 16
    default: nil
    }
  }

  /// Whether the runtime would tile a tensor.
  public static func applies(to type: TensorType, _ role: RoleInstance?) -> Bool {
    guard let role, role.role.isAscendLinear, role.bindings.part == .weight else { return false }
    return type.shape.rank == 2 && columns(type.encoding) != nil
  }

  /// A matrix `[out, in]` in this layout: `[⌈out / columns⌉, ⌈in / 16⌉, 16, columns]`.
  ///
  /// - Throws: `badInput` for another tensor.
  public static func add(_ matrix: NodeID, to graph: inout WeightGraph) throws(Failure) -> NodeID {
    let type = graph[matrix].type
    guard type.shape.rank == 2, let columns = columns(type.encoding),
      let height = type.shape.axes[1].rounded(upToMultipleOf: rows),
      let width = type.shape.axes[0].rounded(upToMultipleOf: columns)
    else {
      throw Failure(
        .badInput, "the tensor has no such layout", expected: "a matrix of I8, BF16 or F16",
        found: "\(type)")
    }
    let turned = try graph.add(.permute([1, 0]), [matrix])
    return try graph.add(
      .tile(rows: rows, columns: columns), [graph.add(.pad([height, width]), [turned])])
  }
}
