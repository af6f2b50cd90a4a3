import TensorTypes

/// How the blocks of one type are decoded, as its format page says and with its order of float
/// operations.
///
/// - Source: llama.cpp `ggml-common.h`, `ggml-quants.c`; `docs/formats/gguf.md`.
public struct BlockDecoder: Sendable {
  public enum Kind: Sendable {
    /// Each element has a code of its own.
    case scalar(ScalarGrid)
    /// Several elements share a code.
    case codebook(
      @Sendable (_ block: UnsafeRawPointer, _ values: UnsafeMutablePointer<Float>) -> Void)
  }

  public let type: BlockType
  public let kind: Kind

  public static let all: [BlockDecoder] =
    simpleGrids.map { BlockDecoder(type: $0.type, kind: .scalar($0)) }
    + superblockGrids.map { BlockDecoder(type: $0.type, kind: .scalar($0)) }
    + codebookDecoders

  private static let rows = [BlockType: BlockDecoder](
    uniqueKeysWithValues: all.map { ($0.type, $0) })

  /// The decoder of a type; every type of the table has one.
  public static func of(_ type: BlockType) -> BlockDecoder { rows[type]! }

  func decode(
    _ blocks: UnsafeRawPointer, _ values: UnsafeMutablePointer<Double>, blockCount: Int
  ) {
    switch kind {
    case .scalar(let grid):
      let workspace = ScalarBlock(grid)
      defer { workspace.deallocate() }
      for block in 0..<blockCount {
        grid.read(blocks + block * type.byteCount, workspace)
        workspace.writeValues(values + block * type.elementCount)
      }
    case .codebook(let decode):
      withUnsafeTemporaryAllocation(of: Float.self, capacity: type.elementCount) { floats in
        for block in 0..<blockCount {
          decode(blocks + block * type.byteCount, floats.baseAddress!)  // the capacity is not 0
          for index in 0..<type.elementCount {
            values[block * type.elementCount + index] = Double(floats[index])
          }
        }
      }
    }
  }
}

/// A type of block whose element `i` is `level[codeᵢ] · scale + offset`, with scale and offset of
/// its group, all in F32.
public struct ScalarGrid: Sendable {
  public let type: BlockType
  /// Elements that share scale and offset.
  public let groupElementCount: Int
  /// The level of each code.
  public let levels: [Float]
  /// Whether the offset is added; −0 stays −0 where it is not.
  public let hasOffset: Bool
  /// Takes one block apart.
  public let read: @Sendable (_ block: UnsafeRawPointer, _ into: ScalarBlock) -> Void

  init(
    _ type: String, group: Int, levels: [Float], hasOffset: Bool = false,
    _ read: @escaping @Sendable (UnsafeRawPointer, ScalarBlock) -> Void
  ) {
    self.type = BlockType(named: type)!  // the names below are those of the table
    groupElementCount = group
    self.levels = levels
    self.hasOffset = hasOffset
    self.read = read
  }
}

/// One block taken apart: the code of each element, scale and offset of each group.
///
/// Memory that its maker deallocates; it is reused from block to block.
public struct ScalarBlock {
  public let grid: ScalarGrid
  public let codes: UnsafeMutablePointer<UInt8>
  public let scales: UnsafeMutablePointer<Float>
  public let offsets: UnsafeMutablePointer<Float>
  let levels: UnsafeMutablePointer<Float>

  public init(_ grid: ScalarGrid) {
    self.grid = grid
    let groupCount = grid.type.elementCount / grid.groupElementCount
    codes = .allocate(capacity: grid.type.elementCount)
    codes.initialize(repeating: 0, count: grid.type.elementCount)
    scales = .allocate(capacity: groupCount)
    scales.initialize(repeating: 0, count: groupCount)
    offsets = .allocate(capacity: groupCount)
    offsets.initialize(repeating: 0, count: groupCount)
    levels = .allocate(capacity: 256)
    levels.initialize(repeating: 0, count: 256)
    levels.update(from: grid.levels, count: grid.levels.count)
  }

  public func deallocate() {
    codes.deallocate()
    scales.deallocate()
    offsets.deallocate()
    levels.deallocate()
  }

  /// The values of the block that was read last.
  public func writeValues(_ values: UnsafeMutablePointer<Double>) {
    let size = grid.groupElementCount
    for group in 0..<grid.type.elementCount / size {
      let scale = scales[group]
      let offset = offsets[group]
      for index in group * size..<(group + 1) * size {
        let product = levels[Int(codes[index])] * scale
        values[index] = Double(grid.hasOffset ? product + offset : product)
      }
    }
  }
}

extension UnsafeRawPointer {
  @inline(__always)
  func byte(_ offset: Int) -> UInt8 { load(fromByteOffset: offset, as: UInt8.self) }

  @inline(__always)
  func word(_ offset: Int) -> UInt16 { UInt16(byte(offset)) | UInt16(byte(offset + 1)) << 8 }

  @inline(__always)
  func long(_ offset: Int) -> UInt32 { UInt32(word(offset)) | UInt32(word(offset + 2)) << 16 }

  /// The F16 at an offset.
  @inline(__always)
  func half(_ offset: Int) -> Float { ReferenceKernels.half(word(offset)) }
}
