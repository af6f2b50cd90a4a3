#include "IQ1.h"

#include "Encoders.h"
#include "Layouts.h"
#include "Search.h"

const float port_values_iq1[2][3] = {{-0.875f, 0.125f, 1.125f}, {-1.125f, -0.125f, 0.875f}};

#define LOWEST -0x1.fffffep127f

/// Of IQ1_S a group has 32 elements, of IQ1_M 16; both have at least two points.
struct iq1_group {
  int count;
  const float *x;
  float w[32];
  uint8_t levels[32];
  /// A point for each eight elements, in nibbles.
  uint32_t points[4];
  /// The level values for each point.
  const float *values[4];
  float scale;
};

static void sort(int count, const float *x, uint8_t *order) {
  for (int i = 0; i < count; i++) {
    int place = i;
    for (; place > 0 && x[i] < x[order[place - 1]]; place--) order[place] = order[place - 1];
    order[place] = (uint8_t)i;
  }
}

static struct cut cut_iq1_s(const struct cut_sums *sums) {
  const float *x = sums->x[0], *w = sums->w[0];
  struct cut best = {-1, -1, 0, 0};
  float score = LOWEST;
  for (int first = 0; first <= 32; first++) {
    for (int second = first; second <= 32; second++) {
      for (int down = 0; down < 2; down++) {
        const float *v = port_values_iq1[down];
        float qx = (x[first] - x[0]) * v[0] + (x[second] - x[first]) * v[1]
          + (x[32] - x[second]) * v[2];
        float q2 = (w[first] - w[0]) * v[0] * v[0] + (w[second] - w[first]) * v[1] * v[1]
          + (w[32] - w[second]) * v[2] * v[2];
        if (q2 > 0 && qx * qx > score * q2) {
          best = (struct cut){first, second, down, qx / q2};
          score = best.scale * qx;
        }
      }
    }
  }
  return best;
}

static struct cut cut_iq1_m(const struct cut_sums *sums) {
  struct cut best = {-1, -1, 0, 0};
  float score = LOWEST;
  for (int first = 0; first <= 16; first++) {
    for (int second = first; second <= 16; second++) {
      // Since the values are 1 apart, Σ w x v = v₂ Σ w x − (what lies below each cut).
      float qx[2][2], q2[2][2];
      for (int half = 0; half < 2; half++) {
        const float *x = sums->x[half], *w = sums->w[half];
        float below = x[first] + x[second];
        for (int down = 0; down < 2; down++) {
          const float *v = port_values_iq1[down];
          qx[half][down] = x[16] * v[2] - below;
          q2[half][down] = w[16] * v[2] * v[2] + w[first] * (v[0] * v[0] - v[1] * v[1])
            + w[second] * (v[1] * v[1] - v[2] * v[2]);
        }
      }
      for (int down = 0; down < 4; down++) {
        float numerator = qx[0][down >> 1] + qx[1][down & 1];
        float denominator = q2[0][down >> 1] + q2[1][down & 1];
        if (denominator > 0 && numerator * numerator > score * denominator) {
          best = (struct cut){first, second, down, numerator / denominator};
          score = best.scale * numerator;
        }
      }
    }
  }
  return best;
}

static uint32_t nearest_neighbour(
  const struct port_codebook *book, uint32_t entry, const float *x, const float *w,
  const float *values, float scale
) {
  const uint32_t *list = book->neighbours + (entry & 0xFFFFu) * CHUNK;
  unsigned count = (entry >> 16 & 0x7FFFu) * CHUNK;
  uint32_t best = list[0];
  float least = 0x1.fffffep127f;
  for (unsigned n = 0; n < count; n++) {
    float distance = 0;
    for (int i = 0; i < 8; i++) {
      float difference = scale * values[codebook_level(book, list[n], i)] - x[i];
      distance += w[i] * difference * difference;
    }
    if (distance < least) {
      least = distance;
      best = list[n];
    }
  }
  return best;
}

static const struct iq1_steps iq1_s_steps = {sort, cut_iq1_s, nearest_neighbour};
static const struct iq1_steps iq1_m_steps = {sort, cut_iq1_m, nearest_neighbour};

/// Levels, points and scale of a group; returns which halves are moved down, or −1 for no cut.
static int search_group(
  const struct port_codebook *book, const struct iq1_steps *steps, struct iq1_group *group
) {
  uint8_t order[32] = {0};
  struct cut_sums sums;
  int half_count = group->count == 32 ? 32 : 8;
  steps->sort(group->count, group->x, order);
  float x[2] = {0, 0}, w[2] = {0, 0};
  memset(&sums, 0, sizeof sums);
  for (int i = 0; i < group->count; i++) {
    int element = order[i];
    float weight = group->w[element], product = weight * group->x[element];
    for (int half = 0; half < 2; half++) {
      // Adding 0 changes nothing, since no sum is −0.
      int is_here = element / half_count == half;
      x[half] += is_here ? product : 0;
      w[half] += is_here ? weight : 0;
      sums.x[half][i + 1] = x[half];
      sums.w[half][i + 1] = w[half];
    }
  }
  struct cut cut = steps->cut(&sums);
  if (cut.first < 0) return -1;
  for (int i = 0; i < group->count; i++) {
    group->levels[order[i]] = (uint8_t)((i >= cut.first) + (i >= cut.second));
  }
  int down = cut.down;
  group->scale = cut.scale;
  if (cut.scale < 0) {
    for (int i = 0; i < group->count; i++) group->levels[i] = (uint8_t)(2 - group->levels[i]);
    group->scale = -cut.scale;
    down ^= group->count == 32 ? 1 : 3;
  }
  int all_on_grid = 1;
  for (int k = 0; k < group->count / 8; k++) {
    int moved = group->count == 32 ? down : k == 0 ? down >> 1 : down & 1;
    group->values[k] = port_values_iq1[moved];
    uint32_t entry = book->map[codebook_place(book, group->levels + 8 * k)];
    if (entry & OFF_GRID) {
      all_on_grid = 0;
      group->points[k] = steps->neighbour(
        book, entry, group->x + 8 * k, group->w + 8 * k, group->values[k], group->scale);
    } else {
      group->points[k] = book->points[entry];
    }
  }
  if (all_on_grid) return down;
  float qx = 0, q2 = 0;
  for (int i = 0; i < group->count; i++) {
    float q = group->values[i / 8][codebook_level(book, group->points[i / 8], i % 8)];
    qx += group->w[i] * q * group->x[i];
    q2 += group->w[i] * q * q;
  }
  if (qx > 0 && q2 > 0) group->scale = qx / q2;
  return down;
}

static float greatest_magnitude(const float *x, int count) {
  float most = fabsf(x[0]);
  for (int i = 1; i < count; i++) {
    if (fabsf(x[i]) > most) most = fabsf(x[i]);
  }
  return most;
}

static int scale_code(float inverse, float scale) {
  return limited(nearest(0.5f * (inverse * scale - 1)), 0, 7);
}

void port_encode_with_iq1_s(const struct block *block, uint8_t *to, const struct iq1_steps *steps) {
  struct iq1_s *out = (struct iq1_s *)to;
  memset(out, 0, sizeof *out);
  float energy = 2 * sum_of_squares(block->values, SUPER) / SUPER;
  float scales[8] = {0}, most = 0;
  int down[8] = {0}, high[8] = {0};
  for (int i = 0; i < 8; i++) {
    struct iq1_group group = {.count = 32, .x = block->values + 32 * i};
    if (greatest_magnitude(group.x, 32) < 1e-12f) continue;
    weigh(32, group.x, block->importance + 32 * i, energy, group.w);
    int found = search_group(block->codebook, steps, &group);
    if (found < 0) continue;
    down[i] = found;
    scales[i] = group.scale;
    if (group.scale > most) most = group.scale;
    for (int k = 0; k < 4; k++) {
      int index = codebook_index(block->codebook, group.points[k]);
      out->points[4 * i + k] = (uint8_t)index;
      high[i] |= index >> 8 << 3 * k;
    }
  }
  float step = most / 15, inverse = 1 / step;
  if (most > 0) {
    // Stored a little larger than it is used.
    store_half(out->scale, step * 1.125f);
    for (int i = 0; i < 8; i++) {
      high[i] |= (scale_code(inverse, scales[i]) | down[i] << 3) << 12;
    }
  }
  for (int i = 0; i < 8; i++) {
    out->high[i][0] = (uint8_t)high[i];
    out->high[i][1] = (uint8_t)(high[i] >> 8);
  }
}

static void weigh_iq1_m(const struct block *block, float energy, int i, float *w) {
  const float *x = block->values + 16 * i;
  if (block->importance) {
    weigh(16, x, block->importance + 16 * i, energy, w);
  } else {
    for (int l = 0; l < 16; l++) w[l] = x[l] * x[l];
  }
}

static unsigned iq1_m_index(const struct iq1_m *block, int point) {
  return block->points[point] | (unsigned)(block->high[point / 2] >> point % 2 * 4 & 7) << 8;
}

void port_encode_with_iq1_m(const struct block *block, uint8_t *to, const struct iq1_steps *steps) {
  struct iq1_m *out = (struct iq1_m *)to;
  const struct port_codebook *book = block->codebook;
  memset(out, 0, sizeof *out);
  float energy = block->importance ? 2 * sum_of_squares(block->values, SUPER) / SUPER : 0;
  float scales[16] = {0}, most = 0;
  int down[16] = {0};
  for (int i = 0; i < 16; i++) {
    struct iq1_group group = {.count = 16, .x = block->values + 16 * i};
    if (greatest_magnitude(group.x, 16) < 1e-7f) continue;
    weigh_iq1_m(block, energy, i, group.w);
    int found = search_group(book, steps, &group);
    if (found < 0) continue;
    down[i] = found;
    scales[i] = group.scale;
    if (group.scale > most) most = group.scale;
    for (int k = 0; k < 2; k++) {
      int index = codebook_index(book, group.points[k]);
      out->points[2 * i + k] = (uint8_t)index;
      out->high[i] |= (uint8_t)(index >> 8 << 4 * k);
    }
  }
  if (most == 0) return;
  float step = most / 15, inverse = 1 / step;
  float qx = 0, q2 = 0;
  unsigned words[4] = {0};
  for (int i = 0; i < 16; i++) {
    const float *x = block->values + 16 * i;
    float w[16];
    int code = scale_code(inverse, scales[i]);
    words[i / 4] |= (unsigned)code << i % 4 * 3;
    out->high[i] |= (uint8_t)((down[i] >> 1) << 3 | (down[i] & 1) << 7);
    weigh_iq1_m(block, energy, i, w);
    for (int l = 0; l < 16; l++) {
      const float *values = port_values_iq1[l < 8 ? down[i] >> 1 : down[i] & 1];
      uint32_t point = book->points[iq1_m_index(out, 2 * i + l / 8)];
      float q = values[codebook_level(book, point, l % 8)] * (float)(2 * code + 1);
      qx += w[l] * q * x[l];
      q2 += w[l] * q * q;
    }
  }
  // The scale of all is fitted once more, to the whole block.
  if (q2 > 0) step = qx / q2;
  unsigned half = half_of(step * 1.1125f);
  for (int i = 0; i < 4; i++) {
    words[i] |= (half >> 4 * i & 15) << 12;
    out->scales[2 * i] = (uint8_t)words[i];
    out->scales[2 * i + 1] = (uint8_t)(words[i] >> 8);
  }
}

static void encode_iq1_s(const struct block *block, uint8_t *to) {
  port_encode_with_iq1_s(block, to, &iq1_s_steps);
}

static void encode_iq1_m(const struct block *block, uint8_t *to) {
  port_encode_with_iq1_m(block, to, &iq1_m_steps);
}

PORT_ENCODER(iq1_s, SUPER, 50, 0)
PORT_ENCODER(iq1_m, SUPER, 56, 0)
