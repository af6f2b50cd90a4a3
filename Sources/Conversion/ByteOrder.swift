import TensorTypes

extension Encoding {
  /// Whether elements of a big-endian file can be turned into little-endian ones.
  var hasKnownByteOrder: Bool { if case .plain = self { true } else { self == .q8_0 } }
}

extension UnsafeMutableRawBufferPointer {
  /// Turns the bytes of each number around; those of a block's scale, where elements are blocks.
  ///
  /// - Precondition: `encoding.hasKnownByteOrder`.
  /// - Source: gguf-py `gguf_convert_endian.py`.
  func swapByteOrder(of encoding: Encoding) {
    guard case .plain(let dtype) = encoding else {
      return swapAll(UInt16.self, every: encoding.unitByteCount)
    }
    switch dtype.byteOrderUnit {
    case 2: swapAll(UInt16.self, every: 2)
    case 4: swapAll(UInt32.self, every: 4)
    case 8: swapAll(UInt64.self, every: 8)
    default: break
    }
  }

  private func swapAll<T: FixedWidthInteger>(_ type: T.Type, every step: Int) {
    for offset in stride(from: 0, to: count, by: step) {
      storeBytes(
        of: loadUnaligned(fromByteOffset: offset, as: T.self).byteSwapped, toByteOffset: offset,
        as: T.self)
    }
  }
}
