// IQ1_S and IQ1_M: ranks, cuts and neighbours side by side in the lanes.

#include "IQ1.h"

INLINE ints lane_numbers(void) {
  static const uint32_t numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return load_ints(numbers);
}

/// By the number of elements that come before each.
VECTOR static void sort_iq1(int count, const float *x, uint8_t *order) {
  for (int start = 0; start < count; start += LANES) {
    floats values = load(x + start), ranks = all(0);
    floats places = to_floats(add_ints(lane_numbers(), all_int(start)));
    for (int i = 0; i < count; i++) {
      mask is_first = is_less(all((float)i), places);
      mask is_before = both(is_first, is_at_most(all(x[i]), values));
      is_before = either(is_before, is_less(all(x[i]), values));
      ranks = ranks + chosen(is_before, all(1), all(0));
    }
    float rank[LANES];
    store(rank, ranks);
    for (int l = 0; l < LANES; l++) order[(int)rank[l]] = (uint8_t)(start + l);
  }
}

/// A bit for each of the first `count` lanes.
INLINE unsigned lanes_below(int count) {
  return count >= LANES ? (1u << LANES) - 1 : (1u << count) - 1;
}

/// The best of the cuts seen so far.
struct best_cut {
  struct cut cut;
  float score;
};

/// Takes the lanes in order, and in each the `ways` candidates in order, that beat the score so far.
INLINE void take_better(
  int ways, int first, int second, const floats *qx, const floats *q2, unsigned valid,
  struct best_cut *best
) {
  unsigned better[4], any = 0;
  for (int way = 0; way < ways; way++) {
    mask m = both(
      is_less(all(0), q2[way]), is_less(all(best->score) * q2[way], qx[way] * qx[way]));
    better[way] = bits_of(m) & valid;
    any |= better[way];
  }
  if (!any) return;
  float stored_qx[4][LANES], stored_q2[4][LANES];
  for (int way = 0; way < ways; way++) {
    store(stored_qx[way], qx[way]);
    store(stored_q2[way], q2[way]);
  }
  for (; any; any &= any - 1) {
    int lane = __builtin_ctz(any);
    for (int way = 0; way < ways; way++) {
      float x = stored_qx[way][lane], two = stored_q2[way][lane], last = best->score;
      if (!(better[way] >> lane & 1) || !(two > 0 && x * x > last * two)) continue;
      best->cut = (struct cut){first, second + lane, way, x / two};
      best->score = best->cut.scale * x;
      if (best->score >= last) continue;
      // Rounding has lowered the score: any later lane may beat it now.
      for (int w = 0; w < ways; w++) better[w] |= valid & ~0u << lane;
      any |= valid & ~0u << lane;
    }
  }
}

/// What each place adds to numerators and denominators as the first and as the second cut, in two ways
/// for groups of 32 (IQ1_S), in two for each half for groups of 16 (IQ1_M).
struct cut_terms {
  float first_x[2][48], second_x[2][48];
  float first_2[4][48], second_2[4][48];
};

INLINE void prepare_cuts(int count, const struct cut_sums *sums, struct cut_terms *terms) {
  for (int i = 0; i < count + 1; i += LANES) {
    for (int down = 0; down < 2; down++) {
      const float *v = port_values_iq1[down];
      floats low = all(v[0]), high = all(v[2]);
      if (count == 32) {
        floats x = load(sums->x[0] + i), w = load(sums->w[0] + i);
        store(terms->first_x[down] + i, (x - all(sums->x[0][0])) * low);
        store(terms->second_x[down] + i, (all(sums->x[0][32]) - x) * high);
        store(terms->first_2[down] + i, (w - all(sums->w[0][0])) * low * low);
        store(terms->second_2[down] + i, (all(sums->w[0][32]) - w) * high * high);
        continue;
      }
      for (int half = 0; half < 2; half++) {
        float all_high = sums->w[half][16] * v[2] * v[2];
        floats w = load(sums->w[half] + i);
        floats first = w * all(v[0] * v[0] - v[1] * v[1]);
        store(terms->first_2[2 * half + down] + i, all(all_high) + first);
        store(terms->second_2[2 * half + down] + i, w * all(v[1] * v[1] - v[2] * v[2]));
      }
    }
  }
}

/// Numerators and denominators for the cuts at `first` and LANES places from `second` on, as the
/// portable searches have them: two ways for groups of 32, four for groups of 16.
INLINE void evaluate_cuts(
  int count, const struct cut_sums *sums, const struct cut_terms *terms, int first, int second,
  floats *qx, floats *q2
) {
  if (count == 32) {
    floats middle_x = load(sums->x[0] + second) - all(sums->x[0][first]);
    floats middle_w = load(sums->w[0] + second) - all(sums->w[0][first]);
    for (int down = 0; down < 2; down++) {
      floats v = all(port_values_iq1[down][1]);
      qx[down] = all(terms->first_x[down][first]) + middle_x * v
        + load(terms->second_x[down] + second);
      q2[down] = all(terms->first_2[down][first]) + middle_w * v * v
        + load(terms->second_2[down] + second);
    }
    return;
  }
  floats part_x[4], part_2[4];
  for (int part = 0; part < 4; part++) {
    const float *x = sums->x[part >> 1];
    floats below = all(x[first]) + load(x + second);
    part_x[part] = all(x[16] * port_values_iq1[part & 1][2]) - below;
    part_2[part] = all(terms->first_2[part][first]) + load(terms->second_2[part] + second);
  }
  for (int down = 0; down < 4; down++) {
    qx[down] = part_x[down >> 1] + part_x[2 + (down & 1)];
    q2[down] = part_2[down >> 1] + part_2[2 + (down & 1)];
  }
}

/// Every cut in order, as the portable searches.
INLINE struct cut search_in_order(
  int count, const struct cut_sums *sums, const struct cut_terms *terms
) {
  struct best_cut best = {{-1, -1, 0, 0}, -0x1.fffffep127f};
  for (int first = 0; first <= count; first++) {
    for (int second = first; second <= count; second += LANES) {
      floats qx[4], q2[4];
      evaluate_cuts(count, sums, terms, first, second, qx, q2);
      unsigned valid = lanes_below(count + 1 - second);
      take_better(count == 32 ? 2 : 4, first, second, qx, q2, valid, &best);
    }
  }
  return best.cut;
}

/// The greatest score of some likely cuts; 0 when there is none.
INLINE float likely_score(
  int count, const struct cut_sums *sums, const struct cut_terms *terms
) {
  floats most = all(0), numbers = to_floats(lane_numbers());
  for (int i = 0; i < 4; i++) {
    int first = count * (2 + i) / 12, second = count == 32 ? 17 : first;
    floats qx[4], q2[4];
    evaluate_cuts(count, sums, terms, first, second, qx, q2);
    mask valid = is_less(numbers, all((float)(count + 1 - second)));
    for (int way = 0; way < (count == 32 ? 2 : 4); way++) {
      floats score = qx[way] / q2[way] * qx[way];
      most = greater(chosen(both(valid, is_less(all(0), q2[way])), score, all(0)), most);
    }
  }
  return greatest_lane(most);
}

/// The cut of the greatest score, where it leads by more than rounding could have taken: then the
/// order does not matter.
INLINE struct cut search_prepared_cut(
  int count, const struct cut_sums *sums, const struct cut_terms *terms
) {
  enum { ROOM = 64 };
  const float lead = 2e-6f;
  const int ways = count == 32 ? 2 : 4;
  struct best_cut best = {{-1, -1, 0, 0}, 0};
  float scores[ROOM];
  int found = 0;
  float bound = likely_score(count, sums, terms);
  if (!(bound > 1e-30f && bound < 1e30f)) return search_in_order(count, sums, terms);
  bound *= 1 - 2 * lead;
  for (int first = 0; first <= count; first++) {
    for (int second = first; second <= count; second += LANES) {
      floats qx[4], q2[4];
      evaluate_cuts(count, sums, terms, first, second, qx, q2);
      mask beats[4], any;
      for (int way = 0; way < ways; way++) {
        beats[way] = is_less(all(bound) * q2[way], qx[way] * qx[way]);
        any = way == 0 ? beats[0] : either(any, beats[way]);
      }
      if (!(bits_of(any) & lanes_below(count + 1 - second))) continue;
      for (int way = 0; way < ways; way++) {
        unsigned better = bits_of(both(is_less(all(0), q2[way]), beats[way]));
        better &= lanes_below(count + 1 - second);
        if (!better) continue;
        float stored_scale[LANES], stored_score[LANES];
        floats scale = qx[way] / q2[way];
        store(stored_scale, scale);
        store(stored_score, scale * qx[way]);
        for (; better; better &= better - 1) {
          int lane = __builtin_ctz(better);
          float score = stored_score[lane];
          if (found == ROOM) return search_in_order(count, sums, terms);
          scores[found++] = score;
          if (!(score > best.score)) continue;
          best.cut = (struct cut){first, second + lane, way, stored_scale[lane]};
          best.score = score;
          float higher = score * (1 - 2 * lead);
          if (higher > bound) bound = higher;
        }
      }
    }
  }
  int leading = 0;
  for (int i = 0; i < found; i++) leading += scores[i] >= best.score * (1 - lead);
  // The squares that were compared must be normal numbers, also those of rivals.
  float qx = best.score / best.cut.scale;
  if (leading != 1 || !(qx * qx > 1e-30f && qx * qx < 1e30f)) return search_in_order(count, sums, terms);
  return best.cut;
}

INLINE struct cut search_cut(int count, const struct cut_sums *sums) {
  struct cut_terms terms;
  prepare_cuts(count, sums, &terms);
  return search_prepared_cut(count, sums, &terms);
}

VECTOR static struct cut cut_iq1_s(const struct cut_sums *sums) { return search_cut(32, sums); }
VECTOR static struct cut cut_iq1_m(const struct cut_sums *sums) { return search_cut(16, sums); }

VECTOR static uint32_t neighbour_iq1(
  const struct port_codebook *book, uint32_t entry, const float *x, const float *w,
  const float *values, float scale
) {
  float wide[LANES];
  struct spread spread;
  for (int i = 0; i < LANES; i++) wide[i] = i % 4 < 3 ? values[i % 4] : 0;
  spread_elements(8, x, w, &spread);
  return nearest_neighbour(8, wide, book, entry, &spread, scale);
}

static const struct iq1_steps iq1_s_steps = {sort_iq1, cut_iq1_s, neighbour_iq1};
static const struct iq1_steps iq1_m_steps = {sort_iq1, cut_iq1_m, neighbour_iq1};

#define IQ1_ENCODER(type, bytes) \
  static void encode_block_##type(const struct block *block, uint8_t *to) { \
    port_encode_with_##type(block, to, &type##_steps); \
  } \
  static void encode_##type( \
    const struct port_rows *rows, void *to, const struct port_codebook *codebook \
  ) { \
    port_encode_each(rows, to, codebook, SUPER, bytes, 0, encode_block_##type); \
  }

IQ1_ENCODER(iq1_s, 50)
IQ1_ENCODER(iq1_m, 56)
