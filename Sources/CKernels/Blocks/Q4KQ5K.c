// Q4_K and Q5_K: 8 groups of 32 elements.
//
// Low nibbles of groups 2 c and 2 c + 1 share the code bytes 32 c ..< 32 c + 32; the fifth bit of
// element l of group g is bit g of high byte l.

#include "Encoders.h"
#include "KQuants.h"
#include "Layouts.h"

const struct affine_rule port_rules_q4_k[2] = {
  {15, -1.0f, 0.1f, 20, 0}, {15, -0.9f, 0.05f, 36, 0},
};
const struct affine_rule port_rules_q5_k[2] = {
  {31, -0.5f, 0.1f, 15, 0}, {31, -0.9f, 0.05f, 36, 0},
};

/// 6 bits each: of groups 0 ... 3 whole in bytes 0 ... 3 (scales) and 4 ... 7 (offsets), of groups
/// 4 ... 7 the low nibbles in bytes 8 ... 11 and the upper two bits above the first four.
static void pack_scales(const uint8_t *scales, const uint8_t *offsets, uint8_t *to) {
  for (int i = 0; i < 4; i++) {
    to[i] = (uint8_t)(scales[i] | scales[i + 4] >> 4 << 6);
    to[i + 4] = (uint8_t)(offsets[i] | offsets[i + 4] >> 4 << 6);
    to[i + 8] = (uint8_t)((scales[i + 4] & 15) | offsets[i + 4] << 4);
  }
}

void port_unpack_k_scales(const uint8_t *from, uint8_t *scales, uint8_t *offsets) {
  for (int i = 0; i < 4; i++) {
    scales[i] = from[i] & 63;
    offsets[i] = from[i + 4] & 63;
    scales[i + 4] = (uint8_t)((from[i + 8] & 15) | from[i] >> 6 << 4);
    offsets[i + 4] = (uint8_t)(from[i + 8] >> 4 | from[i + 4] >> 6 << 4);
  }
}

/// Quantizes 8 scales or offsets to 6 bits, the greatest to 63; returns what one step is worth.
static float quantize_scales(const float *scales, uint8_t *codes) {
  float most = 0;
  for (int i = 0; i < 8; i++) {
    if (scales[i] > most) most = scales[i];
  }
  float inverse = most > 0 ? 63.0f / most : 0;
  for (int i = 0; i < 8; i++) {
    // A negative scale wraps to a large code.
    uint8_t code = (uint8_t)nearest(inverse * scales[i]);
    codes[i] = code < 63 ? code : 63;
  }
  return most / 63.0f;
}

static void finish(
  const float *x, struct k_groups *groups, int highest, uint8_t *scale_bytes,
  uint8_t *offset_bytes, uint8_t *packed_scales
) {
  uint8_t *scales = groups->scale_codes, *offsets = groups->offset_codes;
  if (!groups->has_importance) {
    groups->scale_step = quantize_scales(groups->scales, scales);
    groups->offset_step = quantize_scales(groups->offsets, offsets);
  }
  store_half(scale_bytes, groups->scale_step);
  store_half(offset_bytes, groups->offset_step);
  if (highest == 31) {
    for (int i = 0; i < 8; i++) {
      scales[i] = scales[i] < 63 ? scales[i] : 63;
      offsets[i] = offsets[i] < 63 ? offsets[i] : 63;
    }
  }
  pack_scales(scales, offsets, packed_scales);
  // Q4_K may have packed a wrapped code; what counts is what is read back.
  port_unpack_k_scales(packed_scales, scales, offsets);
  float scale = load_half(scale_bytes), offset = load_half(offset_bytes);
  float group_scales[8], group_offsets[8];
  for (int i = 0; i < 8; i++) {
    group_scales[i] = scale * (float)scales[i];
    group_offsets[i] = offset * (float)offsets[i];
  }
  groups->requantize(32, x, group_scales, group_offsets, 0, highest, groups->codes);
}

static void pack_nibbles(const uint8_t *restrict codes, uint8_t *restrict to) {
  for (int chunk = 0; chunk < 4; chunk++, codes += 64, to += 32) {
    for (int l = 0; l < 32; l++) to[l] = (uint8_t)((codes[l] & 15) | codes[l + 32] << 4);
  }
}

void port_finish_q4_k(const float *x, struct k_groups *groups, uint8_t *to) {
  struct q4_k *block = (struct q4_k *)to;
  finish(x, groups, 15, block->scale, block->offset, block->scales);
  pack_nibbles(groups->codes, block->codes);
}

void port_finish_q5_k(const float *x, struct k_groups *groups, uint8_t *to) {
  struct q5_k *block = (struct q5_k *)to;
  finish(x, groups, 31, block->scale, block->offset, block->scales);
  uint8_t high[32] = {0};
  for (int i = 0; i < 8; i++) {
    for (int l = 0; l < 32; l++) high[l] |= (uint8_t)(groups->codes[32 * i + l] >> 4 << i);
  }
  memcpy(block->high, high, sizeof high);
  pack_nibbles(groups->codes, block->codes);
}

static void encode(
  const struct block *block, const struct affine_rule *rules, k_finish finish, uint8_t *to
) {
  const float *x = block->values;
  struct k_groups groups = {.has_importance = block->importance != NULL};
  groups.requantize = port_requantize;
  float energy = groups.has_importance ? 2 * sum_of_squares(x, SUPER) / SUPER : 0;
  for (int i = 0; i < 8; i++) {
    const float *group = x + 32 * i;
    float w[32];
    if (groups.has_importance) {
      weigh(32, group, block->importance + 32 * i, energy, w);
      for (int l = 0; l < 32; l++) groups.weights[i] += w[l];
    } else {
      float average = sqrtf(sum_of_squares(group, 32) / 32);
      for (int l = 0; l < 32; l++) w[l] = average + fabsf(group[l]);
    }
    struct affine result = port_search_affine(
      32, &rules[groups.has_importance], group, w, groups.codes + 32 * i);
    groups.scales[i] = result.scale;
    groups.offsets[i] = result.offset;
  }
  if (groups.has_importance) {
    groups.scale_step =
      port_search_positive(8, 63, groups.scales, groups.weights, groups.scale_codes);
    groups.offset_step =
      port_search_positive(8, 63, groups.offsets, groups.weights, groups.offset_codes);
  }
  finish(x, &groups, to);
}

static void encode_q4_k(const struct block *block, uint8_t *to) {
  encode(block, port_rules_q4_k, port_finish_q4_k, to);
}

static void encode_q5_k(const struct block *block, uint8_t *to) {
  encode(block, port_rules_q5_k, port_finish_q5_k, to);
}

PORT_ENCODER(q4_k, SUPER, 144, 0)
PORT_ENCODER(q5_k, SUPER, 176, 0)
