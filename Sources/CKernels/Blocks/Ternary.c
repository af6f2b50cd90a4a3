// Q1_0, Q2_0, TQ1_0, TQ2_0: one or two bits, or a fifth of a byte, an element; one scale a block.

#include "Encoders.h"

static float greatest_magnitude(const float *x, int count) {
  float most = 0;
  for (int i = 0; i < count; i++) {
    if (fabsf(x[i]) > most) most = fabsf(x[i]);
  }
  return most;
}

/// round(value), halves away from zero, of what lies in −1 ... 1; 0 of what is not finite.
static int rounded_sign(float value) {
  if (!isfinite(value)) return 0;
  return value >= 0.5f ? 1 : value <= -0.5f ? -1 : 0;
}

/// F16 mean magnitude, then 128 sign bits: 1 where x ≥ 0.
static void encode_q1_0(const struct block *block, uint8_t *to) {
  const float *x = block->values;
  float sum = 0;
  for (int i = 0; i < 128; i++) sum += fabsf(x[i]);
  store_half(to, sum / 128);
  memset(to + 2, 0, 16);
  for (int i = 0; i < 128; i++) to[2 + i / 8] |= (uint8_t)((x[i] >= 0) << i % 8);
}

/// F16 d = max|x|, then 64 pairs of bits, low first: round(x · (1/d)) + 1. What is not finite before
/// rounding gets 0.
static void encode_q2_0(const struct block *block, uint8_t *to) {
  const float *x = block->values;
  float scale = greatest_magnitude(x, 64);
  float inverse = scale > 0 ? 1.0f / scale : 0;
  store_half(to, scale);
  memset(to + 2, 0, 16);
  for (int i = 0; i < 64; i++) {
    float product = x[i] * inverse;
    int code = isfinite(product) ? rounded_sign(product) + 1 : 0;
    to[2 + i / 4] |= (uint8_t)(code << i % 4 * 2);
  }
}

/// Five trits, the first most significant, as ⌈value · 256 / 243⌉.
static uint8_t pack_trits(const float *x, int stride, int count, float inverse) {
  unsigned value = 0;
  for (int i = 0; i < 5; i++) {
    value = 3 * value + (i < count ? (unsigned)(rounded_sign(x[i * stride] * inverse) + 1) : 0);
  }
  return (uint8_t)((value * 256 + 242) / 243);
}

/// The pieces of a TQ1_0 block: elements `first + stride · n + i` lie in byte `byte + i`.
static const struct piece {
  int first, stride, trits, byte;
} pieces[3] = {{0, 32, 5, 0}, {160, 16, 5, 32}, {240, 4, 4, 48}};

/// 52 bytes of trits, then F16 d = max|x|; trit = round(x · (1/d)) + 1.
static void encode_tq1_0(const struct block *block, uint8_t *to) {
  float scale = greatest_magnitude(block->values, SUPER);
  float inverse = scale != 0 ? 1.0f / scale : 0;
  for (int p = 0; p < 3; p++) {
    struct piece piece = pieces[p];
    for (int i = 0; i < piece.stride; i++) {
      to[piece.byte + i] =
        pack_trits(block->values + piece.first + i, piece.stride, piece.trits, inverse);
    }
  }
  store_half(to + 52, scale);
}

/// 64 bytes of pairs of bits, then F16 d = max|x|; bits 2 n of byte 32 h + i are element
/// 128 h + 32 n + i.
static void encode_tq2_0(const struct block *block, uint8_t *to) {
  float scale = greatest_magnitude(block->values, SUPER);
  float inverse = scale != 0 ? 1.0f / scale : 0;
  memset(to, 0, 64);
  for (int e = 0; e < SUPER; e++) {
    int code = rounded_sign(block->values[e] * inverse) + 1;
    to[e / 128 * 32 + e % 32] |= (uint8_t)(code << e / 32 % 4 * 2);
  }
  store_half(to + 64, scale);
}

PORT_ENCODER(q1_0, 128, 18, 0)
PORT_ENCODER(q2_0, 64, 18, 0)
PORT_ENCODER(tq1_0, SUPER, 54, 0)
PORT_ENCODER(tq2_0, SUPER, 66, 0)
