#include "Search.h"

/// The element of the largest magnitude, the first of equals; 0 when none is above 0.
static float extreme(int count, const float *x) {
  float most = 0, value = 0;
  for (int i = 0; i < count; i++) {
    if (fabsf(x[i]) > most) {
      most = fabsf(x[i]);
      value = x[i];
    }
  }
  return value;
}

/// The numerator and denominator of the best scale for given codes.
struct fit {
  float xl, l2;
};

static struct fit symmetric_fit(int count, int limit, const float *x, const float *w, float inverse) {
  struct fit fit = {0, 0};
  for (int i = 0; i < count; i++) {
    float l = (float)limited(nearest(inverse * x[i]), -limit, limit - 1);
    float weight = w ? w[i] : x[i] * x[i];
    fit.xl += weight * x[i] * l;
    fit.l2 += weight * l * l;
  }
  return fit;
}

float port_search_symmetric(int count, int limit, const float *x, const float *w, uint8_t *codes) {
  float most = extreme(count, x);
  if (fabsf(most) < NEGLIGIBLE) {
    memset(codes, 0, (size_t)count);
    return 0;
  }
  float inverse = (float)-limit / most;
  struct fit fit = symmetric_fit(count, limit, x, w, inverse);
  float scale = fit.l2 != 0 ? fit.xl / fit.l2 : 0;
  float best = scale * fit.xl;
  for (int step = -9; step <= 9; step++) {
    if (step == 0) continue;
    float candidate = -((float)limit + 0.1f * (float)step) / most;
    fit = symmetric_fit(count, limit, x, w, candidate);
    if (fit.l2 > 0 && fit.xl * fit.xl > best * fit.l2) {
      inverse = candidate;
      scale = fit.xl / fit.l2;
      best = scale * fit.xl;
    }
  }
  for (int i = 0; i < count; i++) {
    codes[i] = (uint8_t)(limit + limited(nearest(inverse * x[i]), -limit, limit - 1));
  }
  return scale;
}

float port_search_descent(int count, int limit, const float *x, uint8_t *codes) {
  float most = extreme(count, x);
  memset(codes, 0, (size_t)count);
  if (fabsf(most) < NEGLIGIBLE) return 0;
  float inverse = (float)-limit / most;
  int levels[SUPER];
  float xl = 0, l2 = 0;
  for (int i = 0; i < count; i++) {
    levels[i] = limited(nearest(inverse * x[i]), -limit, limit - 1);
    float l = (float)levels[i], w = x[i] * x[i];
    xl += w * x[i] * l;
    l2 += w * l * l;
  }
  for (int round = 0; round < 5; round++) {
    int changed = 0;
    for (int i = 0; i < count; i++) {
      float l = (float)levels[i], w = x[i] * x[i];
      float other_xl = xl - w * x[i] * l;
      if (!(other_xl > 0)) continue;
      float other_l2 = l2 - w * l * l;
      int level = limited(nearest(x[i] * other_l2 / other_xl), -limit, limit - 1);
      if (level == levels[i]) continue;
      l = (float)level;
      other_xl += w * x[i] * l;
      other_l2 += w * l * l;
      if (other_l2 > 0 && other_xl * other_xl * l2 > xl * xl * other_l2) {
        levels[i] = level;
        xl = other_xl;
        l2 = other_l2;
        changed = 1;
      }
    }
    if (!changed) break;
  }
  for (int i = 0; i < count; i++) codes[i] = (uint8_t)(levels[i] + limit);
  return l2 > 0 ? xl / l2 : 0;
}

static float affine_error(
  int count, const float *x, const float *w, const uint8_t *codes, float scale, float least,
  int absolute
) {
  float error = 0;
  for (int i = 0; i < count; i++) {
    float difference = scale * (float)codes[i] + least - x[i];
    difference = absolute ? fabsf(difference) : difference * difference;
    error += w[i] * difference;
  }
  return error;
}

struct affine port_search_affine(
  int count, const struct affine_rule *rule, const float *x, const float *w, uint8_t *codes
) {
  float least = x[0], most = x[0];
  float sum_w = w[0], sum_x = sum_w * x[0];
  for (int i = 1; i < count; i++) {
    if (x[i] < least) least = x[i];
    if (x[i] > most) most = x[i];
    sum_w += w[i];
    sum_x += w[i] * x[i];
  }
  if (least > 0) least = 0;
  memset(codes, 0, (size_t)count);
  if (most <= least) return (struct affine){0, -least};
  float highest = (float)rule->highest;
  float inverse = highest / (most - least);
  float scale = 1 / inverse;
  for (int i = 0; i < count; i++) {
    codes[i] = (uint8_t)limited(nearest(inverse * (x[i] - least)), 0, rule->highest);
  }
  float error = affine_error(count, x, w, codes, scale, least, rule->absolute);
  for (int step = 0; step <= rule->steps; step++) {
    uint8_t candidate[32];
    float sum_l = 0, sum_l2 = 0, sum_xl = 0;
    inverse = (rule->first + rule->step * (float)step + highest) / (most - least);
    for (int i = 0; i < count; i++) {
      candidate[i] = (uint8_t)limited(nearest(inverse * (x[i] - least)), 0, rule->highest);
      float l = (float)candidate[i];
      sum_l += w[i] * l;
      sum_l2 += w[i] * l * l;
      sum_xl += w[i] * l * x[i];
    }
    float determinant = sum_w * sum_l2 - sum_l * sum_l;
    if (!(determinant > 0)) continue;
    float new_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
    float new_least = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
    if (new_least > 0) {
      new_least = 0;
      new_scale = sum_xl / sum_l2;
    }
    float new_error =
      affine_error(count, x, w, candidate, new_scale, new_least, rule->absolute);
    if (new_error < error) {
      memcpy(codes, candidate, (size_t)count);
      error = new_error;
      scale = new_scale;
      // The following steps measure the range from here.
      least = new_least;
    }
  }
  return (struct affine){scale, -least};
}

float port_search_positive(int count, int highest, const float *x, const float *w, uint8_t *codes) {
  float most = 0;
  for (int i = 0; i < count; i++) {
    if (x[i] > most) most = x[i];
  }
  memset(codes, 0, (size_t)count);
  if (most < NEGLIGIBLE) return 0;
  float inverse = (float)highest / most;
  float scale = 1 / inverse;
  float error = 0;
  for (int i = 0; i < count; i++) {
    // A negative level wraps to a large code, here and below.
    float difference = x[i] - scale * (float)(uint8_t)nearest(inverse * x[i]);
    error += w[i] * difference * difference;
  }
  for (int step = -4; step <= 4; step++) {
    if (step == 0) continue;
    float candidate = (0.1f * (float)step + (float)highest) / most;
    float new_scale = 1 / candidate;
    float new_error = 0;
    for (int i = 0; i < count; i++) {
      int l = nearest(candidate * x[i]);
      float difference = x[i] - new_scale * (float)(l < highest ? l : highest);
      new_error += w[i] * difference * difference;
    }
    if (new_error < error) {
      error = new_error;
      inverse = candidate;
    }
  }
  float xl = 0, l2 = 0;
  for (int i = 0; i < count; i++) {
    int l = nearest(inverse * x[i]);
    if (l > highest) l = highest;
    codes[i] = (uint8_t)l;
    xl += w[i] * x[i] * (float)l;
    l2 += w[i] * (float)l * (float)l;
  }
  for (int round = 0; round < 5; round++) {
    int changed = 0;
    for (int i = 0; i < count; i++) {
      float l = (float)codes[i];
      float other_xl = xl - w[i] * x[i] * l;
      float other_l2 = l2 - w[i] * l * l;
      if (!(other_xl > 0 && other_l2 > 0)) continue;
      int level = nearest(x[i] * other_l2 / other_xl);
      if (level > highest) level = highest;
      if (level == codes[i]) continue;
      l = (float)level;
      other_xl += w[i] * x[i] * l;
      other_l2 += w[i] * l * l;
      if (other_xl * other_xl * l2 > xl * xl * other_l2) {
        codes[i] = (uint8_t)level;
        xl = other_xl;
        l2 = other_l2;
        changed = 1;
      }
    }
    if (!changed) break;
  }
  return l2 > 0 ? xl / l2 : 0;
}
