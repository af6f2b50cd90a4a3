// Q2_K and Q3_K: 16 groups of 16 elements.
//
// Two bits of element 128 h + 32 s + l are bits 2 s of code byte 32 h + l; the third bit of Q3's
// element e is bit e / 32 of high byte e % 32.

#include "Encoders.h"
#include "KQuants.h"
#include "Layouts.h"

const struct affine_rule port_rules_q2_k[2] = {
  {3, -0.5f, 0.1f, 15, 1}, {3, -0.9f, 0.05f, 36, 0},
};

void port_requantize(
  int count, const float *x, const float *scales, const float *offsets, int low, int high,
  uint8_t *codes
) {
  for (int i = 0; i < SUPER; i++) {
    float scale = scales[i / count];
    if (scale == 0) continue;
    codes[i] = (uint8_t)(limited(nearest((x[i] + offsets[i / count]) / scale), low, high) - low);
  }
}

static void pack_pairs(const uint8_t *restrict codes, uint8_t *restrict to) {
  for (int half = 0; half < 2; half++, codes += 128, to += 32) {
    for (int l = 0; l < 32; l++) {
      to[l] = (uint8_t)(codes[l] | codes[l + 32] << 2 | codes[l + 64] << 4 | codes[l + 96] << 6);
    }
  }
}

/// Quantizes 16 scales or offsets to 4 bits, the greatest to 15; returns what one step is worth.
static float quantize_q2_k_scales(const float *scales, uint8_t *codes) {
  float most = 0;
  for (int i = 0; i < 16; i++) {
    if (scales[i] > most) most = scales[i];
  }
  memset(codes, 0, 16);
  if (!(most > 0)) return 0;
  float inverse = 15.0f / most;
  for (int i = 0; i < 16; i++) codes[i] = (uint8_t)nearest(inverse * scales[i]);
  return most / 15.0f;
}

void port_finish_q2_k(const float *x, struct k_groups *groups, uint8_t *to) {
  struct q2_k *block = (struct q2_k *)to;
  const uint8_t *scales = groups->scale_codes, *offsets = groups->offset_codes;
  if (!groups->has_importance) {
    groups->scale_step = quantize_q2_k_scales(groups->scales, groups->scale_codes);
    groups->offset_step = quantize_q2_k_scales(groups->offsets, groups->offset_codes);
  }
  store_half(block->scale, groups->scale_step);
  store_half(block->offset, groups->offset_step);
  float scale = load_half(block->scale), offset = load_half(block->offset);
  float group_scales[16], group_offsets[16];
  for (int i = 0; i < 16; i++) {
    block->scales[i] = (uint8_t)(scales[i] | offsets[i] << 4);
    group_scales[i] = scale * (float)(block->scales[i] & 15);
    group_offsets[i] = offset * (float)(block->scales[i] >> 4);
  }
  groups->requantize(16, x, group_scales, group_offsets, 0, 3, groups->codes);
  pack_pairs(groups->codes, block->codes);
}

static void encode_q2_k(const struct block *block, uint8_t *to) {
  const float *x = block->values;
  struct k_groups groups = {.has_importance = block->importance != NULL};
  groups.requantize = port_requantize;
  float energy = groups.has_importance ? sum_of_squares(x, SUPER) / SUPER : 0;
  for (int i = 0; i < 16; i++) {
    float w[16];
    if (groups.has_importance) {
      weigh(16, x + 16 * i, block->importance + 16 * i, energy, w);
      for (int l = 0; l < 16; l++) groups.weights[i] += w[l];
    } else {
      for (int l = 0; l < 16; l++) w[l] = fabsf(x[16 * i + l]);
    }
    struct affine result = port_search_affine(
      16, &port_rules_q2_k[groups.has_importance], x + 16 * i, w, groups.codes + 16 * i);
    groups.scales[i] = result.scale;
    groups.offsets[i] = result.offset;
  }
  if (groups.has_importance) {
    groups.scale_step =
      port_search_positive(16, 15, groups.scales, groups.weights, groups.scale_codes);
    groups.offset_step =
      port_search_positive(16, 15, groups.offsets, groups.weights, groups.offset_codes);
  }
  port_finish_q2_k(x, &groups, to);
}

/// The 6-bit scales of Q3: low nibbles of 0 ... 7 and 8 ... 15 share bytes, then the upper two bits.
static void pack_q3_k_scales(const uint8_t *restrict scales, uint8_t *restrict to) {
  for (int i = 0; i < 8; i++) to[i] = (uint8_t)((scales[i] & 15) | scales[i + 8] << 4);
  for (int i = 0; i < 4; i++) {
    to[8 + i] = (uint8_t)(scales[i] >> 4 | scales[i + 4] >> 4 << 2 | scales[i + 8] >> 4 << 4
      | scales[i + 12] >> 4 << 6);
  }
}

/// Quantizes 16 scales to 6 bits, the one of largest magnitude to 0, that is −32; returns what one
/// step is worth.
static float quantize_q3_k_scales(const float *scales, uint8_t *codes) {
  float most = 0, extreme = 0;
  for (int i = 0; i < 16; i++) {
    if (fabsf(scales[i]) > most) {
      most = fabsf(scales[i]);
      extreme = scales[i];
    }
  }
  memset(codes, 0, 16);
  if (extreme == 0) return 0;
  float inverse = -32.0f / extreme;
  for (int i = 0; i < 16; i++) {
    int level = (int8_t)(uint8_t)nearest(inverse * scales[i]);
    codes[i] = (uint8_t)(limited(level, -32, 31) + 32);
  }
  return 1 / inverse;
}

void port_finish_q3_k(const float *x, struct k_groups *groups, uint8_t *to) {
  static const float zeros[16];
  struct q3_k *block = (struct q3_k *)to;
  uint8_t *scales = groups->scale_codes;
  if (!groups->has_importance) {
    groups->scale_step = quantize_q3_k_scales(groups->scales, scales);
  }
  pack_q3_k_scales(scales, block->scales);
  store_half(block->scale, groups->scale_step);
  float scale = load_half(block->scale);
  float group_scales[16];
  for (int i = 0; i < 16; i++) group_scales[i] = scale * (float)(scales[i] - 32);
  groups->requantize(16, x, group_scales, zeros, -4, 3, groups->codes);
  uint8_t high[32] = {0};
  for (int bit = 0; bit < 8; bit++) {
    uint8_t *codes = groups->codes + 32 * bit;
    for (int l = 0; l < 32; l++) {
      high[l] |= (uint8_t)(codes[l] >> 2 << bit);
      codes[l] &= 3;
    }
  }
  memcpy(block->high, high, sizeof high);
  pack_pairs(groups->codes, block->codes);
}

static void encode_q3_k(const struct block *block, uint8_t *to) {
  const float *x = block->values;
  struct k_groups groups = {.has_importance = block->importance != NULL};
  groups.requantize = port_requantize;
  float energy = groups.has_importance ? 2 * sum_of_squares(x, SUPER) / SUPER : 0;
  for (int i = 0; i < 16; i++) {
    const float *group = x + 16 * i;
    uint8_t *codes = groups.codes + 16 * i;
    if (groups.has_importance) {
      float w[16];
      weigh(16, group, block->importance + 16 * i, energy, w);
      for (int l = 0; l < 16; l++) groups.weights[i] += w[l];
      groups.scales[i] = port_search_symmetric(16, 4, group, w, codes);
    } else {
      groups.scales[i] = port_search_descent(16, 4, group, codes);
    }
  }
  if (groups.has_importance) {
    groups.scale_step =
      port_search_symmetric(16, 32, groups.scales, groups.weights, groups.scale_codes);
  }
  port_finish_q3_k(x, &groups, to);
}

PORT_ENCODER(q2_k, SUPER, 84, 0)
PORT_ENCODER(q3_k, SUPER, 110, 0)
