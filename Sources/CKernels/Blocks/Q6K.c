// Q6_K: 16 groups of 16 elements with an 8-bit scale each.
//
// In each half of 128, element l + 32 k has its low nibble in low byte 32 (k % 2) + l, the upper one
// for k ≥ 2, and its two high bits in high byte l, bits 2 k.

#include "Encoders.h"
#include "KQuants.h"
#include "Layouts.h"

void port_pack_q6_k(const uint8_t *restrict codes, uint8_t *restrict to) {
  struct q6_k *block = (struct q6_k *)to;
  for (int half = 0; half < 2; half++, codes += 128) {
    uint8_t *low = block->low + 64 * half, *high = block->high + 32 * half;
    for (int l = 0; l < 64; l++) low[l] = (uint8_t)((codes[l] & 15) | codes[l + 64] << 4);
    for (int l = 0; l < 32; l++) {
      high[l] = (uint8_t)(codes[l] >> 4 | codes[l + 32] >> 4 << 2 | codes[l + 64] >> 4 << 4
        | codes[l + 96] >> 4 << 6);
    }
  }
}

void port_finish_q6_k(const float *x, struct k_groups *groups, uint8_t *to) {
  static const float zeros[16];
  struct q6_k *block = (struct q6_k *)to;
  float most = 0, extreme = 0;
  for (int i = 0; i < 16; i++) {
    if (fabsf(groups->scales[i]) > most) {
      most = fabsf(groups->scales[i]);
      extreme = groups->scales[i];
    }
  }
  if (most < NEGLIGIBLE) {
    memset(block, 0, sizeof *block);
    return;
  }
  float inverse = -128.0f / extreme;
  store_half(block->scale, 1 / inverse);
  float scale = load_half(block->scale);
  float group_scales[16];
  for (int i = 0; i < 16; i++) {
    int code = nearest(inverse * groups->scales[i]);
    block->scales[i] = (int8_t)(uint8_t)(code < 127 ? code : 127);
    group_scales[i] = scale * (float)block->scales[i];
  }
  groups->requantize(16, x, group_scales, zeros, -32, 31, groups->codes);
  port_pack_q6_k(groups->codes, to);
}

/// Weights are x², or the importance itself.
static void encode_q6_k(const struct block *block, uint8_t *to) {
  struct k_groups groups = {.requantize = port_requantize};
  for (int i = 0; i < 16; i++) {
    const float *w = block->importance ? block->importance + 16 * i : NULL;
    groups.scales[i] = port_search_symmetric(
      16, 32, block->values + 16 * i, w, groups.codes + 16 * i);
  }
  port_finish_q6_k(block->values, &groups, to);
}

PORT_ENCODER(q6_k, SUPER, 210, 0)
