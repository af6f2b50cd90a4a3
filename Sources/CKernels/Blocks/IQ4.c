#include "IQ4.h"

#include "Encoders.h"
#include "Layouts.h"
#include "Search.h"

const int8_t port_values_iq4[16] = {
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};

/// The code of the nearest value; halfway, the higher.
static int nearest_code(float x) {
  const int8_t *values = port_values_iq4;
  if (x <= (float)values[0]) return 0;
  if (x >= (float)values[15]) return 15;
  int low = 0, high = 15;
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (x < (float)values[middle]) high = middle; else low = middle;
  }
  return x - (float)values[low] < (float)values[high] - x ? low : high;
}

static void requantize(const float *x, float inverse, uint8_t *codes) {
  for (int i = 0; i < 32; i++) codes[i] = (uint8_t)nearest_code(inverse * x[i]);
}

/// The scale of 32 elements: tries those that put the element of largest magnitude at −127 (or
/// +127, first) and up to 7 above and below, and keeps the best of Σ wxv² / Σ wv².
static float search(const float *x, const float *w) {
  float most = 0, extreme = 0;
  for (int i = 0; i < 32; i++) {
    if (fabsf(x[i]) > most) {
      most = fabsf(x[i]);
      extreme = x[i];
    }
  }
  if (most < NEGLIGIBLE) return 0;
  float scale = 0, best = 0;
  for (int step = -8; step <= 7; step++) {
    float first = (float)port_values_iq4[0];
    float inverse = step == -8 ? 1 / (-extreme / first) : ((float)step + first) / extreme;
    float qx = 0, q2 = 0;
    for (int i = 0; i < 32; i++) {
      float q = (float)port_values_iq4[nearest_code(inverse * x[i])];
      qx += w[i] * q * x[i];
      q2 += w[i] * q * q;
    }
    if (step == -8 || (q2 > 0 && qx * qx > best * q2)) {
      scale = q2 > 0 ? qx / q2 : 0;
      best = scale * qx;
    }
  }
  return scale;
}

/// `energy` is 2 Σ x² / count over the block.
static void weigh_group(const float *x, const float *importance, float energy, float *w) {
  if (importance) {
    weigh(32, x, importance, energy, w);
  } else {
    for (int i = 0; i < 32; i++) w[i] = x[i] * x[i];
  }
}

static void pack(const uint8_t *codes, uint8_t *to) {
  for (int i = 0; i < 16; i++) to[i] = (uint8_t)(codes[i] | codes[i + 16] << 4);
}

void port_finish_iq4_nl(const float *x, float scale, iq4_requantizer requantize, uint8_t *to) {
  uint8_t codes[32];
  store_half(to, scale);
  requantize(x, scale != 0 ? 1 / scale : 0, codes);
  pack(codes, to + 2);
}

void port_finish_iq4_xs(
  const float *x, const float *scales, iq4_requantizer requantize, uint8_t *to
) {
  struct iq4_xs *block = (struct iq4_xs *)to;
  float most = 0, extreme = 0;
  for (int i = 0; i < 8; i++) {
    if (fabsf(scales[i]) > most) {
      most = fabsf(scales[i]);
      extreme = scales[i];
    }
  }
  float scale = -extreme / 32;
  float inverse = scale != 0 ? 1 / scale : 0;
  unsigned high = 0;
  memset(block, 0, sizeof *block);
  store_half(block->scale, scale);
  for (int i = 0; i < 8; i++) {
    uint8_t codes[32];
    int level = limited(nearest(inverse * scales[i]), -32, 31);
    float group_scale = scale * (float)level;
    requantize(x + 32 * i, group_scale != 0 ? 1 / group_scale : 0, codes);
    pack(codes, block->codes + 16 * i);
    unsigned code = (unsigned)(level + 32);
    block->scales_low[i / 2] |= (uint8_t)((code & 15) << i % 2 * 4);
    high |= code >> 4 << 2 * i;
  }
  block->scales_high[0] = (uint8_t)high;
  block->scales_high[1] = (uint8_t)(high >> 8);
}

static void encode_iq4_nl(const struct block *block, uint8_t *to) {
  float w[32];
  float energy = sum_of_squares(block->values, 32) * (2.0f / 32);
  weigh_group(block->values, block->importance, energy, w);
  port_finish_iq4_nl(block->values, search(block->values, w), requantize, to);
}

static void encode_iq4_xs(const struct block *block, uint8_t *to) {
  float scales[8];
  float energy = sum_of_squares(block->values, SUPER) * (2.0f / SUPER);
  for (int i = 0; i < 8; i++) {
    float w[32];
    const float *importance = block->importance ? block->importance + 32 * i : NULL;
    weigh_group(block->values + 32 * i, importance, energy, w);
    scales[i] = search(block->values + 32 * i, w);
  }
  port_finish_iq4_xs(block->values, scales, requantize, to);
}

PORT_ENCODER(iq4_nl, 32, 18, 0)
PORT_ENCODER(iq4_xs, SUPER, 136, 0)
