// IQ3_XXS and IQ3_S: four elements become a point of a codebook; signs as in IQ2.

#include "Encoders.h"
#include "Grid.h"
#include "Layouts.h"

const struct grid_rule port_rule_iq3_xxs = {32, 8, 1, 15, 0.2f, 1e-8f, 0, REFINE_OFF_GRID};
const struct grid_rule port_rule_iq3_s = {32, 8, 0, 9, 0.2f, 0, 0, REFINE_IF_ANY};

static void search_groups(
  const struct grid_rule *rule, const struct block *block, grid_search search,
  struct grid_group *groups, struct grid_result *results
) {
  float energy = 2 * sum_of_squares(block->values, SUPER) / SUPER;
  for (int i = 0; i < 8; i++) {
    const float *x = block->values + 32 * i;
    if (block->importance) {
      weigh(32, x, block->importance + 32 * i, energy, groups[i].w);
    } else {
      for (int l = 0; l < 32; l++) groups[i].w[l] = x[l] * x[l];
    }
    port_split_signs(rule, x, &groups[i]);
  }
  search(rule, block->codebook, groups, results);
}

void port_encode_with_iq3_xxs(const struct block *block, uint8_t *to, grid_search search) {
  struct iq3_xxs *out = (struct iq3_xxs *)to;
  memset(out, 0, sizeof *out);
  struct grid_group groups[16] = {0};
  struct grid_result results[16];
  uint32_t tails[8] = {0};
  search_groups(&port_rule_iq3_xxs, block, search, groups, results);
  for (int i = 0; i < 8; i++) {
    if (!results[i].found) continue;
    for (int k = 0; k < 8; k++) {
      out->points[8 * i + k] = (uint8_t)codebook_index(block->codebook, results[i].points[k]);
    }
    for (int k = 0; k < 4; k++) tails[i] |= (uint32_t)(groups[i].signs[k] & 127) << 7 * k;
  }
  float most = greatest_scale(results, 8);
  if (most == 0) {
    memset(out, 0, sizeof *out);
    return;
  }
  float step = most / 31, inverse = 1 / step;
  // Stored a little larger than it is used.
  store_half(out->scale, step * 1.0125f);
  for (int i = 0; i < 8; i++) {
    tails[i] |= (uint32_t)grid_scale_code(inverse, results[i].scale, 15) << 28;
    memcpy(out->tails[i], &tails[i], 4);
  }
}

void port_encode_with_iq3_s(const struct block *block, uint8_t *to, grid_search search) {
  struct iq3_s *out = (struct iq3_s *)to;
  memset(out, 0, sizeof *out);
  struct grid_group groups[16] = {0};
  struct grid_result results[16];
  search_groups(&port_rule_iq3_s, block, search, groups, results);
  // After a group of zeros the reference writes indices and signs one group too early, but not the
  // ninth bits.
  int place = 0;
  for (int i = 0; i < 8; i++) {
    if (!results[i].found) continue;
    for (int k = 0; k < 8; k++) {
      int point = codebook_index(block->codebook, results[i].points[k]);
      out->points[8 * place + k] = (uint8_t)point;
      out->high[i] |= (uint8_t)(point >> 8 << k);
    }
    memcpy(out->signs + 4 * place, groups[i].signs, 4);
    place += 1;
  }
  float most = greatest_scale(results, 8);
  if (most == 0) return;
  float step = most / 31, inverse = 1 / step;
  // Stored a little larger than it is used.
  store_half(out->scale, step * 1.033f);
  for (int i = 0; i < 8; i++) {
    out->scales[i / 2] |= (uint8_t)(grid_scale_code(inverse, results[i].scale, 15) << i % 2 * 4);
  }
}

static void encode_iq3_xxs(const struct block *block, uint8_t *to) {
  port_encode_with_iq3_xxs(block, to, port_search_grid);
}

static void encode_iq3_s(const struct block *block, uint8_t *to) {
  port_encode_with_iq3_s(block, to, port_search_grid);
}

PORT_ENCODER(iq3_xxs, SUPER, 98, 0)
PORT_ENCODER(iq3_s, SUPER, 110, 0)
