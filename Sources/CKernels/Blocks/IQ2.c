// IQ2_XXS, IQ2_XS and IQ2_S: eight elements become a point of a codebook, with the magnitudes 8, 25
// and 43 for its levels, and eight signs.
//
// y = d · (½ + scale) / 4 · ±magnitude.

#include "Encoders.h"
#include "Grid.h"
#include "Layouts.h"

const struct grid_rule port_rule_iq2_xxs = {32, 3, 1, 6, 0.1f, NEGLIGIBLE, 1, REFINE_ALWAYS};
const struct grid_rule port_rule_iq2_xs = {16, 3, 1, 9, 0.1f, NEGLIGIBLE, 0, REFINE_OFF_GRID};
const struct grid_rule port_rule_iq2_s = {16, 3, 0, 9, 0.1f, 1e-8f, 0, REFINE_OFF_GRID};

void port_encode_with_iq2_xxs(const struct block *block, uint8_t *to, grid_search search) {
  struct iq2_xxs *out = (struct iq2_xxs *)to;
  memset(out, 0, sizeof *out);
  float energy = sum_of_squares(block->values, SUPER) / SUPER;
  struct grid_group groups[16] = {0};
  struct grid_result results[16];
  uint32_t tails[8] = {0};
  for (int i = 0; i < 8; i++) {
    weigh(32, block->values + 32 * i, block->importance + 32 * i, energy, groups[i].w);
    port_split_signs(&port_rule_iq2_xxs, block->values + 32 * i, &groups[i]);
  }
  search(&port_rule_iq2_xxs, block->codebook, groups, results);
  for (int i = 0; i < 8; i++) {
    if (!results[i].found) continue;
    for (int k = 0; k < 4; k++) {
      out->groups[i][k] = (uint8_t)codebook_index(block->codebook, results[i].points[k]);
      tails[i] |= (uint32_t)(groups[i].signs[k] & 127) << 7 * k;
    }
  }
  float most = greatest_scale(results, 8);
  if (most == 0) {
    memset(out, 0, sizeof *out);
    return;
  }
  float step = most / 31, inverse = 1 / step;
  store_half(out->scale, step);
  for (int i = 0; i < 8; i++) {
    tails[i] |= (uint32_t)grid_scale_code(inverse, results[i].scale, 15) << 28;
    memcpy(out->groups[i] + 4, &tails[i], 4);
  }
}

static void store_scales(const struct grid_result *results, float inverse, uint8_t *to) {
  for (int i = 0; i < 16; i++) {
    to[i / 2] |= (uint8_t)(grid_scale_code(inverse, results[i].scale, 15) << i % 2 * 4);
  }
}

void port_encode_with_iq2_xs(const struct block *block, uint8_t *to, grid_search search) {
  struct iq2_xs *out = (struct iq2_xs *)to;
  memset(out, 0, sizeof *out);
  float energy = sum_of_squares(block->values, SUPER) / SUPER;
  struct grid_group groups[16] = {0};
  struct grid_result results[16];
  for (int i = 0; i < 16; i++) {
    weigh(16, block->values + 16 * i, block->importance + 16 * i, energy, groups[i].w);
    port_split_signs(&port_rule_iq2_xs, block->values + 16 * i, &groups[i]);
  }
  search(&port_rule_iq2_xs, block->codebook, groups, results);
  for (int i = 0; i < 16; i++) {
    if (!results[i].found) continue;
    for (int k = 0; k < 2; k++) {
      int point = codebook_index(block->codebook, results[i].points[k]);
      point |= (groups[i].signs[k] & 127) << 9;
      out->points[2 * i + k][0] = (uint8_t)point;
      out->points[2 * i + k][1] = (uint8_t)(point >> 8);
    }
  }
  float most = greatest_scale(results, 16);
  if (most == 0) {
    memset(out, 0, sizeof *out);
    return;
  }
  float step = most / 31;
  store_half(out->scale, step);
  store_scales(results, 1 / step, out->scales);
}

void port_encode_with_iq2_s(const struct block *block, uint8_t *to, grid_search search) {
  struct iq2_s *out = (struct iq2_s *)to;
  memset(out, 0, sizeof *out);
  float energy = 2 * sum_of_squares(block->values, SUPER) / SUPER;
  struct grid_group groups[16] = {0};
  struct grid_result results[16];
  for (int i = 0; i < 16; i++) {
    const float *x = block->values + 16 * i;
    if (block->importance) {
      weigh(16, x, block->importance + 16 * i, energy, groups[i].w);
    } else {
      for (int l = 0; l < 16; l++) groups[i].w[l] = 0.25f * energy + x[l] * x[l];
    }
    port_split_signs(&port_rule_iq2_s, x, &groups[i]);
  }
  search(&port_rule_iq2_s, block->codebook, groups, results);
  for (int i = 0; i < 16; i++) {
    if (!results[i].found) continue;
    for (int k = 0; k < 2; k++) {
      int place = 2 * i + k, point = codebook_index(block->codebook, results[i].points[k]);
      out->points[place] = (uint8_t)point;
      out->high[place / 4] |= (uint8_t)(point >> 8 << place % 4 * 2);
      out->signs[place] = groups[i].signs[k];
    }
  }
  float most = greatest_scale(results, 16);
  if (most == 0) return;
  float step = most / 31;
  // Stored a little smaller than it is used.
  store_half(out->scale, step * 0.9875f);
  store_scales(results, 1 / step, out->scales);
}

static void encode_iq2_xxs(const struct block *block, uint8_t *to) {
  port_encode_with_iq2_xxs(block, to, port_search_grid);
}

static void encode_iq2_xs(const struct block *block, uint8_t *to) {
  port_encode_with_iq2_xs(block, to, port_search_grid);
}

static void encode_iq2_s(const struct block *block, uint8_t *to) {
  port_encode_with_iq2_s(block, to, port_search_grid);
}

PORT_ENCODER(iq2_xxs, SUPER, 66, 0)
PORT_ENCODER(iq2_xs, SUPER, 74, 0)
PORT_ENCODER(iq2_s, SUPER, 82, 0)
