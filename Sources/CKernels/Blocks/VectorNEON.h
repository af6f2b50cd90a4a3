// The vectors of NEON: eight lanes in two registers, so that two chains of operations overlap. The
// names are those of `Vector256.h`.

#include <arm_neon.h>

#define VECTOR
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 8 };

typedef float floats __attribute__((vector_size(32)));
typedef int32_t ints __attribute__((vector_size(32)));
typedef uint32_t unsigned_ints __attribute__((vector_size(32)));
/// A truth value for each lane: all bits set or none.
typedef ints mask;

/// The registers of a vector.
struct float_halves {
  float32x4_t low, high;
};
struct int_halves {
  int32x4_t low, high;
};

INLINE struct float_halves float_halves(floats v) {
  struct float_halves halves;
  memcpy(&halves, &v, sizeof v);
  return halves;
}
INLINE struct int_halves int_halves(ints v) {
  struct int_halves halves;
  memcpy(&halves, &v, sizeof v);
  return halves;
}
INLINE floats both_floats(float32x4_t low, float32x4_t high) {
  struct float_halves halves = {low, high};
  floats v;
  memcpy(&v, &halves, sizeof v);
  return v;
}
INLINE ints both_ints(int32x4_t low, int32x4_t high) {
  struct int_halves halves = {low, high};
  ints v;
  memcpy(&v, &halves, sizeof v);
  return v;
}

INLINE floats load(const float *from) {
  floats v;
  memcpy(&v, from, sizeof v);
  return v;
}
INLINE void store(float *to, floats v) { memcpy(to, &v, sizeof v); }
INLINE floats all(float value) {
  return (floats){value, value, value, value, value, value, value, value};
}
INLINE ints all_int(int value) {
  return (ints){value, value, value, value, value, value, value, value};
}

INLINE ints bit_pattern(floats v) { return (ints)v; }
INLINE floats of_pattern(ints v) { return (floats)v; }
INLINE ints and_ints(ints a, ints b) { return a & b; }
INLINE ints or_ints(ints a, ints b) { return a | b; }
INLINE ints add_ints(ints a, ints b) { return (ints)((unsigned_ints)a + (unsigned_ints)b); }
#define shifted_left(v, count) ((ints)((unsigned_ints)(v) << (count)))
#define shifted_right(v, count) ((ints)((unsigned_ints)(v) >> (count)))

INLINE mask is_less(floats a, floats b) { return a < b; }
INLINE mask is_at_most(floats a, floats b) { return a <= b; }
INLINE mask is_equal(floats a, floats b) { return a == b; }
INLINE mask is_unequal(floats a, floats b) { return a != b; }
INLINE mask is_not_less(floats a, floats b) { return ~(a < b); }
INLINE mask both(mask a, mask b) { return a & b; }
INLINE mask either(mask a, mask b) { return a | b; }
/// Bit i is lane i.
INLINE unsigned bits_of(mask m) {
  struct int_halves bits = int_halves(m & (mask){1, 2, 4, 8, 16, 32, 64, 128});
  return (unsigned)vaddvq_s32(vorrq_s32(bits.low, bits.high));
}
/// Bit i is the sign of lane i.
INLINE unsigned bits_of_signs(ints v) { return bits_of(v < all_int(0)); }
INLINE ints chosen_int(mask m, ints a, ints b) { return (m & a) | (~m & b); }
INLINE floats chosen(mask m, floats a, floats b) {
  return (floats)chosen_int(m, (ints)a, (ints)b);
}

/// a where it is less, otherwise b: what `a < b ? a : b` gives, also for zeros and NaN.
INLINE floats lesser(floats a, floats b) { return chosen(a < b, a, b); }
/// `a > b ? a : b`.
INLINE floats greater(floats a, floats b) { return chosen(a > b, a, b); }
INLINE floats magnitude(floats v) { return (floats)((ints)v & all_int(0x7FFFFFFF)); }
INLINE floats negated(floats v) { return -v; }
INLINE floats root(floats v) {
  struct float_halves halves = float_halves(v);
  return both_floats(vsqrtq_f32(halves.low), vsqrtq_f32(halves.high));
}

/// Of integral values.
INLINE ints to_ints(floats v) {
  struct float_halves halves = float_halves(v);
  return both_ints(vcvtq_s32_f32(halves.low), vcvtq_s32_f32(halves.high));
}
/// Towards zero; what no int holds, NaN included, becomes INT_MIN.
INLINE ints truncated_ints(floats v) {
  mask is_held = magnitude(v) < all(2147483648.0f);
  return chosen_int(is_held, to_ints(v), all_int(-2147483647 - 1));
}
INLINE floats to_floats(ints v) {
  struct int_halves halves = int_halves(v);
  return both_floats(vcvtq_f32_s32(halves.low), vcvtq_f32_s32(halves.high));
}
INLINE ints limited_ints(ints v, ints low, ints high) {
  struct int_halves a = int_halves(v), b = int_halves(low), c = int_halves(high);
  return both_ints(
    vmaxq_s32(b.low, vminq_s32(c.low, a.low)), vmaxq_s32(b.high, vminq_s32(c.high, a.high)));
}
/// 2 v, and 1 more where m is true.
INLINE ints doubled_plus(ints v, mask m) {
  return (ints)((unsigned_ints)v + (unsigned_ints)v - (unsigned_ints)m);
}

INLINE void store_ints(int32_t *to, ints v) { memcpy(to, &v, sizeof v); }
INLINE ints load_ints(const uint32_t *from) {
  ints v;
  memcpy(&v, from, sizeof v);
  return v;
}
/// The lowest byte of each lane.
INLINE void store_bytes(uint8_t *to, ints v) {
  struct int_halves halves = int_halves(v);
  int16x8_t pairs = vcombine_s16(vmovn_s32(halves.low), vmovn_s32(halves.high));
  vst1_u8(to, vreinterpret_u8_s8(vmovn_s16(pairs)));
}
INLINE ints load_bytes(const uint8_t *from) {
  uint16x8_t pairs = vmovl_u8(vld1_u8(from));
  return both_ints(
    vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(pairs))),
    vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(pairs))));
}
INLINE ints gathered(const uint32_t *table, ints places) {
  uint32_t values[LANES];
  for (int l = 0; l < LANES; l++) values[l] = table[(uint32_t)places[l]];
  return load_ints(values);
}

/// The numbers of the bytes of entries of four bytes each; the entries are less than 2^6.
INLINE struct int_halves bytes_of_entries(ints entries) {
  unsigned_ints four = (unsigned_ints)entries * (unsigned_ints)all_int(0x04040404);
  return int_halves(add_ints((ints)four, all_int(0x03020100)));
}

/// The lane of the table that the lowest bits of each lane name.
INLINE floats picked(floats table, ints places) {
  struct float_halves from = float_halves(table);
  uint8x16x2_t bytes = {{vreinterpretq_u8_f32(from.low), vreinterpretq_u8_f32(from.high)}};
  struct int_halves at = bytes_of_entries(and_ints(places, all_int(7)));
  return both_floats(
    vreinterpretq_f32_u8(vqtbl2q_u8(bytes, vreinterpretq_u8_s32(at.low))),
    vreinterpretq_f32_u8(vqtbl2q_u8(bytes, vreinterpretq_u8_s32(at.high))));
}

/// The entry of a table of 16 that the lowest four bits of each lane name.
INLINE floats looked_up(const float *table, ints places) {
  uint8x16x4_t bytes = {{
    vreinterpretq_u8_f32(vld1q_f32(table)), vreinterpretq_u8_f32(vld1q_f32(table + 4)),
    vreinterpretq_u8_f32(vld1q_f32(table + 8)), vreinterpretq_u8_f32(vld1q_f32(table + 12)),
  }};
  struct int_halves at = bytes_of_entries(and_ints(places, all_int(15)));
  return both_floats(
    vreinterpretq_f32_u8(vqtbl4q_u8(bytes, vreinterpretq_u8_s32(at.low))),
    vreinterpretq_f32_u8(vqtbl4q_u8(bytes, vreinterpretq_u8_s32(at.high))));
}

/// The entry of a table of 8 that the lowest three bits of each lane name.
INLINE floats looked_up_in_8(const float *table, ints places) {
  return picked(load(table), places);
}

/// Column c of the 4 × 4 tile whose rows begin `stride` floats apart becomes to[c].
INLINE void transpose_tile(const float *from, size_t stride, float32x4_t *to) {
  float32x4_t r0 = vld1q_f32(from), r1 = vld1q_f32(from + stride);
  float32x4_t r2 = vld1q_f32(from + 2 * stride), r3 = vld1q_f32(from + 3 * stride);
  float64x2_t low = vreinterpretq_f64_f32(vtrn1q_f32(r0, r1));
  float64x2_t odd = vreinterpretq_f64_f32(vtrn2q_f32(r0, r1));
  float64x2_t low2 = vreinterpretq_f64_f32(vtrn1q_f32(r2, r3));
  float64x2_t odd2 = vreinterpretq_f64_f32(vtrn2q_f32(r2, r3));
  to[0] = vreinterpretq_f32_f64(vtrn1q_f64(low, low2));
  to[1] = vreinterpretq_f32_f64(vtrn1q_f64(odd, odd2));
  to[2] = vreinterpretq_f32_f64(vtrn2q_f64(low, low2));
  to[3] = vreinterpretq_f32_f64(vtrn2q_f64(odd, odd2));
}

/// Column i of the 8 × 8 tile whose rows begin `stride` floats apart becomes to[i].
INLINE void transpose(const float *from, size_t stride, floats *to) {
  for (int half = 0; half < 2; half++) {
    float32x4_t upper[4], lower[4];
    transpose_tile(from + 4 * half, stride, upper);
    transpose_tile(from + 4 * stride + 4 * half, stride, lower);
    for (int c = 0; c < 4; c++) to[4 * half + c] = both_floats(upper[c], lower[c]);
  }
}

/// Rounds to F16; NaN keeps some of its bits.
INLINE uint16_t narrowed(float value) {
  float16x4_t half = vcvt_f16_f32(vdupq_n_f32(value));
  return vget_lane_u16(vreinterpret_u16_f16(half), 0);
}

INLINE float least_lane(floats v) {
  struct float_halves halves = float_halves(v);
  return vminvq_f32(vminq_f32(halves.low, halves.high));
}
INLINE float greatest_lane(floats v) {
  struct float_halves halves = float_halves(v);
  return vmaxvq_f32(vmaxq_f32(halves.low, halves.high));
}
