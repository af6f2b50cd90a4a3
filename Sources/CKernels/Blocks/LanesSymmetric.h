// `port_search_symmetric` and `port_search_positive` for LANES groups at once.

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
/// Each change waits for the one before, so `ways` vectors, one after the other in x, w and codes, take
/// turns. A lane that had no change in a round has none in the next, so all go on together. `is_positive`: codes are bytes, in which a
/// negative level wraps, and the denominator is tested before the change too.
INLINE void descend(
  int ways, int count, floats low, floats high, int is_positive, const floats *x, const floats *w,
  floats *codes, struct fit_lanes *fits
) {
  ints lowest = to_ints(low), highest = to_ints(high);
  unsigned active = (1u << ways) - 1;
  for (int round = 0; round < 5 && active; round++) {
    unsigned changed = 0;
    for (int i = 0; i < count; i++) {
      for (int way = 0; way < ways; way++) {
        if (!(active >> way & 1)) continue;
        struct fit_lanes fit = fits[way];
        int place = way * count + i;
        floats xi = x[place], wi = w[place], l = codes[place], wx = wi * xi;
        struct fit_lanes other = {fit.xl - wx * l, fit.l2 - wi * l * l};
        mask better = is_less(all(0), other.xl);
        if (is_positive) better = both(better, is_less(all(0), other.l2));
        ints level = limited_ints(nearest_ints(xi * other.l2 / other.xl), lowest, highest);
        floats new_l = to_floats(level);
        better = both(better, is_unequal(new_l, l));
        other.xl = other.xl + wx * new_l;
        other.l2 = other.l2 + wi * new_l * new_l;
        if (!is_positive) better = both(better, is_less(all(0), other.l2));
        better = both(
          better, is_less(fit.xl * fit.xl * other.l2, other.xl * other.xl * fit.l2));
        if (is_positive) new_l = to_floats(and_ints(level, all_int(255)));
        codes[place] = chosen(better, new_l, l);
        fits[way].xl = chosen(better, other.xl, fit.xl);
        fits[way].l2 = chosen(better, other.l2, fit.l2);
        changed |= (unsigned)(bits_of(better) != 0) << way;
      }
    }
    active = changed;
  }
}

INLINE floats scale_of_fit(struct fit_lanes fit) {
  return chosen(is_less(all(0), fit.l2), fit.xl / fit.l2, all(0));
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
  descend(1, count, all(-0x1p30f), all((float)highest), 1, x, w, codes, &fit);
  for (int i = 0; i < count; i++) codes[i] = chosen(negligible, all(0), codes[i]);
  return chosen(negligible, all(0), scale_of_fit(fit));
}
