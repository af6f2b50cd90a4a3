#include "Refinement.h"

#include "Encoders.h"
#include "IQ4.h"
#include "KQuants.h"
#include "Layouts.h"

// Q4_0 to Q5_1, Q8_0 and IQ4_NL: the F16 are the scales.

static void read_scale(const uint8_t *from, struct block_scales *scales) {
  *scales = (struct block_scales){load_half(from), 0, {1}, {0}};
}

static void read_scale_and_least(const uint8_t *from, struct block_scales *scales) {
  *scales = (struct block_scales){load_half(from), -load_half(from + 2), {1}, {1}};
}

static void write_q4_0(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  store_half(to, scales->scale);
  port_pack_q4_q5(codes, 4, to + 2);
}

static void write_q5_0(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  store_half(to, scales->scale);
  port_pack_q4_q5(codes, 5, to + 2);
}

static void write_q4_1(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  store_half(to, scales->scale);
  store_half(to + 2, -scales->offset);
  port_pack_q4_q5(codes, 4, to + 4);
}

static void write_q5_1(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  store_half(to, scales->scale);
  store_half(to + 2, -scales->offset);
  port_pack_q4_q5(codes, 5, to + 4);
}

static void write_q8_0(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  store_half(to, scales->scale);
  for (int i = 0; i < 32; i++) to[2 + i] = (uint8_t)(codes[i] - 128);
}

// The K types. Their finishes pack what they are given.

static void keep(
  int count, const float *x, const float *scales, const float *offsets, int low, int high,
  uint8_t *codes
) {
  (void)count, (void)x, (void)scales, (void)offsets, (void)low, (void)high, (void)codes;
}

static void write_k(
  const struct block_scales *scales, const uint8_t *codes, int bias, k_finish finish, uint8_t *to
) {
  struct k_groups groups = {.has_importance = 1, .requantize = keep};
  groups.scale_step = scales->scale;
  groups.offset_step = scales->offset;
  for (int i = 0; i < 16; i++) {
    groups.scale_codes[i] = (uint8_t)(scales->factors[i] + bias);
    groups.offset_codes[i] = (uint8_t)scales->shares[i];
  }
  memcpy(groups.codes, codes, SUPER);
  finish(NULL, &groups, to);
}

static void read_q2_k(const uint8_t *from, struct block_scales *scales) {
  const struct q2_k *block = (const struct q2_k *)from;
  scales->scale = load_half(block->scale);
  scales->offset = load_half(block->offset);
  for (int i = 0; i < 16; i++) {
    scales->factors[i] = block->scales[i] & 15;
    scales->shares[i] = block->scales[i] >> 4;
  }
}

static void write_q2_k(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  write_k(scales, codes, 0, port_finish_q2_k, to);
}

static void read_q3_k(const uint8_t *from, struct block_scales *scales) {
  const struct q3_k *block = (const struct q3_k *)from;
  const uint8_t *packed = block->scales;
  *scales = (struct block_scales){load_half(block->scale), 0, {0}, {0}};
  for (int i = 0; i < 16; i++) {
    int high = packed[8 + i % 4] >> i / 4 * 2 & 3;
    scales->factors[i] = (packed[i % 8] >> i / 8 * 4 & 15) + 16 * high - 32;
  }
}

static void write_q3_k(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  write_k(scales, codes, 32, port_finish_q3_k, to);
}

/// Q4_K and Q5_K begin alike.
static void read_q4_k(const uint8_t *from, struct block_scales *scales) {
  const struct q4_k *block = (const struct q4_k *)from;
  uint8_t factors[8], shares[8];
  port_unpack_k_scales(block->scales, factors, shares);
  *scales = (struct block_scales){load_half(block->scale), load_half(block->offset), {0}, {0}};
  for (int i = 0; i < 8; i++) {
    scales->factors[i] = factors[i];
    scales->shares[i] = shares[i];
  }
}

static void write_q4_k(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  write_k(scales, codes, 0, port_finish_q4_k, to);
}

static void write_q5_k(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  write_k(scales, codes, 0, port_finish_q5_k, to);
}

static void read_q6_k(const uint8_t *from, struct block_scales *scales) {
  const struct q6_k *block = (const struct q6_k *)from;
  *scales = (struct block_scales){load_half(block->scale), 0, {0}, {0}};
  for (int i = 0; i < 16; i++) scales->factors[i] = block->scales[i];
}

static void write_q6_k(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  struct q6_k *block = (struct q6_k *)to;
  store_half(block->scale, scales->scale);
  for (int i = 0; i < 16; i++) block->scales[i] = (int8_t)scales->factors[i];
  port_pack_q6_k(codes, to);
}

static void read_iq4_xs(const uint8_t *from, struct block_scales *scales) {
  const struct iq4_xs *block = (const struct iq4_xs *)from;
  *scales = (struct block_scales){load_half(block->scale), 0, {0}, {0}};
  unsigned high = (unsigned)block->scales_high[0] | (unsigned)block->scales_high[1] << 8;
  for (int i = 0; i < 8; i++) {
    unsigned low = block->scales_low[i / 2] >> i % 2 * 4 & 15;
    scales->factors[i] = (int)(low | (high >> 2 * i & 3) << 4) - 32;
  }
}

static void write_iq4_xs(const struct block_scales *scales, uint8_t *codes, uint8_t *to) {
  struct iq4_xs *block = (struct iq4_xs *)to;
  unsigned high = 0;
  memset(block, 0, sizeof *block);
  store_half(block->scale, scales->scale);
  for (int i = 0; i < 8; i++) {
    port_pack_q4_q5(codes + 32 * i, 4, block->codes + 16 * i);
    unsigned code = (unsigned)(scales->factors[i] + 32);
    block->scales_low[i / 2] |= (uint8_t)((code & 15) << i % 2 * 4);
    high |= code >> 4 << 2 * i;
  }
  block->scales_high[0] = (uint8_t)high;
  block->scales_high[1] = (uint8_t)(high >> 8);
}

#define SIMPLE 1, 32
#define SIXTEENS 16, 16
#define THIRTY_TWOS 8, 32

static const struct refinement refinements[PORT_BLOCK_COUNT] = {
  [PORT_Q4_0] = {SIMPLE, 18, -8, 7, NULL, 1, 1, 1, 0, 0.25f,
    read_scale, write_q4_0, port_decode_q4_0},
  [PORT_Q4_1] = {SIMPLE, 20, 0, 15, NULL, 1, 1, 1, 1, 0.25f,
    read_scale_and_least, write_q4_1, port_decode_q4_1},
  [PORT_Q5_0] = {SIMPLE, 22, -16, 15, NULL, 1, 1, 1, 0, 0.25f,
    read_scale, write_q5_0, port_decode_q5_0},
  [PORT_Q5_1] = {SIMPLE, 24, 0, 31, NULL, 1, 1, 1, 1, 0.25f,
    read_scale_and_least, write_q5_1, port_decode_q5_1},
  [PORT_Q8_0] = {SIMPLE, 34, -128, 127, NULL, 1, 1, 1, 0, 0.125f,
    read_scale, write_q8_0, port_decode_q8_0},
  [PORT_IQ4_NL] = {SIMPLE, 18, -127, 113, port_values_iq4, 1, 1, 1, 0, 4.0f,
    read_scale, write_q4_0, port_decode_iq4_nl},
  [PORT_Q2_K] = {SIXTEENS, 84, 0, 3, NULL, 0, 0, 15, 15, 0.125f,
    read_q2_k, write_q2_k, port_decode_q2_k},
  [PORT_Q3_K] = {SIXTEENS, 110, -4, 3, NULL, 0, -32, 31, 0, 0.2f,
    read_q3_k, write_q3_k, port_decode_q3_k},
  [PORT_Q4_K] = {THIRTY_TWOS, 144, 0, 15, NULL, 0, 0, 63, 63, 0.25f,
    read_q4_k, write_q4_k, port_decode_q4_k},
  [PORT_Q5_K] = {THIRTY_TWOS, 176, 0, 31, NULL, 0, 0, 63, 63, 0.25f,
    read_q4_k, write_q5_k, port_decode_q5_k},
  [PORT_Q6_K] = {SIXTEENS, 210, -32, 31, NULL, 0, -128, 127, 0, 0.25f,
    read_q6_k, write_q6_k, port_decode_q6_k},
  [PORT_IQ4_XS] = {THIRTY_TWOS, 136, -127, 113, port_values_iq4, 0, -32, 31, 0, 4.0f,
    read_iq4_xs, write_iq4_xs, port_decode_iq4_xs},
};

int port_can_refine(enum port_block_name name) { return port_refinement_of(name) != NULL; }

const struct refinement *port_refinement_of(enum port_block_name name) {
  return refinements[name].group_count > 0 ? &refinements[name] : NULL;
}
