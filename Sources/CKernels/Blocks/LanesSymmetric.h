// `port_search_symmetric`, `port_search_descent` and `port_search_positive` for LANES groups at once.

/// The results, and what the codes are made from: those of `quantize`, unless the group is
/// negligible, whose codes are 0.
struct symmetric_lanes {
  float scale[LANES];
  float inverse[LANES];
  unsigned negligible;
};

struct fit_lanes {
  floats xl, l2;
};

/// The element of the largest magnitude, the first of equals; 0 when none is above 0.
INLINE floats extreme_of(int count, const floats *x) {
  floats most = all(0), value = all(0);
  for (int i = 0; i < count; i++) {
    mask is_more = is_less(most, magnitude(x[i]));
    most = chosen(is_more, magnitude(x[i]), most);
    value = chosen(is_more, x[i], value);
  }
  return value;
}

/// Products are at most a little above the limit, so plain rounding is exact.
INLINE struct fit_lanes fit_symmetric(
  int count, int limit, const floats *x, const floats *w, const floats *wx, floats inverse
) {
  floats low = all((float)-limit), high = all((float)(limit - 1));
  struct fit_lanes fit = {all(0), all(0)};
  for (int i = 0; i < count; i++) {
    floats l = limited_floats(rounded(inverse * x[i]), low, high);
    fit.xl = fit.xl + wx[i] * l;
    fit.l2 = fit.l2 + w[i] * l * l;
  }
  return fit;
}

INLINE void search_symmetric(
  int count, int limit, const floats *x, const floats *w, struct symmetric_lanes *result
) {
  floats wx[32];
  for (int i = 0; i < count; i++) wx[i] = w[i] * x[i];
  floats most = extreme_of(count, x);
  mask negligible = is_less(magnitude(most), all(NEGLIGIBLE));
  floats inverse = all((float)-limit) / most;
  struct fit_lanes fit = fit_symmetric(count, limit, x, w, wx, inverse);
  floats scale = chosen(is_unequal(fit.l2, all(0)), fit.xl / fit.l2, all(0));
  floats best = scale * fit.xl;
  for (int step = -9; step <= 9; step++) {
    if (step == 0) continue;
    floats candidate = all(-((float)limit + 0.1f * (float)step)) / most;
    fit = fit_symmetric(count, limit, x, w, wx, candidate);
    mask better =
      both(is_less(all(0), fit.l2), is_less(best * fit.l2, fit.xl * fit.xl));
    inverse = chosen(better, candidate, inverse);
    scale = chosen(better, fit.xl / fit.l2, scale);
    best = chosen(better, scale * fit.xl, best);
  }
  store(result->scale, chosen(negligible, all(0), scale));
  store(result->inverse, inverse);
  result->negligible = bits_of(negligible);
}

/// Changes codes one at a time while that improves the fit, in at most five rounds.
///
/// A lane that had no change in a round has none in the next, so all go on together.
INLINE struct fit_lanes descend(
  int count, floats low, floats high, int needs_l2, const floats *x, const floats *w, floats *codes,
  struct fit_lanes fit
) {
  ints lowest = to_ints(low), highest = to_ints(high);
  for (int round = 0; round < 5; round++) {
    unsigned changed = 0;
    for (int i = 0; i < count; i++) {
      floats l = codes[i], wx = w[i] * x[i];
      struct fit_lanes other = {fit.xl - wx * l, fit.l2 - w[i] * l * l};
      mask better = is_less(all(0), other.xl);
      if (needs_l2) better = both(better, is_less(all(0), other.l2));
      ints level = limited_ints(nearest_ints(x[i] * other.l2 / other.xl), lowest, highest);
      l = to_floats(level);
      better = both(better, is_unequal(l, codes[i]));
      other.xl = other.xl + wx * l;
      other.l2 = other.l2 + w[i] * l * l;
      if (!needs_l2) better = both(better, is_less(all(0), other.l2));
      better = both(
        better, is_less(fit.xl * fit.xl * other.l2, other.xl * other.xl * fit.l2));
      // Codes are bytes, and a negative one wraps where none is expected.
      if (needs_l2) l = to_floats(and_ints(level, all_int(255)));
      codes[i] = chosen(better, l, codes[i]);
      fit.xl = chosen(better, other.xl, fit.xl);
      fit.l2 = chosen(better, other.l2, fit.l2);
      changed |= bits_of(better);
    }
    if (!changed) break;
  }
  return fit;
}

/// Writes code i of lane l to codes[l][i].
INLINE void search_descent(
  int count, int limit, const floats *x, float *scales, uint8_t codes[LANES][16]
) {
  floats w[16], levels[16];
  floats low = all((float)-limit), high = all((float)(limit - 1));
  floats most = extreme_of(count, x);
  mask negligible = is_less(magnitude(most), all(NEGLIGIBLE));
  floats inverse = all((float)-limit) / most;
  struct fit_lanes fit = {all(0), all(0)};
  for (int i = 0; i < count; i++) {
    w[i] = x[i] * x[i];
    levels[i] = limited_floats(rounded(inverse * x[i]), low, high);
    fit.xl = fit.xl + w[i] * x[i] * levels[i];
    fit.l2 = fit.l2 + w[i] * levels[i] * levels[i];
  }
  fit = descend(count, low, high, 0, x, w, levels, fit);
  floats scale = chosen(is_less(all(0), fit.l2), fit.xl / fit.l2, all(0));
  store(scales, chosen(negligible, all(0), scale));
  for (int i = 0; i < count; i++) {
    uint8_t column[LANES];
    floats code = chosen(negligible, all(0), levels[i] + all((float)limit));
    store_bytes(column, to_ints(code));
    for (int l = 0; l < LANES; l++) codes[l][i] = column[l];
  }
}

/// Leaves code i of each lane in codes[i]; returns the scales.
INLINE floats search_positive(
  int count, int highest, const floats *x, const floats *w, floats *codes
) {
  ints lowest = all_int(-0x7FFFFFFF), limit = all_int(highest);
  floats most = all(0);
  for (int i = 0; i < count; i++) most = greater(x[i], most);
  mask negligible = is_less(most, all(NEGLIGIBLE));
  floats inverse = all((float)highest) / most;
  floats scale = all(1) / inverse, error = all(0);
  for (int i = 0; i < count; i++) {
    ints level = and_ints(nearest_ints(inverse * x[i]), all_int(255));
    floats difference = x[i] - scale * to_floats(level);
    error = error + w[i] * difference * difference;
  }
  for (int step = -4; step <= 4; step++) {
    if (step == 0) continue;
    floats candidate = all(0.1f * (float)step + (float)highest) / most;
    floats new_scale = all(1) / candidate, new_error = all(0);
    for (int i = 0; i < count; i++) {
      ints level = limited_ints(nearest_ints(candidate * x[i]), lowest, limit);
      floats difference = x[i] - new_scale * to_floats(level);
      new_error = new_error + w[i] * difference * difference;
    }
    mask better = is_less(new_error, error);
    error = chosen(better, new_error, error);
    inverse = chosen(better, candidate, inverse);
  }
  struct fit_lanes fit = {all(0), all(0)};
  for (int i = 0; i < count; i++) {
    ints level = limited_ints(nearest_ints(inverse * x[i]), lowest, limit);
    floats l = to_floats(level);
    codes[i] = to_floats(and_ints(level, all_int(255)));
    fit.xl = fit.xl + w[i] * x[i] * l;
    fit.l2 = fit.l2 + w[i] * l * l;
  }
  fit = descend(count, all(-0x1p30f), all((float)highest), 1, x, w, codes, fit);
  for (int i = 0; i < count; i++) codes[i] = chosen(negligible, all(0), codes[i]);
  scale = chosen(is_less(all(0), fit.l2), fit.xl / fit.l2, all(0));
  return chosen(negligible, all(0), scale);
}
