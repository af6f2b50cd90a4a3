// Q4_0, Q4_1, Q5_0, Q5_1: 32 elements with one scale, and one offset in the types that end in 1.
//
//   F16 scale, F16 offset (…_1 only), 32 fifth bits (Q5 only), 16 bytes of low nibbles
//
// Byte j holds element j in its low and element j + 16 in its high nibble; fifth bit j is element j's.

#include "Encoders.h"
#include "Search.h"

enum { COUNT = 32 };

void port_pack_q4_q5(const uint8_t *codes, int bits, uint8_t *to) {
  if (bits == 5) {
    uint32_t fifth = 0;
    for (int i = 0; i < COUNT; i++) fifth |= (uint32_t)(codes[i] >> 4 & 1) << i;
    memcpy(to, &fifth, sizeof fifth);
    to += 4;
  }
  for (int i = 0; i < 16; i++) to[i] = (uint8_t)((codes[i] & 15) | codes[i + 16] << 4);
}

/// Truncates to the lowest byte, as a conversion to int8 does on x86, and stays below `levels`.
static uint8_t code_of(float value, int levels) {
  int code = (int8_t)(uint8_t)truncated(value);
  return (uint8_t)(code < levels ? code : levels - 1);
}

/// d = extreme / −half, code = ⌊x · (1/d) + half + ½⌋: the element of largest magnitude gets code 0.
static void encode_signed(const struct block *block, int bits, uint8_t *to) {
  const float *x = block->values;
  int half = 1 << (bits - 1);
  uint8_t codes[COUNT];
  float scale;
  if (block->importance) {
    float w[COUNT];
    weigh(COUNT, x, block->importance, block->row_mean_square, w);
    scale = port_search_symmetric(COUNT, half, x, w, codes);
  } else {
    float most = 0, extreme = 0;
    for (int i = 0; i < COUNT; i++) {
      if (most < fabsf(x[i])) {
        most = fabsf(x[i]);
        extreme = x[i];
      }
    }
    scale = extreme / (float)-half;
    float inverse = scale != 0 ? 1.0f / scale : 0;
    for (int i = 0; i < COUNT; i++) {
      codes[i] = code_of(x[i] * inverse + ((float)half + 0.5f), 2 * half);
    }
  }
  store_half(to, scale);
  port_pack_q4_q5(codes, bits, to + 2);
}

/// d = (max − min) / highest, code = ⌊(x − min) · (1/d) + ½⌋.
static void encode_offset(const struct block *block, int bits, uint8_t *to) {
  const float *x = block->values;
  int levels = 1 << bits;
  uint8_t codes[COUNT];
  struct affine result;
  if (block->importance) {
    struct affine_rule rule = {levels - 1, -0.9f, 0.05f, 36, 0};
    float w[COUNT];
    weigh(COUNT, x, block->importance, block->row_mean_square, w);
    result = port_search_affine(COUNT, &rule, x, w, codes);
  } else {
    float least = 0x1.fffffep127f, most = -0x1.fffffep127f;
    for (int i = 0; i < COUNT; i++) {
      if (x[i] < least) least = x[i];
      if (x[i] > most) most = x[i];
    }
    result = (struct affine){(most - least) / (float)(levels - 1), -least};
    float inverse = result.scale != 0 ? 1.0f / result.scale : 0;
    for (int i = 0; i < COUNT; i++) codes[i] = code_of((x[i] - least) * inverse + 0.5f, levels);
  }
  store_half(to, result.scale);
  store_half(to + 2, -result.offset);
  port_pack_q4_q5(codes, bits, to + 4);
}

static void encode_q4_0(const struct block *block, uint8_t *to) { encode_signed(block, 4, to); }
static void encode_q5_0(const struct block *block, uint8_t *to) { encode_signed(block, 5, to); }
static void encode_q4_1(const struct block *block, uint8_t *to) { encode_offset(block, 4, to); }
static void encode_q5_1(const struct block *block, uint8_t *to) { encode_offset(block, 5, to); }

PORT_ENCODER(q4_0, 32, 18, 1)
PORT_ENCODER(q4_1, 32, 20, 1)
PORT_ENCODER(q5_0, 32, 22, 1)
PORT_ENCODER(q5_1, 32, 24, 1)
