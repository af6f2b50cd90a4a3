// What the vector kernels share, for whichever vectors the including file has chosen.
//
// A lane is a group of its own: every sum runs in the order of the portable kernels, so the bytes
// are the same.

#include "KQuants.h"

/// Blocks that are searched together, so that the lanes of every step are full.
enum { BATCH = LANES };

/// Rounds to the nearest integer, ties to even, as a float; for magnitudes below 2^22.
INLINE floats rounded(floats v) { return (v + all(12582912.0f)) - all(12582912.0f); }

/// `nearest` of every lane, whatever its value.
INLINE ints nearest_ints(floats v) {
  ints bits = and_ints(bit_pattern(v + all(12582912.0f)), all_int(0x7FFFFF));
  return add_ints(bits, all_int(-0x400000));
}

INLINE floats limited_floats(floats v, floats low, floats high) {
  return greater(low, lesser(high, v));
}

/// Element i of `LANES` groups that lie one after the other becomes lane by lane to[i].
INLINE void transpose_groups(const float *from, int count, floats *to) {
  for (int i = 0; i < count; i += LANES) transpose(from + i, (size_t)count, to + i);
}

/// Σ x² of `LANES` runs of `count` elements, each in order.
INLINE floats sums_of_squares(const float *from, int count) {
  floats sum = all(0), tile[LANES];
  for (int i = 0; i < count; i += LANES) {
    transpose(from + i, (size_t)count, tile);
    for (int e = 0; e < LANES; e++) sum = sum + tile[e] * tile[e];
  }
  return sum;
}

/// codes = limited(nearest(inverse · (x − least)), low, high) − low.
INLINE void quantize(
  int count, const float *x, float inverse, float least, int low, int high, uint8_t *codes
) {
  for (int i = 0; i < count; i += LANES) {
    ints level = nearest_ints(all(inverse) * (load(x + i) - all(least)));
    level = limited_ints(level, all_int(low), all_int(high));
    store_bytes(codes + i, add_ints(level, all_int(-low)));
  }
}

/// `port_requantize`, for counts that are multiples of LANES.
VECTOR static void requantize(
  int count, const float *x, const float *scales, const float *offsets, int low, int high,
  uint8_t *codes
) {
  for (int group = 0; group < SUPER / count; group++, x += count, codes += count) {
    if (scales[group] == 0) continue;
    floats scale = all(scales[group]), offset = all(offsets[group]);
    for (int i = 0; i < count; i += LANES) {
      ints level = nearest_ints((load(x + i) + offset) / scale);
      level = limited_ints(level, all_int(low), all_int(high));
      store_bytes(codes + i, add_ints(level, all_int(-low)));
    }
  }
}

/// Copies up to BATCH blocks, the missing ones as zeros, and their importance; both are laid out
/// block by block.
struct batch {
  float values[BATCH * SUPER];
  float importance[BATCH * SUPER];
};

static void load_batch(
  const struct port_rows *rows, size_t first, int count, int elements, struct batch *batch
) {
  size_t bytes = 4 * (size_t)elements, blocks_a_row = rows->row_length / (size_t)elements;
  const uint8_t *values = (const uint8_t *)rows->values + first * bytes;
  memcpy(batch->values, values, (size_t)count * bytes);
  if (count < BATCH) {
    memset(batch->values + count * elements, 0, (size_t)(BATCH - count) * bytes);
  }
  if (!rows->importance) return;
  for (int b = 0; b < BATCH; b++) {
    size_t column = (first + (size_t)b) % blocks_a_row;
    const uint8_t *importance = (const uint8_t *)rows->importance + column * bytes;
    memcpy(batch->importance + b * elements, importance, bytes);
  }
}

/// `store_half` with the instruction.
INLINE void store_narrowed(uint8_t *to, float value) {
  uint16_t half = value != value ? half_of(value) : narrowed(value);
  memcpy(to, &half, sizeof half);
}

/// A bit for each of the 32 elements that equal the value.
INLINE uint32_t equal_elements(const float *x, float value) {
  uint32_t bits = 0;
  for (int i = 0; i < 32; i += LANES) {
    bits |= (uint32_t)bits_of(is_equal(load(x + i), all(value))) << i;
  }
  return bits;
}

/// w = importance · √(energy + x²) of `LANES` groups.
INLINE void weigh_lanes(
  int count, const floats *x, const float *importance, floats energy, floats *w
) {
  transpose_groups(importance, count, w);
  for (int i = 0; i < count; i++) w[i] = w[i] * root(energy + x[i] * x[i]);
}
