// IQ2 and IQ3: the scales to try side by side in the lanes, and the neighbours of one combination of
// levels side by side.

#include "Grid.h"

/// The values 2 level + 1 by nibble of a point.
static const float grid_values[2][16] = {
  {1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7},
  {1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15},
};

/// The elements of one point, each repeated for every value that it can have: 8 × 4 or 4 × 8.
struct spread {
  floats x[32 / LANES], root[32 / LANES];
};

/// `elements`: those of a point.
INLINE void spread_elements(int elements, const float *x, const float *root, struct spread *to) {
  float wide_x[32], wide_root[32];
  for (int i = 0; i < 32; i++) {
    wide_x[i] = x[i * elements / 32];
    wide_root[i] = root[i * elements / 32];
  }
  for (int i = 0; i < 32 / LANES; i++) {
    to->x[i] = load(wide_x + i * LANES);
    to->root[i] = load(wide_root + i * LANES);
  }
}

/// The distances to LANES neighbours, from what each element adds to them.
INLINE floats distances_to(int elements, const floats *terms, const uint32_t *list) {
  ints points = load_ints(list);
  floats distance = picked(terms[0], points);
  for (int i = 1; i < elements; i++) {
    points = shifted_right(points, 4);
    distance = distance + picked(terms[i * (32 / elements) / LANES], points);
  }
  return distance;
}

/// The nearest of the neighbours, by the sums of the portable search.
///
/// What each element adds to a distance is one of four or eight numbers, so they are computed once.
INLINE uint32_t nearest_neighbour(
  int elements, const float *values, const struct port_codebook *book, uint32_t entry,
  const struct spread *spread, float scale
) {
  floats terms[32 / LANES];
  for (int i = 0; i < 32 / LANES; i++) {
    floats difference = all(scale) * load(values) - spread->x[i];
    terms[i] = spread->root[i] * difference * difference;
  }
  const uint32_t *list = book->neighbours + (entry & 0xFFFFu) * CHUNK;
  int count = (int)(entry >> 16 & 0x7FFFu) * CHUNK;
  floats least = distances_to(elements, terms, list);
  if (count == LANES) {
    unsigned nearest = bits_of(is_equal(least, all(least_lane(least))));
    return list[nearest ? __builtin_ctz(nearest) : 0];
  }
  least = lesser(least, all(0x1.fffffep127f));
  ints place = all_int(0);
  for (int start = LANES; start < count; start += LANES) {
    floats distance = distances_to(elements, terms, list + start);
    mask nearer = is_less(distance, least);
    least = chosen(nearer, distance, least);
    place = chosen_int(nearer, all_int(start), place);
  }
  unsigned nearest = bits_of(is_equal(least, all(least_lane(least))));
  int lane = __builtin_ctz(nearest);
  int32_t starts[LANES];
  store_ints(starts, place);
  int best = starts[lane] + lane;
  for (nearest &= nearest - 1; nearest; nearest &= nearest - 1) {
    lane = __builtin_ctz(nearest);
    if (starts[lane] + lane < best) best = starts[lane] + lane;
  }
  return list[best];
}

enum { MOST_STEPS = 32 };

/// What the search of a group needs for each step.
struct grid_steps {
  int count;
  float inverse[MOST_STEPS], scale[MOST_STEPS];
  uint32_t points[8][MOST_STEPS];
  /// Whether rounding alone gave the points: a bit for each step.
  uint32_t on_grid[8];
};

/// The points of elements `k` for all steps.
INLINE void find_points(
  int elements, const struct port_codebook *book, const struct grid_group *group, int k,
  struct grid_steps *steps
) {
  const float *x = group->x + k * elements;
  struct spread spread;
  spread_elements(elements, x, group->root + k * elements, &spread);
  uint32_t off_grid = 0;
  uint32_t entries[MOST_STEPS];
  for (int start = 0; start < steps->count; start += LANES) {
    ints place = all_int(0), highest = all_int(elements == 8 ? 2 : 7);
    floats inverse = load(steps->inverse + start);
    for (int i = 0; i < elements; i++) {
      ints level = nearest_ints(all(0.5f) * (inverse * all(x[i]) - all(1)));
      level = limited_ints(level, all_int(0), highest);
      ints scaled =
        elements == 8 ? add_ints(place, add_ints(place, place)) : shifted_left(place, 3);
      place = add_ints(scaled, level);
    }
    ints entry = gathered(book->map, place);
    store_ints((int32_t *)entries + start, entry);
    unsigned bits = bits_of_signs(entry);
    off_grid |= bits << start;
    ints index = and_ints(entry, all_int(2047));
    store_ints((int32_t *)steps->points[k] + start, gathered(book->points, index));
  }
  if (steps->count < 32) off_grid &= (1u << steps->count) - 1;
  steps->on_grid[k] = ~off_grid;
  for (; off_grid; off_grid &= off_grid - 1) {
    int step = __builtin_ctz(off_grid);
    steps->points[k][step] = nearest_neighbour(
      elements, grid_values[elements == 4], book, entries[step], &spread, steps->scale[step]);
  }
}

/// The numerators and denominators of the best scale for the points of each step.
INLINE void fit_points(
  int elements, int count, const struct grid_group *group, const struct grid_steps *steps,
  float *qx, float *q2
) {
  floats values = load(grid_values[elements == 4]);
  for (int start = 0; start < steps->count; start += LANES) {
    floats sum_x = all(0), sum_2 = all(0);
    for (int k = 0; k < count; k++) {
      ints points = load_ints(steps->points[k] + start);
      for (int i = 0; i < elements; i++) {
        floats q = picked(values, points);
        float w = group->w[k * elements + i], wx = w * group->x[k * elements + i];
        sum_x = sum_x + all(wx) * q;
        sum_2 = sum_2 + all(w) * q * q;
        points = shifted_right(points, 4);
      }
    }
    store(qx + start, sum_x);
    store(q2 + start, sum_2);
  }
}

INLINE void search_grid_group(
  const struct grid_rule *rule, int elements, const struct port_codebook *book, float greatest,
  float scale, struct grid_group *group, struct grid_result *result
) {
  int count = rule->group / elements;
  struct grid_steps steps = {.count = 2 * rule->steps + 1};
  float qx[MOST_STEPS], q2[MOST_STEPS];
  float widest = (float)(2 * rule->levels - 1);
  for (int step = 0; step < MOST_STEPS; step++) {
    steps.inverse[step] = (widest + (float)(step - rule->steps) * rule->step) / greatest;
    steps.scale[step] = 1 / steps.inverse[step];
  }
  for (int k = 0; k < count; k++) find_points(elements, book, group, k, &steps);
  fit_points(elements, count, group, &steps, qx, q2);
  float best = 0;
  int best_step = -1;
  for (int step = 0; step < steps.count; step++) {
    if (q2[step] > 0 && qx[step] * qx[step] > best * q2[step]) {
      scale = qx[step] / q2[step];
      best = scale * qx[step];
      best_step = step;
    }
  }
  unsigned on_grid = 0, every = (1u << count) - 1;
  for (int k = 0; k < count; k++) {
    result->points[k] = best_step < 0 ? book->points[0] : steps.points[k][best_step];
    if (best_step >= 0) on_grid |= (steps.on_grid[k] >> best_step & 1) << k;
  }
  if (best_step < 0 && rule->refine != REFINE_IF_ANY) on_grid = every;
  if (rule->refine == REFINE_ALWAYS) on_grid = 0;
  if (rule->refine == REFINE_IF_ANY && on_grid != every) on_grid = 0;
  if (on_grid != every && scale > 0) {
    steps = (struct grid_steps){.count = 1, .inverse = {1 / scale}, .scale = {scale}};
    for (int k = 0; k < count; k++) {
      if (on_grid >> k & 1) {
        steps.points[k][0] = result->points[k];
      } else {
        find_points(elements, book, group, k, &steps);
        result->points[k] = steps.points[k][0];
      }
    }
    fit_points(elements, count, group, &steps, qx, q2);
    if (q2[0] > 0) scale = qx[0] / q2[0];
  }
  if (scale < 0) {
    scale = -scale;
    for (int i = 0; i < 4; i++) group->signs[i] = (uint8_t)~group->signs[i];
  }
  result->scale = scale;
  result->found = 1;
}

INLINE void search_grid(
  const struct grid_rule *rule, int elements, const struct port_codebook *book,
  struct grid_group *groups, struct grid_result *results
) {
  float scales[16];
  if (rule->searches_greatest) {
    const size_t stride = sizeof(struct grid_group) / sizeof(float);
    for (int first = 0; first < SUPER / rule->group; first += LANES) {
      floats x[32], w[32], codes[32];
      for (int i = 0; i < rule->group; i += LANES) {
        transpose(groups[first].x + i, stride, x + i);
        transpose(groups[first].w + i, stride, w + i);
      }
      store(scales + first, search_positive(rule->group, rule->levels + 1, x, w, codes));
    }
  }
  for (int g = 0; g < SUPER / rule->group; g++) {
    float most = groups[g].x[0];
    for (int i = 1; i < rule->group; i++) {
      if (groups[g].x[i] > most) most = groups[g].x[i];
    }
    results[g].scale = 0;
    results[g].found = 0;
    if (!(most >= rule->negligible) || most == 0) continue;
    float scale = most / (float)(2 * rule->levels - 1);
    if (rule->searches_greatest) {
      scale = scales[g];
      most = scale * (float)rule->levels;
      if (most <= 0) continue;
    }
    search_grid_group(rule, elements, book, most, scale, &groups[g], &results[g]);
  }
}

#define GRID_ENCODER(type, elements, bytes) \
  VECTOR static void search_##type( \
    const struct grid_rule *rule, const struct port_codebook *book, struct grid_group *groups, \
    struct grid_result *results \
  ) { \
    search_grid(rule, elements, book, groups, results); \
  } \
  static void encode_block_##type(const struct block *block, uint8_t *to) { \
    port_encode_with_##type(block, to, search_##type); \
  } \
  static void encode_##type( \
    const struct port_rows *rows, void *to, const struct port_codebook *codebook \
  ) { \
    port_encode_each(rows, to, codebook, SUPER, bytes, 0, encode_block_##type); \
  }

GRID_ENCODER(iq2_xxs, 8, 66)
GRID_ENCODER(iq2_xs, 8, 74)
GRID_ENCODER(iq2_s, 8, 82)
GRID_ENCODER(iq3_xxs, 4, 98)
GRID_ENCODER(iq3_s, 4, 110)
