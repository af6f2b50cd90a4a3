#ifndef PORT_BLOCKS_H
#define PORT_BLOCKS_H

// What the kernels of blocks share.
//
// Every encoder gives the bytes of the reference program, which computes in F32, one operation after
// the other in a fixed order, without fused multiply-adds. So no expression here may be contracted
// or reordered: compile with -ffp-contract=off where the pragma below is not obeyed (GCC).

#include "../Portable.h"
#include "Codebook.h"

#include <math.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

/// The elements of a large block.
enum { SUPER = 256 };

/// Magnitudes below this count as zero in most searches.
#define NEGLIGIBLE 1e-15f

/// One block to encode.
struct block {
  /// The elements.
  const float *values;
  /// One weight an element, or NULL.
  const float *importance;
  /// The mean of x² over the row where the type asks for it, otherwise 0.
  float row_mean_square;
  const struct port_codebook *codebook;
};

typedef void (*block_encoder)(const struct block *block, uint8_t *to);

/// Encodes every block of the rows; `row_energy` asks for `row_mean_square` when there are weights.
void port_encode_each(
  const struct port_rows *rows, uint8_t *to, const struct port_codebook *codebook,
  int element_count, int byte_count, int row_energy, block_encoder encode);

/// The nearest integer, ties to even, for magnitudes up to 2^22; beyond, the low bits of the sum, as
/// in the reference.
static inline int nearest(float value) {
  float sum = value + 12582912.0f;
  uint32_t bits;
  memcpy(&bits, &sum, sizeof bits);
  return (int)(bits & 0x7FFFFFu) - 0x400000;
}

/// Towards zero; what no int holds, NaN included, becomes INT_MIN.
static inline int truncated(float value) {
  return value > -2147483648.0f && value < 2147483648.0f ? (int)value : -2147483647 - 1;
}

static inline int limited(int value, int low, int high) {
  return value < low ? low : value > high ? high : value;
}

/// Rounds to F16; every NaN becomes the same one.
static inline uint16_t half_of(float value) {
  return value != value ? (uint16_t)(signbit(value) ? 0xFE00u : 0x7E00u)
                        : port_float_to_half(value);
}

static inline void store_half(uint8_t *to, float value) {
  uint16_t half = half_of(value);
  memcpy(to, &half, sizeof half);
}

static inline float load_half(const uint8_t *from) {
  uint16_t half;
  memcpy(&half, from, sizeof half);
  return port_half_to_float(half);
}

static inline float sum_of_squares(const float *x, int count) {
  float sum = 0;
  for (int i = 0; i < count; i++) sum += x[i] * x[i];
  return sum;
}

#endif
