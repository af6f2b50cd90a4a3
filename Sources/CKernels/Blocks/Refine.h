// The search for scales that lose less than those of the reference.
//
// Each group's best scale and offset are sought as if any number could be stored. Then, from them
// and from what the reference chose, the search alternates between the factors and shares of the
// groups and the F16 of the block, always with the codes nearest under the scales as stored.

#include "RefineTrials.h"

/// The same value as F16 has it; infinity where it has none.
static inline float as_half(float value) { return port_half_to_float(half_of(value)); }

/// The F16 so many places after this one.
static inline float half_after(float value, int places) {
  return port_half_to_float((uint16_t)(half_of(value) + places));
}

/// Σ over the block of what `fit` needs of the groups.
struct block_sums {
  double error, xl, l2, l, x, w;
};

/// Lets every group choose among the factors and shares around its own.
REFINER void adjust(
  const struct refinement *type, const struct weighted_block *block, struct block_scales *scales,
  struct block_sums *sums
) {
  *sums = (struct block_sums){0};
  for (int group = 0; group < type->group_count; group++) {
    int factors[TRIALS], shares[TRIALS];
    trials scale, offset = spread(0);
    for (int i = 0; i < TRIALS; i++) {
      int factor = scales->factors[group], share = scales->shares[group];
      if (type->highest_share == 0) {
        factor += i - TRIALS / 2;
      } else {
        factor += i % 5 - 2;
        share += i / 5 - 1;
        if (i == 15) share = 0;
      }
      factors[i] = limited(factor, type->lowest_factor, type->highest_factor);
      shares[i] = limited(share, 0, type->highest_share);
      scale[i] = scales->scale * (float)factors[i];
      offset[i] = scales->offset * (float)shares[i];
    }
    struct outcome outcome;
    int start = group * type->group_size;
    measure(type, block->x + start, block->w + start, &scale, &offset, &outcome);
    int best = best_trial(&outcome.error);
    double factor = factors[best], share = shares[best];
    scales->factors[group] = factors[best];
    scales->shares[group] = shares[best];
    sums->error += (double)outcome.error[best];
    sums->xl += factor * (double)outcome.xl[best];
    sums->l2 += factor * factor * (double)outcome.l2[best];
    sums->l += factor * share * (double)outcome.l[best];
    sums->x += share * (double)block->sum_x[group];
    sums->w += share * share * (double)block->sum_w[group];
  }
}

/// Fits scale and offset of the block to factors, shares and levels.
static inline void refit(
  const struct refinement *type, const struct block_sums *sums, struct block_scales *scales
) {
  double determinant = sums->w * sums->l2 - sums->l * sums->l;
  if (type->highest_share == 0 || !(determinant > 0)) {
    if (sums->l2 > 0) {
      double moved = sums->xl + (double)scales->offset * sums->l;
      scales->scale = as_half((float)(moved / sums->l2));
    }
    return;
  }
  float offset = (float)((sums->l * sums->xl - sums->l2 * sums->x) / determinant);
  scales->scale = as_half((float)((sums->w * sums->xl - sums->x * sums->l) / determinant));
  scales->offset = as_half(offset > 0 ? offset : 0);
}

/// Tries the neighbours of scale and offset among the values of F16.
REFINER float polish(
  const struct refinement *type, const struct weighted_block *block, struct block_scales *scales
) {
  float least = INFINITY;
  for (int round = 0; round < 4; round++) {
    float scale[TRIALS], offset[TRIALS];
    trials error = spread(0);
    for (int i = 0; i < TRIALS; i++) {
      int is_affine = type->highest_share > 0;
      // The first trial is the present.
      int places = i == 0 ? 0 : is_affine ? i % 5 - 2 : (i + 1) / 2 * (i % 2 * 2 - 1);
      scale[i] = half_after(scales->scale, places);
      offset[i] = is_affine && i > 0 ? half_after(scales->offset, i / 5 - 1) : scales->offset;
      if (!(fabsf(scale[i]) < INFINITY)) scale[i] = scales->scale;
      if (!(fabsf(offset[i]) < INFINITY)) offset[i] = scales->offset;
    }
    for (int group = 0; group < type->group_count; group++) {
      trials group_scale, group_offset;
      for (int i = 0; i < TRIALS; i++) {
        group_scale[i] = scale[i] * (float)scales->factors[group];
        group_offset[i] = offset[i] * (float)scales->shares[group];
      }
      struct outcome outcome;
      int start = group * type->group_size;
      measure(type, block->x + start, block->w + start, &group_scale, &group_offset, &outcome);
      error = error + outcome.error;
    }
    int best = best_trial(&error);
    if (!(error[best] < least)) break;
    least = error[best];
    scales->scale = scale[best];
    scales->offset = offset[best];
    if (best == 0) break;
  }
  return least;
}

/// Alternates between groups and block, as long as the error falls.
REFINER float alternate(
  const struct refinement *type, const struct weighted_block *block, struct block_scales *scales
) {
  struct block_scales trial = *scales;
  float least = INFINITY;
  for (int round = 0; round < 6; round++) {
    struct block_sums sums;
    adjust(type, block, &trial, &sums);
    if (!(sums.error < (double)least)) break;
    least = (float)sums.error;
    *scales = trial;
    refit(type, &sums, &trial);
    if (!(fabsf(trial.scale) < INFINITY && fabsf(trial.offset) < INFINITY)) break;
  }
  return least;
}

/// Σ w (y − x)² of an encoded block.
static inline double error_of(
  const struct refinement *type, const struct weighted_block *block, const uint8_t *bytes
) {
  float y[SUPER];
  int count = type->group_count * type->group_size;
  double error = 0;
  type->decode(bytes, y, (size_t)count);
  for (int i = 0; i < count; i++) {
    double difference = (double)y[i] - (double)block->x[i];
    error += (double)block->w[i] * difference * difference;
  }
  return error;
}

/// Quantizes and packs.
REFINER void finish(
  const struct refinement *type, const struct weighted_block *block,
  const struct block_scales *scales, uint8_t *to
) {
  uint8_t codes[SUPER];
  int count = type->group_count * type->group_size;
  for (int i = 0; i < count; i += TRIALS) {
    int group = i / type->group_size;
    trials offset = spread(scales->offset * (float)scales->shares[group]), x;
    trials inverse = inverses(spread(scales->scale * (float)scales->factors[group]));
    memcpy(&x, block->x + i, sizeof x);
    trials level = nearest_levels(type, (x + offset) * inverse);
    for (int l = 0; l < TRIALS; l++) {
      int value = (int)level[l], code = value - type->lowest;
      if (type->levels) {
        for (code = 0; type->levels[code] != value; code++) {}
      }
      codes[i + l] = (uint8_t)code;
    }
  }
  type->write(scales, codes, to);
}

/// Scales of a block whose factors and shares stand for the ideal ones of the groups, with the
/// largest near the end of their range.
static inline struct block_scales proportioned(
  const struct refinement *type, const float *scale, const float *offset, float rise
) {
  if (type->is_simple) {
    return (struct block_scales){
      as_half(scale[0]), as_half(offset[0]), {1}, {type->highest_share}};
  }
  float extreme = 0, greatest = 0;
  for (int group = 0; group < type->group_count; group++) {
    if (fabsf(scale[group]) > fabsf(extreme)) extreme = scale[group];
    if (offset[group] > greatest) greatest = offset[group];
  }
  int end = type->lowest_factor < 0 ? type->lowest_factor : type->highest_factor;
  struct block_scales scales = {as_half(extreme / ((float)end * rise)), 0, {0}, {0}};
  if (type->highest_share > 0) scales.offset = as_half(greatest / (float)type->highest_share);
  for (int group = 0; group < type->group_count; group++) {
    float factor = scales.scale != 0 ? scale[group] / scales.scale : 0;
    float share = scales.offset != 0 ? offset[group] / scales.offset : 0;
    scales.factors[group] = limited(nearest(factor), type->lowest_factor, type->highest_factor);
    scales.shares[group] = limited(nearest(share), 0, type->highest_share);
  }
  return scales;
}

/// Replaces an encoded block when better scales are found.
REFINER void refine_block(
  const struct refinement *type, struct weighted_block *block, uint8_t *bytes
) {
  double error = error_of(type, block, bytes);
  if (!(error > 0 && error < (double)INFINITY)) return;
  float scale[16], offset[16];
  for (int group = 0; group < type->group_count; group++) {
    float sum_x = 0, sum_w = 0;
    for (int i = group * type->group_size; i < (group + 1) * type->group_size; i++) {
      sum_x += block->w[i] * block->x[i];
      sum_w += block->w[i];
    }
    block->sum_x[group] = sum_x;
    block->sum_w[group] = sum_w;
    ideal(type, block, group, &scale[group], &offset[group]);
  }
  // What the reference chose is the first start.
  struct block_scales best, trial;
  float least = INFINITY;
  for (int start = 0; start < (type->is_simple ? 2 : 4); start++) {
    if (start == 0) {
      type->read(bytes, &trial);
    } else {
      trial = proportioned(type, scale, offset, 0.9f + 0.05f * (float)start);
    }
    float found = type->is_simple ? polish(type, block, &trial) : alternate(type, block, &trial);
    if (start == 0 || found < least) {
      least = found;
      best = trial;
    }
  }
  if (!type->is_simple) polish(type, block, &best);
  uint8_t refined[SUPER];
  finish(type, block, &best, refined);
  if (error_of(type, block, refined) < error) memcpy(bytes, refined, (size_t)type->byte_count);
}

/// Refines the blocks of `rows`.
REFINER void refine_rows(
  const struct refinement *type, const struct port_rows *rows, uint8_t *bytes
) {
  size_t count = (size_t)(type->group_count * type->group_size);
  const uint8_t *values = rows->values, *importance = rows->importance;
  struct weighted_block block;
  for (size_t i = 0; i < count; i++) block.w[i] = 1;
  for (size_t row = 0; row < rows->row_count; row++) {
    for (size_t start = 0; start < rows->row_length; start += count) {
      memcpy(block.x, values, 4 * count);
      if (importance) memcpy(block.w, importance + 4 * start, 4 * count);
      refine_block(type, &block, bytes);
      values += 4 * count;
      bytes += type->byte_count;
    }
  }
}
