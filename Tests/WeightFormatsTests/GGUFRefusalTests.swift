import Support
import Testing

/// A file of version 3 that begins with these counts.
private func file(tensors: UInt64 = 0, items: UInt64 = 0) -> GGUFBytes {
  GGUFBytes().header(tensors: tensors, items: items)
}

/// A file with one tensor `w` and this much data.
private func one(
  _ axes: [UInt64], type: UInt32 = 0, offset: UInt64 = 0, rank: UInt32? = nil, data: Int = 0
) -> [UInt8] {
  file(tensors: 1).tensor("w", axes, type: type, offset: offset, rank: rank).padded().zeros(data)
    .bytes
}

/// A file with one item `k`.
private func item(_ type: UInt32, _ value: [UInt8] = []) -> [UInt8] {
  file(items: 1).key("k", type: type).raw(value).bytes
}

/// A file with one array `k`.
private func array(_ type: UInt32, count: UInt64, _ rest: [UInt8] = []) -> [UInt8] {
  file(items: 1).key("k", type: 9).integer(type).count(count).raw(rest).bytes
}

@Suite struct GGUFRefusalTests {
  @Test(arguments: header + keys + values + arrays + alignment + tensors + data)
  func aBrokenRuleIsNamedWithItsPlace(_ item: Refused) {
    #expect(refusal(.gguf, item.bytes) == item.error)
  }

  static let header: [Refused] = [
    Refused(
      "magic: wrong", GGUFBytes().raw("GGML").integer(UInt32(3)).zeros(16).bytes,
      "m: at byte 0: the magic is wrong (expected bytes 47 47 55 46, found bytes 47 47 4D 4C)"),
    Refused(
      "magic: swapped", GGUFBytes().raw("FUGG").integer(UInt32(3)).zeros(16).bytes,
      "m: at byte 0: the magic is wrong (expected bytes 47 47 55 46, found bytes 46 55 47 47)"),
    Refused(
      "version: 0", GGUFBytes(version: 0).header().bytes,
      "m: at byte 4: the version is unknown (expected 1, 2 or 3, found 0)"),
    Refused(
      "version: 4", GGUFBytes(version: 4).header().bytes,
      "m: at byte 4: the version is unknown (expected 1, 2 or 3, found 4)"),
    Refused(
      "version: 4 swapped", GGUFBytes(version: 4, isBigEndian: true).header().bytes,
      "m: at byte 4: the version is unknown (expected 1, 2 or 3, found 4)"),
    Refused(
      "version: 2^32-1", GGUFBytes(version: .max).header().bytes,
      "m: at byte 4: the version is unknown (expected 1, 2 or 3, found 4294967295)"),
    Refused(
      "version: 65536", GGUFBytes(version: 65536).header().bytes,
      "m: at byte 4: the version is unknown (expected 1, 2 or 3, found 256)"),
    Refused(
      "tensors: 2^64-1", file(tensors: .max).bytes,
      "m: at byte 8: the number of tensors is too large (expected at most 0, found 18446744073709551615)"
    ),
    Refused(
      "tensors: 2^63", file(tensors: 1 << 63).zeros(100).bytes,
      "m: at byte 8: the number of tensors is too large (expected at most 4, found 9223372036854775808)"
    ),
    Refused(
      "tensors: one more than fit", file(tensors: 6).zeros(24 * 5 + 15).bytes,
      "m: at byte 8: the number of tensors is too large (expected at most 5, found 6)"),
    Refused(
      "items: 2^64-1", file(items: .max).bytes,
      "m: at byte 16: the number of metadata values is too large (expected at most 0, found 18446744073709551615)"
    ),
    Refused(
      "items: 2^60", file(items: 1 << 60).zeros(100).bytes,
      "m: at byte 16: the number of metadata values is too large (expected at most 7, found 1152921504606846976)"
    ),
    Refused(
      "items: none there", file(items: 1).bytes,
      "m: at byte 16: the number of metadata values is too large (expected at most 0, found 1)"),
  ]

  static let keys: [Refused] = [
    Refused(
      "key: length 2^64-1", file(items: 1).count(.max).zeros(20).bytes,
      "m: at byte 24: a key is too long (expected at most 20, found 18446744073709551615)"),
    Refused(
      "key: over 65535 bytes", file(items: 1).count(65_536).zeros(70_000).bytes,
      "m: at byte 24: a key is too long (expected at most 65535, found 65536)"),
    Refused(
      "key: beyond the file", file(items: 1).count(6).zeros(5).bytes,
      "m: at byte 24: a key is too long (expected at most 5, found 6)"),
    Refused(
      "key: empty", file(items: 1).key("", type: 0).zeros(1).bytes,
      "m: at byte 24: a key is empty (expected at least 1 byte, found 0)"),
    Refused(
      "key: UTF-8", file(items: 1).count(3).raw([0x61, 0xC3, 0x28]).zeros(5).bytes,
      "m: at byte 33: the text is not valid UTF-8 (expected UTF-8, found byte 0xC3)"),
    Refused(
      "key: twice",
      file(items: 2).key("k", type: 0).zeros(1).key("k", type: 1).zeros(1).bytes,
      "m: key 'k': at byte 38: the key comes twice (expected one value, found a second one)"),
  ]

  static let values: [Refused] = [
    Refused(
      "value type: 13", item(13, [0]),
      "m: key 'k': at byte 33: the value type is unknown (expected 0 to 12, found 13)"),
    Refused(
      "value type: 2^32-1", item(.max, [0]),
      "m: key 'k': at byte 33: the value type is unknown (expected 0 to 12, found 4294967295)"
    ),
    Refused(
      "bool: 2", item(7, [2]),
      "m: key 'k': at byte 37: a boolean is neither 0 nor 1 (expected 0 or 1, found 2)"),
    Refused(
      "bool: 255", item(7, [255]),
      "m: key 'k': at byte 37: a boolean is neither 0 nor 1 (expected 0 or 1, found 255)"),
    Refused(
      "u32: cut", item(4, [1, 0, 0]),
      "m: key 'k': at byte 37: the file ends too early (expected 4 bytes, found 3 to the end of the file)"
    ),
    Refused(
      "u64: cut", item(10, [1, 0, 0, 0, 0, 0, 0]),
      "m: key 'k': at byte 37: the file ends too early (expected 8 bytes, found 7 to the end of the file)"
    ),
    Refused(
      "string: length 2^64-1", item(8, [UInt8](repeating: 255, count: 8)),
      "m: key 'k': at byte 37: a string is too long (expected at most 0, found 18446744073709551615)"
    ),
    Refused(
      "string: one byte short", item(8, [2, 0, 0, 0, 0, 0, 0, 0, 0x61]),
      "m: key 'k': at byte 37: a string is too long (expected at most 1, found 2)"),
    Refused(
      "string: UTF-8", item(8, [2, 0, 0, 0, 0, 0, 0, 0, 0x61, 0xFF]),
      "m: key 'k': at byte 46: the text is not valid UTF-8 (expected UTF-8, found byte 0xFF)"),
  ]

  static let arrays: [Refused] = [
    Refused(
      "array: of arrays", array(9, count: 1, [UInt8](repeating: 0, count: 12)),
      "m: key 'k': at byte 37: arrays of arrays are not allowed (expected an element type other than 9, found 9)"
    ),
    Refused(
      "array: of type 13", array(13, count: 0),
      "m: key 'k': at byte 37: the value type is unknown (expected 0 to 12, found 13)"),
    Refused(
      "array: 2^64-1 bytes", array(0, count: .max),
      "m: key 'k': at byte 41: the number of array elements is too large (expected at most 0, found 18446744073709551615)"
    ),
    Refused(
      "array: count × 4 wraps", array(4, count: 1 << 62, [0, 0, 0, 0]),
      "m: key 'k': at byte 41: the number of array elements is too large (expected at most 1, found 4611686018427387904)"
    ),
    Refused(
      "array: count × 8 wraps", array(11, count: 1 << 61, [UInt8](repeating: 0, count: 8)),
      "m: key 'k': at byte 41: the number of array elements is too large (expected at most 1, found 2305843009213693952)"
    ),
    Refused(
      "array: one element short", array(4, count: 2, [0, 0, 0, 0, 0, 0, 0]),
      "m: key 'k': at byte 41: the number of array elements is too large (expected at most 1, found 2)"
    ),
    Refused(
      "array: strings short", array(8, count: 2, [UInt8](repeating: 0, count: 15)),
      "m: key 'k': at byte 41: the number of array elements is too large (expected at most 1, found 2)"
    ),
    Refused(
      "array: bool 2", array(7, count: 3, [0, 1, 2]),
      "m: key 'k': at byte 51: a boolean is neither 0 nor 1 (expected 0 or 1, found 2)"),
    Refused(
      "array: text", array(8, count: 1, [1, 0, 0, 0, 0, 0, 0, 0, 0xC0]),
      "m: key 'k': at byte 57: the text is not valid UTF-8 (expected UTF-8, found byte 0xC0)"),
  ]

  static let alignment: [Refused] = [
    Refused(
      "alignment: 0", file(items: 1).alignment(0).bytes,
      "m: key 'general.alignment': at byte 24: the alignment is not usable (expected a u32 that is a power of two, found u32 0)"
    ),
    Refused(
      "alignment: 24", file(items: 1).alignment(24).bytes,
      "m: key 'general.alignment': at byte 24: the alignment is not usable (expected a u32 that is a power of two, found u32 24)"
    ),
    Refused(
      "alignment: 13", file(items: 1).alignment(13).bytes,
      "m: key 'general.alignment': at byte 24: the alignment is not usable (expected a u32 that is a power of two, found u32 13)"
    ),
    Refused(
      "alignment: 2^32-1", file(items: 1).alignment(.max).bytes,
      "m: key 'general.alignment': at byte 24: the alignment is not usable (expected a u32 that is a power of two, found u32 4294967295)"
    ),
    Refused(
      "alignment: i32", file(items: 1).key("general.alignment", type: 5).zeros(4).bytes,
      "m: key 'general.alignment': at byte 24: the alignment is not usable (expected a u32 that is a power of two, found i32 0)"
    ),
    Refused(
      "alignment: u64", file(items: 1).key("general.alignment", type: 10).integer(32).bytes,
      "m: key 'general.alignment': at byte 24: the alignment is not usable (expected a u32 that is a power of two, found u64 32)"
    ),
    Refused(
      "alignment: text", file(items: 1).key("general.alignment", type: 8).string("32").bytes,
      "m: key 'general.alignment': at byte 24: the alignment is not usable (expected a u32 that is a power of two, found string)"
    ),
  ]

  static let tensors: [Refused] = [
    Refused(
      "name: length 2^64-1", file(tensors: 1).count(.max).zeros(40).bytes,
      "m: at byte 24: a tensor name is too long (expected at most 40, found 18446744073709551615)"),
    Refused(
      "name: 64 bytes",
      file(tensors: 1).tensor(String(repeating: "n", count: 64), [1]).padded().zeros(4).bytes,
      "m: at byte 24: a tensor name is too long (expected at most 63, found 64)"),
    Refused(
      "name: NUL", file(tensors: 1).tensor("w\0v", [1]).padded().zeros(4).bytes,
      "m: tensor 'w\\u{0}v': at byte 24: the tensor name has a zero byte (expected text without, found one)"
    ),
    Refused(
      "name: UTF-8", file(tensors: 1).count(1).raw([0xFE]).zeros(40).bytes,
      "m: at byte 32: the text is not valid UTF-8 (expected UTF-8, found byte 0xFE)"),
    Refused(
      "name: twice",
      file(tensors: 2).tensor("w", [1]).tensor("w", [1], offset: 32).padded().zeros(64).bytes,
      "m: tensor 'w': at byte 57: the tensor name comes twice (expected one tensor, found a second one)"
    ),
    Refused(
      "rank: 5", one([1, 1, 1, 1, 1], data: 4),
      "m: tensor 'w': at byte 33: the tensor has too many axes (expected at most 4, found 5)"),
    Refused(
      "rank: 2^32-1", one([], rank: .max, data: 64),
      "m: tensor 'w': at byte 33: the tensor has too many axes (expected at most 4, found 4294967295)"
    ),
    Refused(
      "axis: 2^63", one([1 << 63]),
      "m: tensor 'w': at byte 37: an axis of the tensor is too long (expected less than 2^63, found 9223372036854775808)"
    ),
    Refused(
      "axis: 2^64-1", one([.max]),
      "m: tensor 'w': at byte 37: an axis of the tensor is too long (expected less than 2^63, found 18446744073709551615)"
    ),
    Refused(
      "axis: product wraps", one([1 << 32, 1 << 32]),
      "m: tensor 'w': at byte 37: the tensor is too large (expected less than 2^63 bits, found F32 [4294967296, 4294967296])"
    ),
    Refused(
      "axis: product wraps to 2", one([3, 6_148_914_691_236_517_206], data: 8),
      "m: tensor 'w': at byte 37: the tensor is too large (expected less than 2^63 bits, found F32 [6148914691236517206, 3])"
    ),
    Refused(
      "axis: wraps beside a zero", one([1 << 40, 0, 1 << 40]),
      "m: tensor 'w': at byte 37: the tensor is too large (expected less than 2^63 bits, found F32 [1099511627776, 0, 1099511627776])"
    ),
    Refused(
      "axis: bytes wrap", one([1 << 60]),
      "m: tensor 'w': at byte 37: the tensor is too large (expected less than 2^63 bits, found F32 [1152921504606846976])"
    ),
    Refused(
      "axis: (2^63-1, 2)", one([1 << 63 - 1, 2]),
      "m: tensor 'w': at byte 37: the tensor is too large (expected less than 2^63 bits, found F32 [2, 9223372036854775807])"
    ),
    Refused(
      "type: Q4_0 rows of 33", one([33], type: 2, data: 64),
      "m: tensor 'w': at byte 37: the rows do not fit the type (expected a multiple of 32 elements, found Q4_0 [33])"
    ),
    Refused(
      "type: Q4_K rows of 32", one([32], type: 12, data: 64),
      "m: tensor 'w': at byte 37: the rows do not fit the type (expected a multiple of 256 elements, found Q4_K [32])"
    ),
    Refused(
      "type: Q8_0 scalar", one([], type: 8, data: 64),
      "m: tensor 'w': at byte 37: the rows do not fit the type (expected a multiple of 32 elements, found Q8_0 [])"
    ),
    Refused(
      "type: removed", one([32], type: 4, data: 64),
      "m: tensor 'w': at byte 45: the tensor type was removed from ggml (expected a type of the table in ggml.h, found 4 (Q4_2))"
    ),
    Refused(
      "type: removed repack", one([32], type: 31, data: 64),
      "m: tensor 'w': at byte 45: the tensor type was removed from ggml (expected a type of the table in ggml.h, found 31 (Q4_0_4_4))"
    ),
    Refused(
      "type: foreign", one([32], type: 137, data: 64),
      "m: tensor 'w': at byte 45: the tensor type is one of ik_llama.cpp only (expected a type of the table in ggml.h, found 137)"
    ),
    Refused(
      "type: unknown", one([32], type: 43, data: 64),
      "m: tensor 'w': at byte 45: the tensor type is unknown (expected a type of the table in ggml.h, found 43)"
    ),
    Refused(
      "type: 2^32-1", one([32], type: .max, data: 64),
      "m: tensor 'w': at byte 45: the tensor type is unknown (expected a type of the table in ggml.h, found 4294967295)"
    ),
    Refused(
      "offset: 2^64-1", one([1], offset: .max, data: 4),
      "m: tensor 'w': at byte 49: the tensor's offset is too large (expected less than 2^63, found 18446744073709551615)"
    ),
    Refused(
      "offset: not 0", one([1], offset: 32, data: 64),
      "m: tensor 'w': at byte 49: the tensor does not follow the one before it (expected offset 0, found 32)"
    ),
    Refused(
      "offset: gap",
      file(tensors: 2).tensor("w", [1]).tensor("v", [1], offset: 64).padded().zeros(96).bytes,
      "m: tensor 'v': at byte 82: the tensor does not follow the one before it (expected offset 32, found 64)"
    ),
    Refused(
      "offset: overlap",
      file(tensors: 2).tensor("w", [9]).tensor("v", [1], offset: 32).padded().zeros(96).bytes,
      "m: tensor 'v': at byte 82: the tensor does not follow the one before it (expected offset 64, found 32)"
    ),
    Refused(
      "offset: unaligned",
      file(tensors: 2).tensor("w", [1]).tensor("v", [1], offset: 4).padded().zeros(64).bytes,
      "m: tensor 'v': at byte 82: the tensor does not follow the one before it (expected offset 32, found 4)"
    ),
    Refused(
      "offset: out of order",
      file(tensors: 2).tensor("w", [1], offset: 32).tensor("v", [1]).padded().zeros(64).bytes,
      "m: tensor 'w': at byte 49: the tensor does not follow the one before it (expected offset 0, found 32)"
    ),
    Refused(
      "table: cut", file(tensors: 1).string("w").integer(UInt32(1)).zeros(12).bytes,
      "m: tensor 'w': at byte 49: the file ends too early (expected 8 bytes, found 0 to the end of the file)"
    ),
  ]

  static let data: [Refused] = [
    Refused(
      "data: none", one([2]),
      "m: tensor 'w': at byte 64: the file ends before the tensor's last byte (expected 72 bytes, found 64)"
    ),
    Refused(
      "data: one byte short", one([2], data: 7),
      "m: tensor 'w': at byte 71: the file ends before the tensor's last byte (expected 72 bytes, found 71)"
    ),
    Refused(
      "data: padding missing too", file(tensors: 1).tensor("w", [2]).bytes,
      "m: tensor 'w': at byte 57: the file ends before the tensor's last byte (expected 72 bytes, found 57)"
    ),
    Refused(
      "data: 4 TiB", one([1 << 40], data: 64),
      "m: tensor 'w': at byte 128: the file ends before the tensor's last byte (expected 4398046511168 bytes, found 128)"
    ),
    Refused(
      "data: start + size wraps", one([32 * 271_275_648_142_787_523], type: 8),
      "m: tensor 'w': at byte 64: the file ends before the tensor's last byte (expected fewer bytes, found 64)"
    ),
    Refused(
      "data: padded size wraps",
      file(tensors: 2).tensor("w", [1 << 63 - 1], type: 24).tensor("v", [1]).bytes,
      "m: tensor 'w': at byte 37: the tensor is too large (expected less than 2^63 bits, found I8 [9223372036854775807])"
    ),
    Refused(
      "data: alignment 2^31",
      file(tensors: 1, items: 1).alignment(1 << 31).tensor("w", [1]).zeros(64).bytes,
      "m: tensor 'w': at byte 154: the file ends before the tensor's last byte (expected 2147483652 bytes, found 154)"
    ),
    Refused(
      "data: second tensor",
      file(tensors: 2).tensor("w", [1]).tensor("v", [1], offset: 32).padded().zeros(35).bytes,
      "m: tensor 'v': at byte 131: the file ends before the tensor's last byte (expected 132 bytes, found 131)"
    ),
  ]
}
