// Q1_0, Q2_0, TQ1_0, TQ2_0, MXFP4, NVFP4: the elements of a block in the lanes.

#include "FP4.h"

/// The block encoder of a type, called for each block with its elements and room to read beyond.
#define SMALL_ENCODER(type, elements, bytes) \
  VECTOR static void encode_##type( \
    const struct port_rows *rows, void *to, const struct port_codebook *codebook \
  ) { \
    (void)codebook; \
    const uint8_t *from = rows->values; \
    uint8_t *block = to; \
    float x[elements + LANES] = {0}; \
    for (size_t i = 0; i < rows->row_count * (rows->row_length / elements); i++) { \
      memcpy(x, from, 4 * elements); \
      encode_block_##type(x, block); \
      from += 4 * elements; \
      block += bytes; \
    } \
  }

INLINE float greatest_magnitude(const float *x, int count) {
  floats most = all(0);
  for (int i = 0; i < count; i += LANES) most = greater(magnitude(load(x + i)), most);
  return greatest_lane(most);
}

/// round(x · inverse) + 1, halves away from zero, of products in −1 ... 1; 1 of what is not finite.
INLINE floats trits(const float *x, float inverse) {
  floats product = load(x) * all(inverse), infinity = all(__builtin_inff());
  mask above = both(is_at_most(all(0.5f), product), is_less(product, infinity));
  mask below = both(is_at_most(product, all(-0.5f)), is_less(negated(product), infinity));
  return chosen(above, all(2), chosen(below, all(0), all(1)));
}

INLINE void encode_block_tq2_0(const float *x, uint8_t *to) {
  float scale = greatest_magnitude(x, SUPER), inverse = scale != 0 ? 1.0f / scale : 0;
  for (int half = 0; half < 2; half++) {
    for (int i = 0; i < 32; i += LANES) {
      const float *first = x + 128 * half + i;
      ints byte = to_ints(trits(first, inverse));
      byte = or_ints(byte, shifted_left(to_ints(trits(first + 32, inverse)), 2));
      byte = or_ints(byte, shifted_left(to_ints(trits(first + 64, inverse)), 4));
      byte = or_ints(byte, shifted_left(to_ints(trits(first + 96, inverse)), 6));
      store_bytes(to + 32 * half + i, byte);
    }
  }
  store_narrowed(to + 64, scale);
}

/// LANES bytes of five trits, or four and a zero.
INLINE void pack_trit_bytes(
  const float *x, int stride, int count, float inverse, uint8_t *to
) {
  floats value = all(0);
  for (int i = 0; i < 5; i++) {
    value = value * all(3);
    if (i < count) value = value + trits(x + i * stride, inverse);
  }
  // ⌈256 value / 243⌉; half a unit keeps rounding from mattering.
  floats quotient = (value * all(256) + all(242.5f)) / all(243);
  store_bytes(to, truncated_ints(quotient));
}

INLINE void encode_block_tq1_0(const float *x, uint8_t *to) {
  float scale = greatest_magnitude(x, SUPER), inverse = scale != 0 ? 1.0f / scale : 0;
  for (int i = 0; i < 32; i += LANES) pack_trit_bytes(x + i, 32, 5, inverse, to + i);
  for (int i = 0; i < 16; i += LANES) pack_trit_bytes(x + 160 + i, 16, 5, inverse, to + 32 + i);
  uint8_t last[LANES];
  pack_trit_bytes(x + 240, 4, 4, inverse, last);
  memcpy(to + 48, last, 4);
  store_narrowed(to + 52, scale);
}

INLINE void encode_block_q2_0(const float *x, uint8_t *to) {
  float scale = greatest_magnitude(x, 64), inverse = scale > 0 ? 1.0f / scale : 0;
  uint32_t codes[16];
  for (int i = 0; i < 64; i += LANES) {
    floats product = load(x + i) * all(inverse);
    floats code = trits(x + i, inverse);
    // What is not finite gets 0.
    code = chosen(is_less(magnitude(product), all(__builtin_inff())), code, all(0));
    store_bytes((uint8_t *)codes + i, to_ints(code));
  }
  for (int i = 0; i < 16; i += LANES) {
    ints four = load_ints(codes + i);
    ints two = or_ints(four, shifted_right(four, 6));
    store_bytes(to + 2 + i, or_ints(two, shifted_right(two, 12)));
  }
  store_narrowed(to, scale);
}

/// The codes of E2M1 for |x| by half a scale: entry k of a binary tree of the middles, whose children
/// are 2 k and 2 k + 1; what lies in the middle is the lower.
static const float e2m1_middles[8] = {0, 3.5f, 1.5f, 7, 0.5f, 2.5f, 5, 10};

INLINE ints e2m1_codes(floats x, float half_scale) {
  float middles[8];
  for (int i = 0; i < 8; i++) middles[i] = e2m1_middles[i] * half_scale;
  floats size = magnitude(x);
  ints k = doubled_plus(all_int(1), is_less(all(middles[1]), size));
  k = doubled_plus(k, is_less(looked_up_in_8(middles, k), size));
  k = doubled_plus(k, is_less(looked_up_in_8(middles, k), size));
  ints level = and_ints(k, all_int(7));
  ints sign = and_ints(shifted_right(bit_pattern(x), 28), all_int(8));
  mask is_zero = is_at_most(to_floats(level), all(0));
  return chosen_int(is_zero, all_int(0), or_ints(level, sign));
}

INLINE void encode_block_mxfp4(const float *x, uint8_t *to) {
  float greatest = greatest_magnitude(x, 32);
  uint32_t bits;
  memcpy(&bits, &greatest, sizeof bits);
  // Away from the ends of the exponents and from powers of two, the logarithm is the exponent.
  if (bits < 4u << 23 || bits >= 250u << 23 || (bits & 0x7FFFFF) >= 0x7FFF00) {
    struct port_rows row = {x, 32, 1, NULL};
    return port_encode_mxfp4(&row, to, NULL);
  }
  uint8_t exponent = (uint8_t)((bits >> 23) - 2);
  float half_scale = port_half_e8m0(exponent);
  ints codes[VECTORS];
  for (int v = 0; v < VECTORS; v++) codes[v] = e2m1_codes(load(x + v * LANES), half_scale);
  to[0] = exponent;
  pack_q4_q5(4, codes, to + 1);
}

INLINE void encode_block_nvfp4(const float *x, uint8_t *to) {
  if (!(greatest_magnitude(x, 64) < 65536)) {
    // So far beyond the greatest scale that differences round.
    struct port_rows row = {x, 64, 1, NULL};
    return port_encode_nvfp4(&row, to, NULL);
  }
  for (int group = 0; group < 4; group++) {
    const float *values = x + 16 * group;
    uint8_t scale = port_ue4m3(greatest_magnitude(values, 16) / 6.0f);
    float half_scale = port_half_ue4m3(scale);
    uint8_t codes[16] = {0};
    for (int i = 0; i < 16 && half_scale > 0; i += LANES) {
      store_bytes(codes + i, e2m1_codes(load(values + i), half_scale));
    }
    to[group] = scale;
    for (int i = 0; i < 8; i++) {
      to[4 + 8 * group + i] = (uint8_t)(codes[i] | codes[i + 8] << 4);
    }
  }
}

SMALL_ENCODER(tq1_0, SUPER, 54)
SMALL_ENCODER(tq2_0, SUPER, 66)
SMALL_ENCODER(q2_0, 64, 18)
SMALL_ENCODER(mxfp4, 32, 17)
SMALL_ENCODER(nvfp4, 64, 36)

/// The sums of magnitudes run in order, so LANES blocks lie in the lanes.
VECTOR static void encode_q1_0(
  const struct port_rows *rows, void *to, const struct port_codebook *codebook
) {
  (void)codebook;
  size_t total = rows->row_count * (rows->row_length / 128);
  const struct port_rows plain = {rows->values, rows->row_length, rows->row_count, NULL};
  struct batch batch;
  uint8_t *out = to;
  for (size_t start = 0; start < total; start += LANES) {
    int count = total - start < LANES ? (int)(total - start) : LANES;
    load_batch(&plain, start, count, 128, &batch);
    floats sum = all(0), tile[LANES];
    for (int i = 0; i < 128; i += LANES) {
      transpose(batch.values + i, 128, tile);
      for (int e = 0; e < LANES; e++) sum = sum + magnitude(tile[e]);
    }
    float scales[LANES];
    store(scales, sum / all(128));
    for (int b = 0; b < count; b++) {
      store_narrowed(out, scales[b]);
      for (int i = 0; i < 128; i += 16) {
        unsigned bits = 0;
        for (int l = 0; l < 16; l += LANES) {
          bits |= bits_of(is_at_most(all(0), load(batch.values + 128 * b + i + l))) << l;
        }
        out[2 + i / 8] = (uint8_t)bits;
        out[3 + i / 8] = (uint8_t)(bits >> 8);
      }
      out += 18;
    }
  }
}

/// Among the plain kernels.
static void encode_q8_0(
  const struct port_rows *rows, void *to, const struct port_codebook *codebook
) {
  (void)codebook;
  PATH_KERNELS.f32_to_q8_0(rows->values, to, rows->row_length * rows->row_count);
}

static void decode_q8_0(const void *from, void *to, size_t count) {
  PATH_KERNELS.q8_0_to_f32(from, to, count);
}
