"""Makes small weight files that break one rule each, small ones that must be read, and cases.json.

    python3 make.py

Standard library only. Every file is written piece by piece, so each can be as wrong as it likes;
cases.json says of each what a reader must do and, where it must refuse, which place it must name.
"""

import glob
import hashlib
import json
import os
import shutil
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = []
M64 = 2**64 - 1


def case(path, content, verdict, rule, reject=False, subject=None, at=None, what=None):
    """Writes a file (bytes) or a folder (name to bytes) and adds its row."""
    files = {path + "/" + k: v for k, v in content.items()} if type(content) is dict else {path: content}
    for name, data in files.items():
        os.makedirs(os.path.dirname(os.path.join(HERE, name)), exist_ok=True)
        with open(os.path.join(HERE, name), "wb") as file:
            file.write(data)
    row = {"path": path, "verdict": verdict, "reads": not reject, "rule": rule}
    row |= {k: v for k, v in (("subject", subject), ("offset", at), ("error", what)) if v is not None}
    CASES.append(row)


# --- safetensors -----------------------------------------------------------------------------------


def safetensors(header, data=0, length=None):
    header = header.encode() if type(header) is str else header
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(data)


def entry(name="w", dtype="F32", shape=(2,), offsets=(0, 8)):
    numbers = lambda values: "[" + ",".join(map(str, values)) + "]"
    return f'"{name}":{{"dtype":"{dtype}","shape":{numbers(shape)},"data_offsets":{numbers(offsets)}}}'


def S(name, verdict, rule, header, data=0, length=None, at=None, **place):
    """`at` is an offset, or the text of the header that stands there (its last occurrence)."""
    raw = header.encode() if type(header) is str else header
    if type(at) is str:
        at = 8 + raw.rindex(at.encode())
    reject = verdict == "must-reject" or place.pop("reject", False)
    case(f"safetensors/{name}.safetensors", safetensors(header, data, length), verdict, rule, reject, at=at, **place)


def bad_s(name, rule, header, data=0, **place):
    S(name, "must-reject", rule, header, data, **place)


def make_safetensors():
    w, wt = entry(), "tensor 'w'"
    one = lambda fields: '{"w":{' + fields + "}}"
    u8 = '"dtype":"U8","shape":[],"data_offsets":[0,1]'

    case("safetensors/empty_file.safetensors", b"", "must-reject", "S1", True, at=0)
    case("safetensors/seven_bytes.safetensors", b"\2\0\0\0\0\0\0", "must-reject", "S1", True, at=0, what="ends too early")
    for name, length, at, what in [
        ("length_past_end", 3, 8, "ends too early"), ("length_2_63", 1 << 63, 0, "too long"),
        ("length_2_64_minus_1", M64, 0, "too long"), ("length_minus_8", M64 - 7, 0, "too long"),
        ("length_big_endian", 2 << 56, 0, "too long"), ("length_over_cap", 100_000_001, 0, "too long"),
        ("length_cap", 100_000_000, 8, "ends too early"), ("length_2_32", 1 << 32, 0, "too long"),
    ]:
        bad_s(name, "S12" if "cap" in name else "S1", "{}", length=length, at=at, what=what)
    bad_s("length_zero", "S1", "", 1, at=8, what="does not begin with '{'")
    bad_s("length_cuts_header", "S1", "{" + w + "}", 8, length=12, at=20, what="malformed")

    # The text of the header.
    for name, text in [("array", "[]"), ("string", '"w"'), ("number", "1"), ("null", "null")]:
        bad_s("header_" + name, "S2", text, at=8, what="does not begin with '{'")
    bad_s("header_bom", "S2", "\ufeff{}", at=8, what="does not begin with '{'")
    bad_s("header_utf16", "S4", "{}".encode("utf-16-le"), at=9, what="malformed")
    bad_s("header_nul_padding", "S3", "{}" + "\0" * 6, at=10, what="malformed")
    bad_s("header_text_after", "S3", "{} x", at="x", what="malformed")
    bad_s("header_second_object", "S3", "{}{}", at=10, what="malformed")
    bad_s("header_truncated", "JSON", "{" + w, 8, at=8 + 1 + len(w), what="malformed")
    for name, key in [
        ("stray", b"a\xff"), ("overlong", b"a\xc0\xaf"), ("surrogate", b"a\xed\xa0\x80"),
        ("cut", b"a\xe2\x82"), ("too_high", b"a\xf4\x90\x80\x80"), ("latin1", b"a\xe9"),
    ]:
        bad_s("utf8_" + name, "S4", b'{"' + key + b'":{}}', at=11, what="UTF-8")
    bad_s("utf8_metadata", "S4", b'{"__metadata__":{"k":"\x80"}}', subject="key 'k'", at=30, what="UTF-8")
    bad_s("utf8_unknown_field", "S4", one(u8 + ',"x":"').encode()[:-2] + b'\xff"}}', 1, subject=wt, what="UTF-8")
    for name, text, at in [
        ("trailing_comma", "{" + w + ",}", "}"), ("trailing_comma_array", one('"shape":[2,]'), "]"),
        ("leading_comma", "{," + w + "}", 9), ("double_comma", "{" + w + ",," + entry("v") + "}", 8 + 2 + len(w)),
        ("comment", "{/*x*/" + w + "}", "/*"), ("line_comment", "{//x\n" + w + "}", "//"),
        ("single_quotes", "{'w':{}}", "'w"), ("bare_key", "{w:{}}", "w"), ("missing_colon", '{"w" {}}', "{}"),
        ("missing_comma", "{" + w + entry("v") + "}", 9 + len(w)), ("number_key", "{1:{}}", "1"),
        ("lone_surrogate", '{"\\ud800":{}}', '":'), ("lone_low_surrogate", '{"\\udc00":{}}', '":'),
        ("unknown_escape", '{"\\x41":{}}', "x41"), ("short_escape", '{"\\u12":{}}', '":'),
        ("raw_newline", '{"a\nb":{}}', "\n"), ("raw_nul", '{"a\0b":{}}', "\0"), ("raw_tab", '{"a\tb":{}}', "\t"),
        ("unclosed_string", '{"w', 11),
    ]:
        bad_s("json_" + name, "JSON", text, 8, at=at, what="malformed", **({"subject": wt} if "array" in name else {}))
    for name, value in [("nan", "NaN"), ("infinity", "Infinity"), ("hex", "0x1"), ("plus", "+1"), ("dot", ".5"), ("point", "1."), ("exponent", "1e"), ("true", "True"), ("undefined", "undefined")]:
        bad_s("json_value_" + name, "JSON", one(f'"x":{value},' + u8), 1, subject=wt, what="malformed")
    for name, bracket in [("array", "["), ("object", '{"a":')]:
        bad_s("json_deep_" + name, "JSON", one('"x":' + bracket * 500), subject=wt, what="nested too deeply")

    # Metadata.
    for name, value in [("number", "1"), ("null", "null"), ("true", "true"), ("object", "{}"), ("array", '["v"]')]:
        bad_s("metadata_value_" + name, "S5", '{"__metadata__":{"k":' + value + "}}", subject="key 'k'", at=29, what="malformed")
    for name, value in [("array", '["a"]'), ("string", '"a"'), ("number", "1"), ("true", "true"), ("tensor", w.split(":", 1)[1])]:
        bad_s("metadata_" + name, "S5", '{"__metadata__":' + value + "}", subject="key '" + ("shape" if name == "tensor" else "__metadata__") + "'", what="malformed")
    twice = "comes twice"
    bad_s("dup_metadata_key", "S6", '{"__metadata__":{"k":"1","k":"2"}}', subject="key 'k'", at='"k"', what=twice)
    bad_s("dup_metadata_key_escaped", "S6", '{"__metadata__":{"k":"1","\\u006b":"2"}}', subject="key 'k'", at='"\\u', what=twice)
    bad_s("dup_metadata", "S6", '{"__metadata__":{},"__metadata__":{}}', subject="key '__metadata__'", at='"__', what=twice)

    # Names and entries.
    for name, second, data in [
        ("same", w, 8), ("conflict_dtype", entry(dtype="I32"), 8), ("conflict_offsets", entry(offsets=(8, 16)), 16),
        ("conflict_shape", entry(shape=(1, 2)), 8), ("escaped", entry("\\u0077", offsets=(8, 16)), 16),
    ]:
        bad_s("dup_" + name, "S6", "{" + w + "," + second + "}", data, subject=wt, at=10 + len(w), what=twice)
    for field, text in [("dtype", '"dtype":"U8"'), ("shape", '"shape":[]'), ("data_offsets", '"data_offsets":[0,1]')]:
        bad_s(f"dup_field_{field}", "S6", one(u8 + "," + text), 1, subject=wt, at=text, what=f"'{field}' comes twice")
        bad_s(f"missing_{field}", "entry", one(u8.replace(text, '"x":0')), 1, subject=wt, at=9, what=f"'{field}' is missing")
    for name, value in [("null", "null"), ("array", '["F32",[2],[0,8]]'), ("string", '"F32"'), ("number", "1")]:
        bad_s("entry_" + name, "entry", '{"w":' + value + "}", subject=wt, at=13, what="malformed")
    bad_s("entry_empty", "entry", '{"w":{}}', subject=wt, at=9, what="is missing")
    for name, dtype in [("unknown", "F33"), ("lower_case", "f32"), ("torch", "torch.float32"), ("space", "F32 "), ("empty", ""), ("numpy", "<f4"), ("f8", "F8")]:
        bad_s("dtype_" + name, "dtype", "{" + entry(dtype=dtype) + "}", 8, subject=wt, at=f'"{dtype}"', what="dtype is unknown")
    bad_s("dtype_null", "dtype", one('"dtype":null'), subject=wt, at="null", what="malformed")
    for name, value in [
        ("float", "2.0"), ("exponent", "2e0"), ("minus_zero", "-0"), ("negative", "-1"), ("leading_zero", "02"),
        ("2_63", str(1 << 63)), ("2_64", str(1 << 64)), ("2_64_plus_2", str((1 << 64) + 2)), ("googol", "1" + "0" * 100),
        ("string", '"2"'), ("null", "null"), ("nested", "[2]"), ("true", "true"),
    ]:
        bad_s("shape_" + name, "shape", one(f'"shape":[{value}]'), subject=wt, at=23, what="malformed")
    for name, value in [("number", "2"), ("object", "{}"), ("null", "null"), ("string", '"[2]"')]:
        bad_s("shape_is_" + name, "shape", one(f'"shape":{value}'), subject=wt, at=22, what="malformed")
    for name, dtype, shape, size in [
        ("wraps_to_0", "F32", (1 << 32, 1 << 32), 0), ("wraps_to_8", "F32", (3, 6148914691236517206), 8),
        ("bytes_wrap", "F32", (1 << 62,), 0), ("bits_wrap", "F64", (1 << 58,), 0), ("bits_wrap_to_8", "F64", ((1 << 58) + 1,), 8),
        ("wraps_u8", "U8", (1 << 62, 8), 0), ("huge_ones", "U8", ((1 << 63) - 1, (1 << 63) - 1), 1),
    ]:
        bad_s("shape_" + name, "shape", "{" + entry("w", dtype, shape, (0, size)) + "}", size, subject=wt, at=9, what="too large")
    for name, dtype, shape in [("f4", "F4", (3,)), ("f6_e2m3", "F6_E2M3", (2,)), ("f6_e3m2", "F6_E3M2", (1, 5))]:
        bad_s("misaligned_" + name, "S11", "{" + entry("w", dtype, shape, (0, 2)) + "}", 2, subject=wt, at=9, what="inside a byte")

    # Offsets and the buffer.
    for name, value in [("empty", ""), ("one", "1"), ("three", "0,1,1")]:
        bad_s("offsets_" + name, "offsets", one(f'"dtype":"U8","shape":[],"data_offsets":[{value}]'), 1, subject=wt, at=9, what="not a pair")
    for name, value in [("float", "0,1.0"), ("negative", "-1,0"), ("2_63", f"0,{1 << 63}"), ("2_64", f"0,{1 << 64}"), ("string", '"0","1"'), ("null", "null,1")]:
        bad_s("offsets_" + name, "offsets", one(f'"dtype":"U8","shape":[],"data_offsets":[{value}]'), 1, subject=wt, what="malformed")
    for name, value in [("backwards", "1,0"), ("short", "0,0"), ("long", "0,2"), ("wrap", f"{(1 << 63) - 1},0")]:
        bad_s("offsets_" + name, "offsets", one(f'"dtype":"U8","shape":[],"data_offsets":[{value}]'), 2, subject=wt, at=9, what="do not fit")
    v = lambda *offsets: "{" + w + "," + entry("v", offsets=offsets) + "}"
    after = 10 + len(w)
    for name, text, data, subject, at, what in [
        ("hole_start", "{" + entry(offsets=(8, 16)) + "}", 16, wt, 9, "belong to none"),
        ("hole_between", v(9, 17), 17, "tensor 'v'", after, "belong to none"),
        ("overlap", v(4, 12), 12, "tensor 'v'", after, "overlap"),
        ("overlap_one_byte", v(7, 15), 15, "tensor 'v'", after, "overlap"),
        ("same_bytes", v(0, 8), 8, "tensor 'v'", after, "overlap"),
        ("data_missing", "{" + w + "}", 0, wt, 10 + len(w), "before the tensor's last byte"),
        ("data_one_short", "{" + w + "}", 7, wt, 17 + len(w), "before the tensor's last byte"),
        ("data_one_more", "{" + w + "}", 9, None, 18 + len(w), "belong to none"),
        ("data_without_tensor", "{}", 1, None, 10, "belong to none"),
        ("four_tib", "{" + entry("w", "F32", (1 << 40,), (0, 1 << 42)) + "}", 100, wt, None, "before the tensor's last byte"),
        ("empty_past_end", "{" + w + "," + entry("v", shape=(0,), offsets=(9, 9)) + "}", 8, "tensor 'v'", after, "belong to none"),
        ("empty_inside", "{" + w + "," + entry("v", shape=(0,), offsets=(4, 4)) + "}", 8, "tensor 'v'", after, "overlap"),
        ("offset_plus_start_wraps", "{" + entry("w", shape=(0,), offsets=((1 << 63) - 1,) * 2) + "}", 0, wt, 9, "too large"),
    ]:
        bad_s(name, "S8" if name.startswith("empty") else "S7", text, data, subject=subject, at=at, what=what)
    polyglot = safetensors("{" + w + "}", 8) + b"PK\5\6" + bytes(18)
    case("safetensors/polyglot_zip.safetensors", polyglot, "must-reject", "S7", True, at=18 + len(w), what="belong to none")

    # What must be read.
    widths = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64}
    position, members = 0, []
    for dtype, width in widths.items():
        members.append(entry(dtype, dtype, (2, 4), (position, position + width)))
        position += width
    S("ok_all_dtypes", "must-accept", "dtypes", "{" + ",".join(members) + "}", position)
    for name, text, data in [
        ("no_tensors", "{}", 0), ("scalar", "{" + entry(shape=(), offsets=(0, 4)) + "}", 4),
        ("empty_tensor", "{" + entry(shape=(0,), offsets=(0, 0)) + "}", 0),
        ("zero_axis", "{" + entry(shape=(3, 0, 5), offsets=(0, 0)) + "}", 0),
        ("nfc_nfd_names", "{" + entry("caf\u00e9") + "," + entry("cafe\u0301", offsets=(8, 16)) + "}", 16),
        ("spaces_after", "{" + w + "}" + " " * 7, 8), ("not_sorted", "{" + entry(offsets=(8, 16)) + "," + entry("v") + "}", 16),
        ("unaligned", "{" + entry("b", "U8", (1,), (0, 1)) + "," + entry(offsets=(1, 9)) + "}", 9),
        ("metadata", '{"__metadata__":{"format":"pt","":"\\u0000\\n"},' + w + "}", 8), ("metadata_empty", '{"__metadata__":{},' + w + "}", 8),
        ("metadata_last", "{" + w + ',"__metadata__":{"k":"v"}}', 8), ("escaped_name", "{" + entry("\\u0077\\/\\\"") + "}", 8),
        ("surrogate_pair", "{" + entry("\\ud83d\\ude00") + "}", 8), ("emoji", "{" + entry("\U0001f600") + "}", 8),
        ("white_space", '{ "w" :\n\t{ "dtype":"U8" ,\r"shape": [ ], "data_offsets":[ 0 , 1 ] } }', 1),
        ("field_order", one('"data_offsets":[0,1],"shape":[1],"dtype":"I8"'), 1), ("odd_header_length", "{" + w + "} ", 8),
        ("long_name", "{" + entry("n" * 1000) + "}", 8), ("empty_at_borders", "{" + w + "," + entry("a", shape=(0,), offsets=(0, 0)) + "," + entry("z", shape=(0,), offsets=(8, 8)) + "}", 8),
    ]:
        S("ok_" + name, "must-accept", "accept", text, data)

    # Where readers differ: what this one does.
    for name, text, data in [
        ("newline_after", "{}\r\n\t", 0), ("metadata_null", '{"__metadata__":null}', 0), ("unknown_field", one(u8 + ',"x":[1.5,{}]'), 1),
        ("empty_name", "{" + entry("") + "}", 8), ("nul_name", "{" + entry("a\\u0000b") + "}", 8),
        ("path_name", "{" + entry("../../etc/passwd") + "}", 8), ("rank_100", "{" + entry(shape=(1,) * 99 + (2,)) + "}", 8),
        ("escape_sequence_name", "{" + entry("\\u001b[31m") + "}", 8), ("dup_unknown_field", one(u8 + ',"x":0,"x":1'), 1),
    ]:
        S("policy_" + name, "policy", "accepted", text, data)
    S("policy_space_before", "policy", "S2", " {}", reject=True, at=8, what="does not begin with '{'")
    for name, shape in [("zero_first", (0, 1 << 40, 1 << 40)), ("zero_last", (1 << 40, 1 << 40, 0))]:
        S("policy_wraps_" + name, "policy", "shape", "{" + entry(shape=shape, offsets=(0, 0)) + "}", reject=True, subject=wt, at=9, what="too large")


# --- sharded index ---------------------------------------------------------------------------------


def make_index():
    shard = lambda *names: safetensors("{" + ",".join(entry(n, "F32", (1,), (4 * i, 4 * i + 4)) for i, n in enumerate(names)) + "}", 4 * len(names))
    a, b = shard("x", "y"), shard("z")
    good = '"x":"a.safetensors","y":"a.safetensors","z":"b.safetensors"'

    def I(name, verdict, rule, text, files=None, **place):
        text = text.encode() if type(text) is str else text
        at = place.pop("at", None)
        at = text.rindex(at.encode()) if type(at) is str else at
        files = {"a.safetensors": a, "b.safetensors": b} if files is None else files
        reject = verdict == "must-reject" or place.pop("reject", False)
        case("index/" + name, {"model.safetensors.index.json": text} | files, verdict, rule, reject, at=at, **place)

    def bad(name, rule, text, files=None, **place):
        I(name, "must-reject", rule, text, files, **place)

    of = lambda places: '{"weight_map":{' + places + "}}"
    bad("empty", "JSON", "", at=0, what="malformed")
    bad("not_json", "JSON", "weights", at=0, what="malformed")
    bad("truncated", "JSON", of(good)[:-1], at=len(of(good)) - 1, what="malformed")
    bad("text_after", "JSON", of(good) + "x", at=len(of(good)), what="malformed")
    bad("trailing_comma", "JSON", of(good + ","), at="}}", what="malformed")
    bad("array", "JSON", "[]", at=0, what="malformed")
    bad("bad_utf8", "JSON", b'{"weight_map":{"x\xff":"a.safetensors"}}', at=17, what="UTF-8")
    bad("no_map", "index", '{"metadata":{}}', subject="key 'weight_map'", what="missing")
    bad("map_empty", "index", of(""), subject="key 'weight_map'", what="names no tensor")
    bad("map_twice", "index", '{"weight_map":{},"weight_map":{' + good + "}}", subject="key 'weight_map'", at='"weight_map"', what="comes twice")
    bad("map_array", "index", '{"weight_map":[]}', at=14, what="malformed")
    bad("map_null", "index", '{"weight_map":null}', at=14, what="malformed")
    for name, value in [("number", "1"), ("null", "null"), ("array", '["a.safetensors"]')]:
        bad("file_is_" + name, "index", of(f'"x":{value}'), subject="tensor 'x'", at=19, what="malformed")
    bad("name_twice", "index", of(good + ',"x":"b.safetensors"'), subject="tensor 'x'", at='"x"', what="comes twice")
    bad("name_twice_escaped", "index", of(good + ',"\\u0078":"a.safetensors"'), subject="tensor 'x'", at='"\\u', what="comes twice")
    for name, file in [("parent", "../a.safetensors"), ("absolute", "/a.safetensors"), ("folder", "sub/a.safetensors"), ("dot_dot", ".."), ("dot", "."), ("empty", ""), ("backslash", "..\\\\a"), ("nul", "a.safetensors\\u0000.txt"), ("hidden_parent", "a/../../a")]:
        bad("path_" + name, "path", of(f'"x":"{file}"'), subject="tensor 'x'", at=19, what="not a plain file name")
    bad("shard_missing", "shards", of(good), {"a.safetensors": a}, what="a shard that holds 1 tensors of the index cannot be opened")
    bad("shard_truncated", "shards", of(good), {"a.safetensors": a[:-1], "b.safetensors": b}, subject="tensor 'y'", at=len(a) - 1, what="before the tensor's last byte")
    bad("shard_is_gguf", "shards", of(good), {"a.safetensors": a, "b.safetensors": GGUF().header(1).tensor("z", [1]).pad().zeros(4).data}, what="another format")
    bad("shard_is_index", "shards", of('"x":"model.safetensors.index.json"'), {}, at=0, what="no known format")
    bad("tensor_in_no_shard", "shards", of(good + ',"q":"b.safetensors"'), subject="tensor 'q'", at='"q"', what="in no shard")
    bad("tensor_not_in_index", "shards", of('"x":"a.safetensors","z":"b.safetensors"'), subject="tensor 'y'", what="disagree")
    bad("tensor_in_other_shard", "shards", of(good.replace('"y":"a', '"y":"b')), subject="tensor 'y'", at='"y"', what="disagree")
    bad("tensor_in_two_shards", "shards", of(good), {"a.safetensors": a, "b.safetensors": shard("z", "x")}, subject="tensor 'x'", what="two files")
    I("ok_plain", "must-accept", "accept", of(good))
    I("ok_metadata", "must-accept", "accept", '{"metadata":{"total_size":12},"weight_map":{' + good + "}}")
    I("ok_metadata_last", "must-accept", "accept", '{"weight_map":{' + good + '},"metadata":{"total_size":12.0}}')
    I("policy_wrong_total", "policy", "accepted", '{"metadata":{"total_size":13},"weight_map":{' + good + "}}")
    numbered = lambda *numbers: {f"model-{n:05}-of-00003.safetensors": shard(str(n)) for n in numbers}
    case("index/no_index_complete", numbered(1, 2, 3), "must-accept", "shards")
    case("index/no_index_missing_last", numbered(1, 2), "must-reject", "shards", True, what="a shard is missing")
    case("index/no_index_missing_first", numbered(2, 3), "must-reject", "shards", True, what="a shard is missing")
    case("index/no_index_left_over", numbered(1, 2, 3) | {"model.safetensors": shard("m")}, "must-reject", "shards", True, what="several models")
    case("index/no_index_same_name", {"a.safetensors": a, "b.safetensors": shard("x")}, "must-reject", "shards", True, subject="tensor 'x'", what="two files")


# --- GGUF ------------------------------------------------------------------------------------------


class GGUF:
    """A file of any version and byte order; `here` remembers a place to be named."""

    def __init__(self, version=3, order="<"):
        self.version, self.order, self.data, self.place = version, order, b"", None

    def raw(self, data):
        self.data += data
        return self

    def num(self, code, *values):
        return self.raw(struct.pack(self.order + code * len(values), *values))

    def count(self, value):
        return self.num("I" if self.version == 1 else "Q", value)

    def here(self):
        self.place = len(self.data)
        return self

    def header(self, tensors=0, items=0):
        return self.raw(b"GGUF").num("I", self.version).count(tensors).count(items)

    def string(self, text):
        text = text.encode() if type(text) is str else text
        return self.count(len(text)).raw(text)

    def key(self, key, kind):
        return self.string(key).num("I", kind)

    def tensor(self, name, axes, kind=0, offset=0, rank=None):
        self.string(name).num("I", len(axes) if rank is None else rank)
        for axis in axes:
            self.count(axis)
        return self.num("I", kind).num("Q", offset)

    def pad(self, alignment=32):
        return self.zeros(-len(self.data) % alignment)

    def zeros(self, count):
        return self.raw(bytes(count))


# id, elements and bytes of a block
TYPES = [
    (0, 1, 4), (1, 1, 2), (2, 32, 18), (3, 32, 20), (6, 32, 22), (7, 32, 24), (8, 32, 34), (9, 32, 36), (10, 256, 84),
    (11, 256, 110), (12, 256, 144), (13, 256, 176), (14, 256, 210), (15, 256, 292), (16, 256, 66), (17, 256, 74),
    (18, 256, 98), (19, 256, 50), (20, 32, 18), (21, 256, 110), (22, 256, 82), (23, 256, 136), (24, 1, 1), (25, 1, 2),
    (26, 1, 4), (27, 1, 8), (28, 1, 8), (29, 256, 56), (30, 1, 2), (34, 256, 54), (35, 256, 66), (39, 32, 17),
    (40, 64, 36), (41, 128, 18), (42, 64, 18),
]


def G(name, verdict, rule, file, at=None, **place):
    reject = verdict == "must-reject" or place.pop("reject", False)
    at = file.place if at is None and reject else at
    case(f"gguf/{name}.gguf", file.data, verdict, rule, reject, at=at, **place)


def bad_g(name, rule, file, **place):
    G(name, "must-reject", rule, file, **place)


def make_gguf():
    new = lambda tensors=0, items=0: GGUF().header(tensors, items)
    one = lambda axes, kind=0, offset=0, rank=None, data=0: new(1).tensor("w", axes, kind, offset, rank).pad().zeros(data)
    item = lambda kind: new(0, 1).key("k", kind)
    key, wt = "key 'k'", "tensor 'w'"

    bad_g("empty_file", "magic", GGUF(), at=0)
    bad_g("magic_only", "magic", GGUF().raw(b"GGUF"), at=4, what="ends too early")
    bad_g("magic_wrong", "magic", GGUF().raw(b"GGML").num("I", 3).zeros(16), at=0, what="magic")
    bad_g("magic_lower_case", "magic", GGUF().raw(b"gguf").num("I", 3).zeros(16), at=0, what="magic")
    for version in (0, 4, 5, 65536, 2**32 - 1):
        bad_g(f"version_{version}", "version", GGUF(version).header(), at=4, what="version is unknown")
    bad_g("version_4_swapped", "version", GGUF(4, ">").header(), at=4, what="version is unknown")
    for name, value in [("2_64_minus_1", M64), ("2_63", 1 << 63), ("2_60", 1 << 60), ("1", 1)]:
        bad_g("tensors_" + name, "counts", new(value), at=8, what="number of tensors")
        bad_g("items_" + name, "counts", new(0, value), at=16, what="number of metadata values")
    bad_g("items_wrap_allocation", "counts", new(0, (1 << 64) // 48 + 1).zeros(64), at=16, what="number of metadata values")
    bad_g("counts_cut", "counts", GGUF().raw(b"GGUF").num("I", 3).num("Q", 0).zeros(7), at=16, what="ends too early")

    for name, length in [("2_64_minus_1", M64), ("2_63", 1 << 63), ("2_63_minus_1", (1 << 63) - 1), ("past_end", 21), ("2_30", 1 << 30)]:
        bad_g("key_length_" + name, "string", new(0, 1).here().count(length).zeros(20), what="key is too long")
        bad_g("string_length_" + name, "string", item(8).here().count(length).zeros(20), subject=key, what="string is too long")
        bad_g("name_length_" + name, "string", new(1).here().count(length).zeros(20), what="tensor name is too long")
    bad_g("key_empty", "key", new(0, 1).here().key("", 0).zeros(1), what="key is empty")
    bad_g("key_twice", "key", new(0, 2).key("k", 0).zeros(1).here().key("k", 0).zeros(1), subject=key, what="comes twice")
    bad_g("key_twice_other_type", "key", new(0, 2).key("k", 0).zeros(1).here().key("k", 8).string("v"), subject=key, what="comes twice")
    for kind in (13, 14, 255, 2**32 - 1):
        bad_g(f"value_type_{kind}", "value", new(0, 1).string("k").here().num("I", kind).zeros(8), subject=key, what="value type")
    for name, kind, size in [("u8", 0, 0), ("u16", 2, 1), ("u32", 4, 3), ("f32", 6, 3), ("bool", 7, 0), ("u64", 10, 7), ("f64", 12, 7)]:
        bad_g(f"value_cut_{name}", "value", item(kind).here().zeros(size), subject=key, what="ends too early")

    array = lambda kind: item(9).num("I", kind)
    bad_g("array_type_13", "array", item(9).here().num("I", 13).count(0), subject=key, what="value type")
    for name, kind, count, size in [
        ("2_64_minus_1", 0, M64, 8), ("2_63", 0, 1 << 63, 8), ("u32_wraps", 4, 1 << 62, 4), ("u64_wraps", 10, 1 << 61, 8),
        ("f64_wraps_to_8", 12, (1 << 61) + 1, 8), ("strings_wrap", 8, 1 << 61, 8), ("one_more", 4, 3, 11), ("2_40", 0, 1 << 40, 8), ("strings_one_more", 8, 2, 15),
    ]:
        bad_g("array_count_" + name, "array", array(kind).here().count(count).zeros(size), subject=key, what="number of array elements")
    bad_g("array_string_length", "array", array(8).count(1).here().count(M64).zeros(8), subject=key, what="string is too long")
    bad_g("array_cut", "array", item(9).here().zeros(3), subject=key, what="ends too early")

    alignment = lambda value: new(0, 1).here().key("general.alignment", 4).num("I", value)
    for value in (0, 3, 12, 13, 24, 33, 2**32 - 1):
        bad_g(f"alignment_{value}", "alignment", alignment(value), subject="key 'general.alignment'", what="alignment is not usable")
    for name, kind, code in [("u8", 0, "B"), ("i32", 5, "i"), ("u64", 10, "Q"), ("f32", 6, "f")]:
        bad_g("alignment_is_" + name, "alignment", new(0, 1).here().key("general.alignment", kind).num(code, 32), subject="key 'general.alignment'", what="alignment is not usable")
    bad_g("alignment_is_string", "alignment", new(0, 1).here().key("general.alignment", 8).string("32"), subject="key 'general.alignment'", what="alignment is not usable")
    bad_g("alignment_inconsistent", "alignment", new(2, 1).key("general.alignment", 4).num("I", 64).tensor("w", [1]).string("v").num("I", 1).count(1).num("I", 0).here().num("Q", 32).pad(64).zeros(96), subject="tensor 'v'", what="does not follow")

    bad_g("name_64_bytes", "name", new(1).here().tensor("n" * 64, [1]).pad().zeros(4), what="tensor name is too long")
    bad_g("name_twice", "name", new(2).tensor("w", [1]).here().tensor("w", [1], 0, 32).pad().zeros(36), subject=wt, what="comes twice")
    for rank in (5, 8, 9, 2**31, 2**32 - 1):
        bad_g(f"rank_{rank}", "rank", new(1).string("w").here().num("I", rank).zeros(128), subject=wt, what="too many axes")
    for name, value in [("2_64_minus_1", M64), ("2_63", 1 << 63)]:
        bad_g("axis_" + name, "axes", one([value]), at=37, subject=wt, what="axis of the tensor is too long")
    for name, axes, kind in [
        ("product_wraps_to_0", [1 << 32, 1 << 32], 0), ("product_wraps_to_2", [3, 6148914691236517206], 0), ("2_63_minus_1_by_2", [(1 << 63) - 1, 2], 0),
        ("four_wrap", [1 << 16] * 4, 0), ("bytes_wrap", [1 << 62], 0), ("f64_bytes_wrap", [1 << 61], 28), ("block_bytes_wrap", [(1 << 63) - 32], 8),
    ]:
        bad_g("axes_" + name, "axes", one(axes, kind, data=8), at=37, subject=wt, what="too large")
    for name, axes, kind in [("q4_0_33", [33], 2), ("q8_0_1", [1], 8), ("q4_k_32", [32], 12), ("q6_k_255", [255], 14), ("mxfp4_16", [16, 2], 39), ("q8_0_scalar", [], 8), ("iq2_xxs_128", [128], 16)]:
        bad_g("rows_" + name, "type", one(axes, kind, data=999), at=37, subject=wt, what="rows do not fit")
    for kind in (4, 5, 31, 32, 33, 36, 37, 38):
        bad_g(f"type_removed_{kind}", "type", one([256], kind, data=999), at=45, subject=wt, what="removed")
    for kind in (43, 96, 1000, 2**31, 2**32 - 1):
        bad_g(f"type_{kind}", "type", one([256], kind, data=999), at=45, subject=wt, what="unknown")
    bad_g("type_ik_llama_137", "type", one([256], 137, data=999), at=45, subject=wt, what="ik_llama.cpp")
    bad_g("offset_2_64_minus_1", "offset", one([1], 0, M64, data=4), at=49, subject=wt, what="offset is too large")
    for name, offset in [("32", 32), ("1", 1), ("2_63_minus_1", (1 << 63) - 1), ("2_62", 1 << 62)]:
        bad_g("offset_first_" + name, "offset", one([1], 0, offset, data=64), at=49, subject=wt, what="does not follow")
    for name, first, offset in [("gap", 1, 64), ("overlap", 9, 32), ("unaligned", 1, 4), ("same", 1, 0)]:
        bad_g("offset_" + name, "offset", new(2).tensor("w", [first]).tensor("v", [1], 0, offset).pad().zeros(128), at=82, subject="tensor 'v'", what="does not follow")
    bad_g("offset_out_of_order", "offset", new(2).tensor("w", [1], 0, 32).tensor("v", [1]).pad().zeros(64), at=49, subject=wt, what="does not follow")
    bad_g("table_cut", "data", new(1).string("w").num("I", 1).count(1).num("I", 0).here().zeros(7), subject=wt, what="ends too early")
    for name, axes, kind, data in [("none", [2], 0, 0), ("one_short", [2], 0, 7), ("four_tib", [1 << 40], 0, 64), ("block_short", [32], 8, 33), ("start_wraps", [32 * 271275648142787523], 8, 64)]:
        bad_g("data_" + name, "data", one(axes, kind, data=data), at=64 + data, subject=wt, what="before the tensor's last byte")
    bad_g("data_no_padding", "data", new(1).tensor("w", [2]), at=57, subject=wt, what="before the tensor's last byte")
    bad_g("data_second_short", "data", new(2).tensor("w", [1]).tensor("v", [1], 0, 32).pad().zeros(35), at=131, subject="tensor 'v'", what="before the tensor's last byte")
    bad_g("data_alignment_2_31", "data", new(1, 1).key("general.alignment", 4).num("I", 1 << 31).tensor("w", [1]).zeros(64), subject=wt, what="before the tensor's last byte")

    # What must be read.
    for version in (1, 2, 3):
        for order, word in (("<", "little"), (">", "big")):
            file = GGUF(version, order).header(2, 3).key("a", 8).string("text").key("b", 9).num("I", 5).count(2).num("i", -1, 2).key("c", 12).num("d", 0.5)
            file.tensor("w", [32, 2], 8).tensor("v", [3], 26, 96).pad().zeros(96).num("i", 1, 2, 3)
            G(f"ok_v{version}_{word}", "must-accept", "version", file)
    file = new(0, 13)
    for kind, code in enumerate("BbHhIif?"):
        file.key(f"k{kind}", kind).num(code, 1)
    file.key("k8", 8).string("").key("k9", 9).num("I", 8).count(2).string("a").string("b\0c").key("k10", 10).num("Q", M64).key("k11", 11).num("q", -1).key("k12", 12).num("d", 1e300)
    G("ok_all_value_types", "must-accept", "value", file)
    file = new(0, 12)
    for kind in (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12):
        file.key(f"k{kind}", 9).num("I", kind).count(0)
    G("ok_empty_arrays", "must-accept", "array", file)
    file, offset = new(len(TYPES)), 0
    for kind, elements, size in TYPES:
        file.tensor(f"t{kind}", [elements], kind, offset)
        offset += size + -size % 32
    G("ok_all_types", "must-accept", "type", file.pad().zeros(offset))
    for value in (8, 16, 64, 256, 1024):
        file = new(2, 1).key("general.alignment", 4).num("I", value).tensor("w", [1]).tensor("v", [1], 0, value).pad(value)
        G(f"ok_alignment_{value}", "must-accept", "alignment", file.zeros(value + 4))
    for name, file in [
        ("header_only", new()), ("scalar", one([], data=4)), ("zero_axis", one([0])), ("zero_axis_inner", one([32, 0, 5], 8)), ("rank_4", one([32, 1, 2, 1], 8, data=68)),
        ("name_63_bytes", new(1).tensor("n" * 63, [1]).pad().zeros(4)), ("padded_end", one([1], data=32)), ("bare_end", one([1], data=4)),
        ("nfc_nfd_names", new(2).tensor("\u00e9", [1]).tensor("e\u0301", [1], 0, 32).pad().zeros(36)), ("metadata_only", new(0, 1).key("general.architecture", 8).string("llama")),
        ("long_string", item(8).string("x" * 3000)), ("nan_value", item(6).num("f", float("nan"))),
    ]:
        G("ok_" + name, "must-accept", "accept", file)

    # Where readers differ: what this one does.
    for value in (1, 2, 4):
        G(f"policy_alignment_{value}", "policy", "accepted", new(1, 1).key("general.alignment", 4).num("I", value).tensor("w", [1]).pad(value).zeros(4))
    for name, file in [
        ("bytes_after", one([1], data=100)), ("empty_name", new(1).tensor("", [1]).pad().zeros(4)), ("odd_key", new(0, 1).key("Not a Key\n", 0).zeros(1)),
        ("nul_in_string", item(8).string("a\0b")), ("key_nul", new(0, 1).key("a\0b", 0).zeros(1)),
    ]:
        G("policy_" + name, "policy", "accepted", file)
    for name, file, subject, what in [
        ("bool_2", item(7).here().num("B", 2), key, "neither 0 nor 1"), ("bool_array_255", array(7).count(2).zeros(1).here().raw(b"\xff"), key, "neither 0 nor 1"),
        ("nested_array", item(9).here().num("I", 9).count(1).num("I", 0).count(0), key, "arrays of arrays"), ("nested_deeply", item(9).here().raw(struct.pack("<IQ", 9, 1) * 200), key, "arrays of arrays"),
        ("name_nul", new(1).here().tensor("w\0v", [1]).pad().zeros(4), "tensor 'w\\u{0}v'", "zero byte"), ("key_65536_bytes", new(0, 1).here().count(65536).zeros(64), None, "key is too long"),
        ("wraps_zero_first", new(1).string("w").num("I", 3).here().count(0).count(1 << 40).count(1 << 40).num("I", 0).num("Q", 0).pad(), wt, "too large"),
    ]:
        G("policy_" + name, "policy", "refused", file, reject=True, subject=subject, what=what)
    for name, file, subject in [("string", item(8).count(2).raw(b"a\xff"), key), ("array", array(8).count(1).count(1).raw(b"\x80"), key), ("key", new(0, 1).count(2).raw(b"k\xc3").num("I", 0).zeros(1), None), ("name", new(1).count(1).raw(b"\xfe").zeros(40), None)]:
        at = max(file.data.rfind(b) for b in (b"\xff", b"\x80", b"\xc3", b"\xfe"))
        G("policy_utf8_" + name, "policy", "refused", file, reject=True, at=at, subject=subject, what="UTF-8")

    # Split files.
    def part(number, count, total=2, name="x", no=2):
        file = new(1, 3 if number is not None else 2).key("split.count", 2).num("H", count).key("split.tensors.count", 5).num("i", total)
        if number is not None:
            file.key("split.no", no).num("H", number)
        return file.tensor(name, [1]).pad().zeros(4).data

    first, second = "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"
    split = lambda name, files, verdict="must-reject", **place: case("split/" + name, files, verdict, "split", verdict == "must-reject", **place)
    split("ok", {first: part(0, 2), second: part(1, 2, name="y")}, "must-accept")
    split("ok_not_split", {"m.gguf": part(0, 1)}, "must-accept")
    split("part_missing", {first: part(0, 2)}, what="cannot open")
    split("first_missing", {second: part(1, 2)}, what="first part is missing")
    split("wrong_number", {first: part(0, 2), second: part(0, 2, name="y")}, what="not the part its name says")
    split("wrong_count", {first: part(0, 2), second: part(1, 3, name="y")}, what="not the part its name says")
    split("second_not_split", {first: part(0, 2), second: one([1], data=4).data}, what="not the part its name says")
    split("same_tensor", {first: part(0, 2), second: part(1, 2)}, subject="tensor 'x'", what="two files")
    split("wrong_total", {first: part(0, 2, 3), second: part(1, 2, name="y")}, subject="key 'split.tensors.count'", what="another number of tensors")
    split("negative_total", {first: part(0, 2, -1)}, subject="key 'split.tensors.count'", what="not usable")
    split("no_number", {first: part(None, 2)}, subject="key 'split.no'", what="missing or too large")
    split("number_too_large", {first: part(2, 2)}, subject="key 'split.no'", what="missing or too large")
    split("badly_named", {"m.gguf": part(0, 2)}, what="not named as its metadata says")
    split("second_truncated", {first: part(0, 2), second: part(1, 2, name="y")[:-1]}, subject="tensor 'y'", what="before the tensor's last byte")


# --- zstd ------------------------------------------------------------------------------------------


def xxh64(data):
    """The checksum of zstd frames, seed 0."""
    p1, p2, p3, p4, p5 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
    rot = lambda x, r: (x << r | x >> (64 - r)) & M64
    lane = lambda acc, x: rot((acc + x * p2) & M64, 31) * p1 & M64
    position = 0
    if len(data) >= 32:
        accs = [(p1 + p2) & M64, p2, 0, -p1 & M64]
        while position + 32 <= len(data):
            accs = [lane(acc, x) for acc, x in zip(accs, struct.unpack_from("<4Q", data, position))]
            position += 32
        h = sum(rot(acc, r) for acc, r in zip(accs, (1, 7, 12, 18))) & M64
        for acc in accs:
            h = ((h ^ lane(0, acc)) * p1 + p4) & M64
    else:
        h = p5
    h = (h + len(data)) & M64
    while position + 8 <= len(data):
        h = (rot(h ^ lane(0, struct.unpack_from("<Q", data, position)[0]), 27) * p1 + p4) & M64
        position += 8
    if position + 4 <= len(data):
        h = (rot(h ^ struct.unpack_from("<I", data, position)[0] * p1 & M64, 23) * p2 + p3) & M64
        position += 4
    for byte in data[position:]:
        h = rot(h ^ byte * p5 & M64, 11) * p1 & M64
    h = (h ^ h >> 33) * p2 & M64
    h = (h ^ h >> 29) * p3 & M64
    return h ^ h >> 32


MAGIC = b"\x28\xb5\x2f\xfd"


def block(data, last=True, kind=0, size=None):
    return struct.pack("<I", last | kind << 1 | (len(data) if size is None else size) << 3)[:3] + data


def frame(data, checksum=True, window=0x38, blocks=None, descriptor=0):
    """A frame of one raw block, or of given blocks, with a window of 128 KiB."""
    return MAGIC + bytes([descriptor | (4 if checksum else 0), window]) + (block(data) if blocks is None else blocks) + (struct.pack("<I", xxh64(data) & 0xFFFFFFFF) if checksum else b"")


def skippable(data, low=0x50):
    return bytes([low, 0x2A, 0x4D, 0x18]) + struct.pack("<I", len(data)) + data


def make_zstd():
    plain = safetensors("{" + entry() + "}", 8)
    gguf = GGUF().header(1).tensor("w", [2]).pad().zeros(8).data
    bomb = b"".join(block(b"\0", False, 1, 131072) for _ in range(1000)) + block(b"", True)
    Z = lambda name, verdict, rule, data, **place: case(f"zstd/{name}.zst", data, verdict, rule, verdict == "must-reject" or place.pop("reject", False), **place)
    bad = lambda name, rule, data, **place: Z(name, "must-reject", rule, data, **place)
    for name, data in [("safetensors", plain), ("gguf", gguf), ("gguf_padded", gguf + bytes(24))]:
        Z("ok_" + name, "must-accept", "accept", frame(data))
        Z("ok_no_checksum_" + name, "must-accept", "accept", frame(data, False))
    Z("ok_frames", "must-accept", "frames", frame(plain[:30]) + frame(plain[30:], False))
    Z("ok_skippable_first", "must-accept", "frames", skippable(b"notes") + frame(plain))
    Z("ok_skippable_between", "must-accept", "frames", frame(plain[:9]) + skippable(b"", 0x5F) + frame(plain[9:]))
    Z("ok_skippable_last", "must-accept", "frames", frame(plain) + skippable(bytes(100)))
    Z("ok_empty_frames", "must-accept", "frames", frame(b"") + frame(plain) + frame(b"", False))
    Z("ok_blocks", "must-accept", "blocks", frame(plain, True, blocks=block(plain[:20], False) + block(b"", False) + block(plain[20:])))
    Z("ok_rle_block", "must-accept", "blocks", frame(plain, True, blocks=block(plain[:-8], False) + block(b"\0", True, 1, 8)))
    whole = frame(plain)
    for name, size in [("magic", 4), ("header", 5), ("block_header", 8), ("block", 40), ("checksum", len(whole) - 4), ("last_byte", len(whole) - 1)]:
        bad("cut_" + name, "end", whole[:size], at=size, what="ends inside a frame")
    bad("cut_skippable", "end", frame(plain) + skippable(b"abc")[:-1], at=len(whole) + 10, what="ends inside a frame")
    bad("cut_not_last_block", "end", frame(plain, False, blocks=block(plain, False)), what="ends inside a frame")
    bad("checksum_wrong", "checksum", whole[:-1] + bytes([whole[-1] ^ 1]), what="checksum")
    bad("data_flipped", "checksum", whole[:20] + bytes([whole[20] ^ 1]) + whole[21:])
    for name, rest in [("garbage", b"garbage!"), ("one_byte", b"\0"), ("magic", MAGIC), ("zeros", bytes(64))]:
        bad("after_" + name, "frames", whole + rest)
    bad("reserved_bit", "frame", frame(plain, descriptor=8), what="damaged")
    bad("reserved_block", "frame", frame(plain, False, blocks=block(plain, True, 3)), what="damaged")
    bad("dictionary", "frame", MAGIC + b"\x01\x38\x07" + block(plain), what="damaged")
    bad("window_2_28", "window", frame(plain, window=18 << 3), what="memory")
    bad("window_3_75_tib", "window", frame(plain, window=0xFF), what="memory")
    bad("block_over_window", "frame", frame(plain, False, window=0, blocks=block(bytes(2000))), what="damaged")
    bad("block_over_128_kib", "frame", frame(plain, False, blocks=block(b"\0", True, 1, 131073)), what="damaged")
    bad("size_too_small", "frame", MAGIC + b"\x20" + bytes([len(plain) - 1]) + block(plain), what="damaged")
    bad("size_too_large", "frame", MAGIC + b"\x20" + bytes([len(plain) + 1]) + block(plain), what="damaged")
    bad("size_2_64_minus_2", "frame", MAGIC + b"\xc0\x38" + struct.pack("<Q", M64 - 1) + block(plain), what="damaged")
    # libzstd takes this size for an unknown one.
    Z("policy_size_2_64_minus_1", "policy", "frame", MAGIC + b"\xc0\x38" + struct.pack("<Q", M64) + block(plain))
    bad("only_skippable", "frames", skippable(plain), at=0, what="no known format")
    bad("empty", "frames", frame(b""), at=0, what="no known format")
    bad("inner_zstd", "frames", frame(frame(plain)), at=0, what="no known format")
    bad("bomb_before", "bomb", frame(b"", False, blocks=bomb), at=0, what="no known format")
    bad("bomb_after_safetensors", "bomb", whole + frame(b"", False, blocks=bomb), what="too long")
    bad("bomb_after_gguf", "bomb", frame(gguf) + frame(b"", False, blocks=bomb), what="too long")
    bad("bomb_as_header", "bomb", frame(struct.pack("<Q", 100_000_000) + b"{", False) + frame(b"", False, blocks=block(b" ", False, 1, 131072) * 200 + block(b"")), at=8, what="too short")
    bad("safetensors_cut", "inner", frame(plain[:-1]), what="decompressed file is too short")
    bad("safetensors_longer", "inner", frame(plain + b"\0"), what="decompressed file is too long")
    bad("safetensors_header_cut", "inner", frame(plain[:40]), at=8)
    bad("gguf_cut", "inner", frame(gguf[:-1]), what="decompressed file is too short")
    bad("gguf_header_cut", "inner", frame(gguf[:40]))
    bad("gguf_string_2_62", "inner", frame(GGUF().header(0, 1).key("k", 8).count(1 << 62).zeros(8).data), subject="key 'k'", at=37, what="string is too long")
    bad("gguf_tensors_2_55", "inner", frame(GGUF().header(1 << 55, 0).zeros(64).data), at=8, what="number of tensors")
    bad("duplicate_key", "inner", frame(safetensors("{" + entry() + "," + entry() + "}", 8)), subject="tensor 'w'", at=10 + len(entry()), what="comes twice")


# ---------------------------------------------------------------------------------------------------


def main():
    for folder in ("safetensors", "index", "gguf", "split", "zstd"):
        shutil.rmtree(os.path.join(HERE, folder), ignore_errors=True)
    make_safetensors()
    make_index()
    make_gguf()
    make_zstd()
    paths = [row["path"] for row in CASES]
    assert len(set(paths)) == len(paths), [path for path in paths if paths.count(path) > 1]
    CASES.sort(key=lambda row: row["path"])
    with open(os.path.join(HERE, "cases.json"), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in CASES) + "\n]\n")
    digest, count, size = hashlib.sha256(), 0, 0
    for folder in ("safetensors", "index", "gguf", "split", "zstd"):
        for path in sorted(glob.glob(os.path.join(HERE, folder, "**"), recursive=True)):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
                digest.update(os.path.relpath(path, HERE).encode() + b"\0" + data)
                count, size = count + 1, size + len(data)
    verdicts = {v: sum(row["verdict"] == v for row in CASES) for v in ("must-reject", "must-accept", "policy")}
    print(f"{len(CASES)} cases {verdicts}, {count} files, {size} bytes\n{digest.hexdigest()}")


if __name__ == "__main__":
    main()
