// Trial scales of one group of elements, a lane for each: sums run over the elements in order, so
// that all paths give the same bits. REFINER is how the including file compiles functions.

#include "Refinement.h"

// Every function is inlined, so that no call depends on how vectors are passed.
#pragma GCC diagnostic ignored "-Wpsabi"

enum { TRIALS = 16 };

/// One number a trial, wherever vectors end.
typedef float trials __attribute__((vector_size(4 * TRIALS)));
typedef int32_t trial_masks __attribute__((vector_size(4 * TRIALS)));

/// What trial scales and offsets make of a group, with Σ over its elements.
struct outcome {
  /// Σ w (y − x)².
  trials error;
  /// Σ w x l, Σ w l, Σ w l².
  trials xl, l, l2;
};

/// The elements of a block and their weights, with Σ w x and Σ w of each group.
struct weighted_block {
  float x[SUPER], w[SUPER];
  float sum_x[16], sum_w[16];
};

REFINER trials spread(float value) { return value - (trials){0}; }

REFINER trials where(trial_masks mask, trials a, trials b) {
  return (trials)(((trial_masks)a & mask) | ((trial_masks)b & ~mask));
}

/// The level nearest to v.
REFINER trials nearest_levels(const struct refinement *type, trials v) {
  if (type->levels) {
    const int8_t *levels = type->levels;
    trials level = spread((float)levels[0]);
    for (int i = 1; i < 16; i++) {
      trials step = spread((float)(levels[i] - levels[i - 1]));
      trial_masks above = v >= spread(0.5f * (float)(levels[i] + levels[i - 1]));
      level = level + (trials)((trial_masks)step & above);
    }
    return level;
  }
  trials low = spread((float)type->lowest), high = spread((float)type->highest);
  v = where(v < low, low, v);
  v = where(v > high, high, v);
  return (v + spread(12582912.0f)) - spread(12582912.0f);
}

/// 1 / scale, and 0 of 0.
REFINER trials inverses(trials scale) {
  trial_masks is_zero = scale == spread(0);
  return where(is_zero, spread(0), spread(1) / where(is_zero, spread(1), scale));
}

/// Quantizes one group with every trial's scale and offset.
REFINER void measure(
  const struct refinement *type, const float *x, const float *w, const trials *scale,
  const trials *offset, struct outcome *outcome
) {
  trials inverse = inverses(*scale), s = *scale, o = *offset;
  trials error = spread(0), xl = spread(0), l = spread(0), l2 = spread(0);
  for (int i = 0; i < type->group_size; i++) {
    trials value = spread(x[i]), weight = spread(w[i]);
    trials level = nearest_levels(type, (value + o) * inverse);
    trials difference = (s * level - o) - value;
    error = error + weight * difference * difference;
    trials weighted = weight * level;
    l = l + weighted;
    xl = xl + weighted * value;
    l2 = l2 + weighted * level;
  }
  *outcome = (struct outcome){error, xl, l, l2};
}

/// The trial of the least error, the first of equals.
REFINER int best_trial(const trials *error) {
  int best = 0;
  for (int i = 1; i < TRIALS; i++) {
    if ((*error)[i] < (*error)[best]) best = i;
  }
  return best;
}

/// The scale and offset that suit the levels of each trial best.
REFINER void fit(
  const struct refinement *type, const struct outcome *outcome, float sum_x, float sum_w,
  trials *scale, trials *offset
) {
  trials one = spread(1), zero = spread(0);
  if (type->highest_share == 0) {
    trial_masks usable = outcome->l2 > zero;
    *scale = where(usable, outcome->xl / where(usable, outcome->l2, one), *scale);
    return;
  }
  trials x = spread(sum_x), w = spread(sum_w);
  trials determinant = w * outcome->l2 - outcome->l * outcome->l;
  trial_masks usable = determinant > zero;
  trials divisor = where(usable, determinant, one);
  trials new_scale = (w * outcome->xl - x * outcome->l) / divisor;
  trials new_offset = (outcome->l * outcome->xl - outcome->l2 * x) / divisor;
  if (!type->is_simple) {
    // Shares are not negative.
    trial_masks below = usable & (new_offset < zero);
    new_offset = where(below, zero, new_offset);
    trial_masks any = outcome->l2 > zero;
    new_scale = where(below, outcome->xl / where(any, outcome->l2, one), new_scale);
  }
  *scale = where(usable, new_scale, *scale);
  *offset = where(usable, new_offset, *offset);
}

/// The best of trials that are measured, fitted and measured again; lowers *least where one does.
REFINER void try_fits(
  const struct refinement *type, const struct weighted_block *block, int group, trials scale,
  trials offset, float *least, float *best_scale, float *best_offset
) {
  const float *x = block->x + group * type->group_size, *w = block->w + group * type->group_size;
  for (int round = 0; round < 3; round++) {
    struct outcome outcome;
    measure(type, x, w, &scale, &offset, &outcome);
    int best = best_trial(&outcome.error);
    if (outcome.error[best] < *least) {
      *least = outcome.error[best];
      *best_scale = scale[best];
      *best_offset = offset[best];
    }
    fit(type, &outcome, block->sum_x[group], block->sum_w[group], &scale, &offset);
  }
}

/// The scale and offset of a group that would suit it best, were any number possible.
REFINER void ideal(
  const struct refinement *type, const struct weighted_block *block, int group, float *scale,
  float *offset
) {
  const float *x = block->x + group * type->group_size;
  float low = x[0], high = x[0], least = INFINITY;
  for (int i = 1; i < type->group_size; i++) {
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
  }
  *scale = *offset = 0;
  trials ramp;
  for (int i = 0; i < TRIALS; i++) ramp[i] = (float)i;
  if (type->highest_share > 0) {
    if (!type->is_simple && low > 0) low = 0;
    trials steps = spread((float)type->highest - 1) + ramp * spread(type->step);
    trials scales = spread(high - low) / steps;
    try_fits(type, block, group, scales, spread(-low), &least, scale, offset);
    // As many levels beyond the lowest as beyond the highest.
    trials beyond = spread(0.5f) * (steps - spread((float)type->highest));
    try_fits(
      type, block, group, scales, spread(-low) - scales * beyond, &least, scale, offset);
    return;
  }
  float extreme = high > -low ? high : low;
  trials steps = spread(fabsf((float)type->lowest) - 1) + ramp * spread(type->step);
  try_fits(type, block, group, spread(-extreme) / steps, spread(0), &least, scale, offset);
  steps = steps - spread(fabsf((float)type->lowest) - (float)type->highest);
  try_fits(type, block, group, spread(extreme) / steps, spread(0), &least, scale, offset);
}
