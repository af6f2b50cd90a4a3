#include "Grid.h"

void port_split_signs(const struct grid_rule *rule, const float *x, struct grid_group *group) {
  for (int i = 0; i < rule->group; i++) {
    group->root[i] = sqrtf(group->w[i]);
    group->x[i] = x[i] >= 0 ? x[i] : -x[i];
  }
  for (int eight = 0; eight < rule->group / 8; eight++) {
    const float *values = x + 8 * eight, *w = group->w + 8 * eight;
    unsigned signs = 0, odd = 0;
    for (int i = 0; i < 8; i++) {
      unsigned negative = !(values[i] >= 0);
      signs |= negative << i;
      odd ^= negative;
    }
    if (rule->even_signs && odd) {
      // The element that matters least changes its sign.
      int least = 0;
      for (int i = 1; i < 8; i++) {
        if (w[i] * values[i] * values[i] < w[least] * values[least] * values[least]) least = i;
      }
      signs ^= 1u << least;
      group->x[8 * eight + least] = -group->x[8 * eight + least];
    }
    group->signs[eight] = (uint8_t)signs;
  }
}

/// The nearest of the neighbours by Σ root · (scale · (2 level + 1) − x)²; of equals, the first.
static uint32_t nearest_neighbour(
  const struct port_codebook *book, uint32_t entry, const float *x, const float *root, float scale
) {
  const uint32_t *list = book->neighbours + (entry & 0xFFFFu) * CHUNK;
  unsigned count = (entry >> 16 & 0x7FFFu) * CHUNK;
  uint32_t best = list[0];
  float least = 0x1.fffffep127f;
  for (unsigned n = 0; n < count; n++) {
    float distance = 0;
    for (int i = 0; i < book->element_count; i++) {
      float difference = scale * (float)(2 * codebook_level(book, list[n], i) + 1) - x[i];
      distance += root[i] * difference * difference;
    }
    if (distance < least) {
      least = distance;
      best = list[n];
    }
  }
  return best;
}

/// The point for some elements at a scale; reports whether rounding alone gave it.
static uint32_t point_of(
  const struct port_codebook *book, const float *x, const float *root, float inverse, float scale,
  int *on_grid
) {
  uint8_t levels[8];
  for (int i = 0; i < book->element_count; i++) {
    levels[i] =
      (uint8_t)limited(nearest(0.5f * (inverse * x[i] - 1)), 0, book->level_count - 1);
  }
  uint32_t entry = book->map[codebook_place(book, levels)];
  *on_grid = !(entry & OFF_GRID);
  return *on_grid ? book->points[entry] : nearest_neighbour(book, entry, x, root, scale);
}

struct fit {
  float qx, q2;
};

static struct fit fit_of(
  const struct grid_rule *rule, const struct port_codebook *book, const struct grid_group *group,
  const uint32_t *points
) {
  struct fit fit = {0, 0};
  for (int i = 0; i < rule->group; i++) {
    int level =
      codebook_level(book, points[i / book->element_count], i % book->element_count);
    float q = (float)(2 * level + 1);
    fit.qx += group->w[i] * group->x[i] * q;
    fit.q2 += group->w[i] * q * q;
  }
  return fit;
}

static void search_group(
  const struct grid_rule *rule, const struct port_codebook *book, struct grid_group *group,
  struct grid_result *result
) {
  int count = rule->group / book->element_count;
  int on_grid[8], candidate_on_grid[8];
  uint32_t candidate[8];
  for (int k = 0; k < count; k++) {
    result->points[k] = book->points[0];
    on_grid[k] = rule->refine != REFINE_IF_ANY;
  }
  float most = group->x[0];
  for (int i = 1; i < rule->group; i++) {
    if (group->x[i] > most) most = group->x[i];
  }
  result->scale = 0;
  result->found = 0;
  if (!(most >= rule->negligible) || most == 0) return;
  float widest = (float)(2 * rule->levels - 1), scale = most / widest;
  if (rule->searches_greatest) {
    uint8_t codes[32];
    scale = port_search_positive(rule->group, rule->levels + 1, group->x, group->w, codes);
    most = scale * (float)rule->levels;
    if (most <= 0) return;
  }
  float best = 0;
  for (int step = -rule->steps; step <= rule->steps; step++) {
    float inverse = (widest + (float)step * rule->step) / most;
    for (int k = 0; k < count; k++) {
      int first = k * book->element_count;
      candidate[k] = point_of(
        book, group->x + first, group->root + first, inverse, 1 / inverse, &candidate_on_grid[k]);
    }
    struct fit fit = fit_of(rule, book, group, candidate);
    if (fit.q2 > 0 && fit.qx * fit.qx > best * fit.q2) {
      scale = fit.qx / fit.q2;
      best = scale * fit.qx;
      memcpy(result->points, candidate, sizeof candidate);
      memcpy(on_grid, candidate_on_grid, sizeof on_grid);
    }
  }
  int all_on_grid = rule->refine != REFINE_ALWAYS;
  for (int k = 0; k < count; k++) all_on_grid &= on_grid[k];
  if (!all_on_grid && scale > 0) {
    for (int k = 0; k < count; k++) {
      if (rule->refine == REFINE_OFF_GRID && on_grid[k]) continue;
      int first = k * book->element_count, ignored;
      result->points[k] = point_of(
        book, group->x + first, group->root + first, 1 / scale, scale, &ignored);
    }
    struct fit fit = fit_of(rule, book, group, result->points);
    if (fit.q2 > 0) scale = fit.qx / fit.q2;
  }
  if (scale < 0) {
    scale = -scale;
    for (int i = 0; i < 4; i++) group->signs[i] = (uint8_t)~group->signs[i];
  }
  result->scale = scale;
  result->found = 1;
}

void port_search_grid(
  const struct grid_rule *rule, const struct port_codebook *book, struct grid_group *groups,
  struct grid_result *results
) {
  for (int i = 0; i < SUPER / rule->group; i++) search_group(rule, book, &groups[i], &results[i]);
}
