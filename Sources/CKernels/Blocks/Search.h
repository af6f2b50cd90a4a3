#ifndef PORT_SEARCH_H
#define PORT_SEARCH_H

// The searches for the scale of a group of elements, one group at a time.
//
// Sums run over the elements in order. `w` is one weight an element.

#include "Blocks.h"

/// A scale and an offset: x ≈ scale · code − offset.
struct affine {
  float scale, offset;
};

/// x ≈ scale · (code − limit), code in 0 ..< 2·limit, minimising Σ w (x − …)²; returns the scale.
///
/// Tries the scales that put the element of largest magnitude at −limit and near it. Without
/// weights, w = x².
float port_search_symmetric(int count, int limit, const float *x, const float *w, uint8_t *codes);

/// As `port_search_symmetric` with w = x², but improves one code at a time, in at most five rounds.
///
/// A group of zeros gets the codes 0, not `limit`.
float port_search_descent(int count, int limit, const float *x, uint8_t *codes);

/// How `port_search_affine` goes about it.
struct affine_rule {
  int highest;
  /// Tries the inverse scales (highest + first + step · i) / range for i in 0 ... steps.
  float first, step;
  int steps;
  /// The error is Σ w |…| rather than Σ w (…)².
  int absolute;
};

/// x ≈ scale · code − offset, code in 0 ... highest, offset ≥ 0.
struct affine port_search_affine(
  int count, const struct affine_rule *rule, const float *x, const float *w, uint8_t *codes);

/// x ≈ scale · code, code in 0 ... highest, for x that are mostly positive; returns the scale.
float port_search_positive(int count, int highest, const float *x, const float *w, uint8_t *codes);

/// w = importance · √(energy + x²).
static inline void weigh(
  int count, const float *x, const float *importance, float energy, float *w
) {
  for (int i = 0; i < count; i++) w[i] = importance[i] * sqrtf(energy + x[i] * x[i]);
}

#endif
