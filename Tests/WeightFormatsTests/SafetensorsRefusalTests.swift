import Support
import Testing

private let w = entry("w", [2], 0..<8)

/// The entry `w` with these fields.
private func fields(_ text: String) -> [UInt8] { safetensors("{\"w\":{\(text)}}", data: 1) }

@Suite struct SafetensorsRefusalTests {
  @Test(arguments: length + text + metadata + names + entries + buffer)
  func aBrokenRuleIsNamedWithItsPlace(_ item: Refused) {
    #expect(refusal(.safetensors, item.bytes) == item.error)
  }

  static let length: [Refused] = [
    Refused(
      "S1: empty", [],
      "m: at byte 0: the file ends too early (expected 8 bytes, found 0 to the end of the file)"),
    Refused(
      "S1: 7 bytes", [2, 0, 0, 0, 0, 0, 0],
      "m: at byte 0: the file ends too early (expected 8 bytes, found 7 to the end of the file)"),
    Refused(
      "S1: beyond the file", safetensors("{}", length: 3),
      "m: at byte 8: the file ends too early (expected 3 bytes, found 2 to the end of the file)"),
    Refused(
      "S1: 2^63", safetensors("{}", length: 1 << 63),
      "m: at byte 0: the header is too long (expected at most 100000000 bytes, found 9223372036854775808)"
    ),
    Refused(
      "S1: 2^64-1", safetensors("{}", length: .max),
      "m: at byte 0: the header is too long (expected at most 100000000 bytes, found 18446744073709551615)"
    ),
    Refused(
      "S1: big-endian", safetensors("{}", length: 2 << 56),
      "m: at byte 0: the header is too long (expected at most 100000000 bytes, found 144115188075855872)"
    ),
    Refused(
      "S1: too short", safetensors("{\(w)}", length: 10, data: 8),
      "m: tensor 'w': at byte 18: the JSON text is malformed (expected '\"' at the end of the string, found the end of the text)"
    ),
    Refused(
      "S1: 0", safetensors("", data: 1),
      "m: at byte 8: the header does not begin with '{' (expected byte 0x7B, found none)"),
    Refused(
      "S12: over 100 MB", safetensors("{}", length: 100_000_001),
      "m: at byte 0: the header is too long (expected at most 100000000 bytes, found 100000001)"),
    Refused(
      "S12: 100 MB, not there", safetensors("{}", length: 100_000_000),
      "m: at byte 8: the file ends too early (expected 100000000 bytes, found 2 to the end of the file)"
    ),
  ]

  static let text: [Refused] = [
    Refused(
      "S2: space", safetensors(" {}"),
      "m: at byte 8: the header does not begin with '{' (expected byte 0x7B, found byte 0x20)"),
    Refused(
      "S2: byte order mark", safetensors("\u{feff}{}"),
      "m: at byte 8: the header does not begin with '{' (expected byte 0x7B, found byte 0xEF)"),
    Refused(
      "S2: array", safetensors("[]"),
      "m: at byte 8: the header does not begin with '{' (expected byte 0x7B, found byte 0x5B)"),
    Refused(
      "S3: NUL padding", safetensors("{}\0\0"),
      "m: at byte 10: the JSON text is malformed (expected the end of the JSON text, found byte 0x0)"
    ),
    Refused(
      "S3: text after", safetensors("{}{}"),
      "m: at byte 10: the JSON text is malformed (expected the end of the JSON text, found '{')"),
    Refused(
      "S4: UTF-16", safetensors("{\0}\0"),
      "m: at byte 9: the JSON text is malformed (expected a string, found byte 0x0)"),
    Refused(
      "S4: stray byte", safetensors("{\"a", [0xFF], "\":{}}"),
      "m: at byte 11: the JSON text is not valid UTF-8 (expected UTF-8, found byte 0xFF)"),
    Refused(
      "S4: overlong", safetensors("{\"", [0xC0, 0xAF], "\":{}}"),
      "m: at byte 10: the JSON text is not valid UTF-8 (expected UTF-8, found byte 0xC0)"),
    Refused(
      "S4: surrogate", safetensors("{\"\\n", [0xED, 0xA0, 0x80], "\":{}}"),
      "m: at byte 12: the JSON text is not valid UTF-8 (expected UTF-8, found byte 0xED)"),
    Refused(
      "S4: cut character", safetensors("{\"é", [0xE2, 0x82], "\":{}}"),
      "m: at byte 12: the JSON text is not valid UTF-8 (expected UTF-8, found byte 0xE2)"),
    Refused(
      "S4: metadata", safetensors("{\"__metadata__\":{\"a\":\"", [0x80], "\"}}"),
      "m: key 'a': at byte 30: the JSON text is not valid UTF-8 (expected UTF-8, found byte 0x80)"),
    Refused(
      "JSON: lone surrogate", safetensors(#"{"\ud800":{}}"#),
      "m: at byte 16: the JSON text is malformed (expected the second half of a surrogate pair, found '\"')"
    ),
    Refused(
      "JSON: surrogates swapped", safetensors(#"{"\ude00\ud83d":{}}"#),
      "m: at byte 16: the JSON text is malformed (expected the second half of a surrogate pair, found '\\')"
    ),
    Refused(
      "JSON: control character", safetensors("{\"a\nb\":{}}"),
      "m: at byte 11: the JSON text is malformed (expected no control character in a string, found byte 0xA)"
    ),
    Refused(
      "JSON: unknown escape", safetensors(#"{"\x41":{}}"#),
      "m: at byte 11: the JSON text is malformed (expected an escape, found 'x')"),
    Refused(
      "JSON: short escape", safetensors(#"{"\u41":{}}"#),
      "m: at byte 14: the JSON text is malformed (expected four hexadecimal digits, found '\"')"),
    Refused(
      "JSON: comma at the end", safetensors("{\(w),}", data: 8),
      "m: at byte 62: the JSON text is malformed (expected a string, found '}')"),
    Refused(
      "JSON: comment", safetensors("{/**/}"),
      "m: at byte 9: the JSON text is malformed (expected a string, found '/')"),
    Refused(
      "JSON: single quotes", safetensors("{'w':{}}"),
      "m: at byte 9: the JSON text is malformed (expected a string, found ''')"),
    Refused(
      "JSON: key without quotes", safetensors("{w:{}}"),
      "m: at byte 9: the JSON text is malformed (expected a string, found 'w')"),
    Refused(
      "JSON: missing colon", safetensors(#"{"w" {}}"#),
      "m: at byte 13: the JSON text is malformed (expected ':', found '{')"),
    Refused(
      "JSON: not closed", safetensors("{\(w)", data: 8),
      "m: at byte 61: the JSON text is malformed (expected ',' or '}', found the end of the text)"),
    Refused(
      "JSON: string not closed", safetensors(#"{"w"#),
      "m: at byte 11: the JSON text is malformed (expected '\"' at the end of the string, found the end of the text)"
    ),
    Refused(
      "JSON: NaN", fields(#""x":NaN"#),
      "m: tensor 'w': at byte 18: the JSON text is malformed (expected a JSON value, found 'N')"),
    Refused(
      "JSON: literal", fields(#""x":nulx"#),
      "m: tensor 'w': at byte 18: the JSON text is malformed (expected true, false or null, found 'n')"
    ),
    Refused(
      "JSON: nested deeply", fields("\"x\":" + String(repeating: "[", count: 99)),
      "m: tensor 'w': at byte 80: the JSON text is nested too deeply (expected at most 64 levels, found more)"
    ),
  ]

  static let metadata: [Refused] = [
    Refused(
      "S5: number", safetensors(#"{"__metadata__":{"a":1}}"#),
      "m: key 'a': at byte 29: the JSON text is malformed (expected a string, found '1')"),
    Refused(
      "S5: null inside", safetensors(#"{"__metadata__":{"a":null}}"#),
      "m: key 'a': at byte 29: the JSON text is malformed (expected a string, found 'n')"),
    Refused(
      "S5: object", safetensors(#"{"__metadata__":{"a":{}}}"#),
      "m: key 'a': at byte 29: the JSON text is malformed (expected a string, found '{')"),
    Refused(
      "S5: list", safetensors(#"{"__metadata__":["a"]}"#),
      "m: key '__metadata__': at byte 24: the JSON text is malformed (expected '{', found '[')"),
    Refused(
      "S5: true", safetensors(#"{"__metadata__":true}"#),
      "m: key '__metadata__': at byte 24: the JSON text is malformed (expected an object of strings, found 't')"
    ),
    Refused(
      "S5: text", safetensors(#"{"__metadata__":"a"}"#),
      "m: key '__metadata__': at byte 24: the JSON text is malformed (expected '{', found '\"')"),
    Refused(
      "S6: key", safetensors(#"{"__metadata__":{"a":"1","a":"2"}}"#),
      "m: key 'a': at byte 33: the name comes twice (expected one entry, found a second one)"),
    Refused(
      "S6: escaped key", safetensors(#"{"__metadata__":{"a":"","\u0061":""}}"#),
      "m: key 'a': at byte 32: the name comes twice (expected one entry, found a second one)"),
    Refused(
      "S6: map", safetensors(#"{"__metadata__":{},"__metadata__":{}}"#),
      "m: key '__metadata__': at byte 27: the name comes twice (expected one entry, found a second one)"
    ),
    Refused(
      "S6: escaped map", safetensors(#"{"__metadata__":{},"\u005f_metadata__":{}}"#),
      "m: key '__metadata__': at byte 27: the name comes twice (expected one entry, found a second one)"
    ),
  ]

  static let names: [Refused] = [
    Refused(
      "S6: same entry", safetensors("{\(w),\(w)}", data: 8),
      "m: tensor 'w': at byte 62: the name comes twice (expected one entry, found a second one)"),
    Refused(
      "S6: other type", safetensors("{\(w),\(entry("w", "I32", [2], 0..<8))}", data: 8),
      "m: tensor 'w': at byte 62: the name comes twice (expected one entry, found a second one)"),
    Refused(
      "S6: escaped", safetensors("{\(w),\(entry("\\u0077", [2], 8..<16))}", data: 16),
      "m: tensor 'w': at byte 62: the name comes twice (expected one entry, found a second one)"),
    Refused(
      "S6: field", fields(#""dtype":"U8","dtype":"I8","shape":[],"data_offsets":[0,1]"#),
      "m: tensor 'w': at byte 27: the field 'dtype' comes twice (expected one, found a second one)"),
    Refused(
      "S6: escaped field", fields(#""shape":[],"sh\u0061pe":[1]"#),
      "m: tensor 'w': at byte 25: the field 'shape' comes twice (expected one, found a second one)"),
  ]

  static let entries: [Refused] = [
    Refused(
      "entry: null", safetensors(#"{"w":null}"#),
      "m: tensor 'w': at byte 13: the JSON text is malformed (expected '{', found 'n')"),
    Refused(
      "entry: list", safetensors(#"{"w":["F32",[2],[0,8]]}"#),
      "m: tensor 'w': at byte 13: the JSON text is malformed (expected '{', found '[')"),
    Refused(
      "entry: no dtype", fields(#""shape":[],"data_offsets":[0,1]"#),
      "m: tensor 'w': at byte 9: the field 'dtype' is missing (expected dtype, shape and data_offsets, found no 'dtype')"
    ),
    Refused(
      "entry: no shape", fields(#""dtype":"U8","data_offsets":[0,1]"#),
      "m: tensor 'w': at byte 9: the field 'shape' is missing (expected dtype, shape and data_offsets, found no 'shape')"
    ),
    Refused(
      "entry: no offsets", fields(#""dtype":"U8","shape":[]"#),
      "m: tensor 'w': at byte 9: the field 'data_offsets' is missing (expected dtype, shape and data_offsets, found no 'data_offsets')"
    ),
    Refused(
      "dtype: unknown", safetensors("{\(entry("w", "F33", [2], 0..<8))}", data: 8),
      "m: tensor 'w': at byte 22: the dtype is unknown (expected one of BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 F16 BF16 I32 U32 F32 C64 F64 I64 U64, found 'F33')"
    ),
    Refused(
      "dtype: lower case", safetensors("{\(entry("w", "f32", [2], 0..<8))}", data: 8),
      "m: tensor 'w': at byte 22: the dtype is unknown (expected one of BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 F16 BF16 I32 U32 F32 C64 F64 I64 U64, found 'f32')"
    ),
    Refused(
      "dtype: number", fields(#""dtype":7"#),
      "m: tensor 'w': at byte 22: the JSON text is malformed (expected a string, found '7')"),
    Refused(
      "shape: fraction", fields(#""shape":[2.0]"#),
      "m: tensor 'w': at byte 23: the JSON text is malformed (expected a whole number, found '2')"),
    Refused(
      "shape: exponent", fields(#""shape":[2e0]"#),
      "m: tensor 'w': at byte 23: the JSON text is malformed (expected a whole number, found '2')"),
    Refused(
      "shape: minus zero", fields(#""shape":[-0]"#),
      "m: tensor 'w': at byte 23: the JSON text is malformed (expected a whole number, found '-')"),
    Refused(
      "shape: negative", fields(#""shape":[-1]"#),
      "m: tensor 'w': at byte 23: the JSON text is malformed (expected a whole number, found '-')"),
    Refused(
      "shape: leading zero", fields(#""shape":[02]"#),
      "m: tensor 'w': at byte 23: the JSON text is malformed (expected a whole number, found '0')"),
    Refused(
      "shape: 2^63", fields(#""shape":[9223372036854775808]"#),
      "m: tensor 'w': at byte 23: the JSON text is malformed (expected a whole number up to 2^63-1, found '9')"
    ),
    Refused(
      "shape: 2^64", fields(#""shape":[18446744073709551616]"#),
      "m: tensor 'w': at byte 23: the JSON text is malformed (expected a whole number up to 2^63-1, found '1')"
    ),
    Refused(
      "shape: text", fields(#""shape":["2"]"#),
      "m: tensor 'w': at byte 23: the JSON text is malformed (expected a whole number, found '\"')"),
    Refused(
      "shape: number", fields(#""shape":2"#),
      "m: tensor 'w': at byte 22: the JSON text is malformed (expected '[', found '2')"),
    Refused(
      "shape: wraps to 0", safetensors("{\(entry("w", [1 << 32, 1 << 32], 0..<0))}"),
      "m: tensor 'w': at byte 9: the tensor is too large (expected less than 2^63 bits, found F32[4294967296, 4294967296])"
    ),
    Refused(
      "shape: wraps to 2",
      safetensors("{\(entry("w", [3, 6_148_914_691_236_517_206], 0..<8))}", data: 8),
      "m: tensor 'w': at byte 9: the tensor is too large (expected less than 2^63 bits, found F32[3, 6148914691236517206])"
    ),
    Refused(
      "shape: bits wrap", safetensors("{\(entry("w", "F64", [1 << 58], 0..<0))}"),
      "m: tensor 'w': at byte 9: the tensor is too large (expected less than 2^63 bits, found F64[288230376151711744])"
    ),
    Refused(
      "shape: wraps before a zero", safetensors("{\(entry("w", [1 << 40, 1 << 40, 0], 0..<0))}"),
      "m: tensor 'w': at byte 9: the tensor is too large (expected less than 2^63 bits, found F32[1099511627776, 1099511627776, 0])"
    ),
    Refused(
      "shape: wraps after a zero", safetensors("{\(entry("w", [0, 1 << 40, 1 << 40], 0..<0))}"),
      "m: tensor 'w': at byte 9: the tensor is too large (expected less than 2^63 bits, found F32[0, 1099511627776, 1099511627776])"
    ),
    Refused(
      "S11: F4", safetensors("{\(entry("w", "F4", [3], 0..<2))}", data: 2),
      "m: tensor 'w': at byte 9: the tensor ends inside a byte (expected whole bytes, found F4[3])"),
    Refused(
      "S11: F6", safetensors("{\(entry("w", "F6_E2M3", [2], 0..<2))}", data: 2),
      "m: tensor 'w': at byte 9: the tensor ends inside a byte (expected whole bytes, found F6_E2M3[2])"
    ),
    Refused(
      "offsets: three", fields(#""dtype":"U8","shape":[],"data_offsets":[0,1,2]"#),
      "m: tensor 'w': at byte 9: data_offsets is not a pair (expected 2 numbers, found 3)"),
    Refused(
      "offsets: one", fields(#""dtype":"U8","shape":[],"data_offsets":[1]"#),
      "m: tensor 'w': at byte 9: data_offsets is not a pair (expected 2 numbers, found 1)"),
    Refused(
      "offsets: none", fields(#""dtype":"U8","shape":[],"data_offsets":[]"#),
      "m: tensor 'w': at byte 9: data_offsets is not a pair (expected 2 numbers, found 0)"),
    Refused(
      "offsets: backwards", fields(#""dtype":"U8","shape":[],"data_offsets":[1,0]"#),
      "m: tensor 'w': at byte 9: data_offsets do not fit dtype and shape (expected 1 bytes for U8[], found [1, 0])"
    ),
    Refused(
      "offsets: fraction", fields(#""dtype":"U8","shape":[],"data_offsets":[0,1.0]"#),
      "m: tensor 'w': at byte 56: the JSON text is malformed (expected a whole number, found '1')"),
    Refused(
      "offsets: too long", safetensors("{\(entry("w", [2], 0..<9))}", data: 9),
      "m: tensor 'w': at byte 9: data_offsets do not fit dtype and shape (expected 8 bytes for F32[2], found [0, 9])"
    ),
    Refused(
      "offsets: too short", safetensors("{\(entry("w", [2], 0..<7))}", data: 7),
      "m: tensor 'w': at byte 9: data_offsets do not fit dtype and shape (expected 8 bytes for F32[2], found [0, 7])"
    ),
    Refused(
      "offsets: last", safetensors("{\(entry("w", [0], .max ..< .max))}"),
      "m: tensor 'w': at byte 9: the tensor's data offsets are too large (expected at most 98, found 9223372036854775807)"
    ),
  ]

  static let buffer: [Refused] = [
    Refused(
      "S7: hole at the start", safetensors("{\(entry("w", [2], 8..<16))}", data: 16),
      "m: tensor 'w': at byte 9: bytes before the tensor belong to none (expected data_offsets from 0, found from 8)"
    ),
    Refused(
      "S7: hole", safetensors("{\(w),\(entry("v", [2], 9..<17))}", data: 17),
      "m: tensor 'v': at byte 62: bytes before the tensor belong to none (expected data_offsets from 8, found from 9)"
    ),
    Refused(
      "S7: overlap", safetensors("{\(w),\(entry("v", [2], 4..<12))}", data: 12),
      "m: tensor 'v': at byte 62: the tensor's bytes overlap those of another (expected data_offsets from 8, found from 4)"
    ),
    Refused(
      "S7: same bytes", safetensors("{\(w),\(entry("v", [2], 0..<8))}", data: 8),
      "m: tensor 'v': at byte 62: the tensor's bytes overlap those of another (expected data_offsets from 8, found from 0)"
    ),
    Refused(
      "S7: one byte missing", safetensors("{\(w)}", data: 7),
      "m: tensor 'w': at byte 69: the file ends before the tensor's last byte (expected 70 bytes, found 69)"
    ),
    Refused(
      "S7: no data", safetensors("{\(w)}"),
      "m: tensor 'w': at byte 62: the file ends before the tensor's last byte (expected 70 bytes, found 62)"
    ),
    Refused(
      "S7: one byte more", safetensors("{\(w)}", data: 9),
      "m: at byte 70: bytes after the last tensor belong to none (expected 70 bytes, found 71)"),
    Refused(
      "S7: bytes without a tensor", safetensors("{}", data: 1),
      "m: at byte 10: bytes after the last tensor belong to none (expected 10 bytes, found 11)"),
    Refused(
      "S7: 4 TiB", safetensors("{\(entry("w", [1 << 40], 0..<1 << 42))}", data: 100),
      "m: tensor 'w': at byte 186: the file ends before the tensor's last byte (expected 4398046511190 bytes, found 186)"
    ),
    Refused(
      "S8: past the end", safetensors("{\(w),\(entry("z", [0], 9..<9))}", data: 8),
      "m: tensor 'z': at byte 62: bytes before the tensor belong to none (expected data_offsets from 8, found from 9)"
    ),
    Refused(
      "S8: inside another", safetensors("{\(w),\(entry("z", [0], 4..<4))}", data: 8),
      "m: tensor 'z': at byte 62: the tensor's bytes overlap those of another (expected data_offsets from 8, found from 4)"
    ),
  ]
}
