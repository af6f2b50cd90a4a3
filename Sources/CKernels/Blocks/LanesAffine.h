// `port_search_affine` for LANES groups at once.

/// The results, and what the codes are made from: those of `quantize`.
struct affine_lanes {
  float scale[LANES], offset[LANES];
  float inverse[LANES], least[LANES];
};

/// The sums over the codes l for an inverse scale; keeps the codes as floats.
struct code_sums {
  floats l, l2, xl;
};

INLINE struct code_sums sum_codes(
  int count, const floats *x, const floats *w, floats inverse, floats least, floats highest,
  int is_near, floats *codes
) {
  struct code_sums sums = {all(0), all(0), all(0)};
  for (int i = 0; i < count; i++) {
    floats value = inverse * (x[i] - least);
    floats level = is_near ? rounded(value) : to_floats(nearest_ints(value));
    level = limited_floats(level, all(0), highest);
    codes[i] = level;
    floats wl = w[i] * level;
    sums.l = sums.l + wl;
    sums.l2 = sums.l2 + wl * level;
    sums.xl = sums.xl + wl * x[i];
  }
  return sums;
}

INLINE floats sum_errors(
  int count, const floats *x, const floats *w, const floats *codes, floats scale, floats least,
  int absolute
) {
  floats error = all(0);
  for (int i = 0; i < count; i++) {
    floats difference = scale * codes[i] + least - x[i];
    floats term = difference * difference;
    if (absolute) term = magnitude(difference);
    error = error + w[i] * term;
  }
  return error;
}

/// The lanes where every inverse · (x − least) is far below 2^22: rounding and products are
/// monotonic, so the ends of the range decide.
INLINE mask are_near(floats inverse, floats first, floats last, floats least) {
  floats low = magnitude(inverse * (first - least)), high = magnitude(inverse * (last - least));
  return both(is_less(low, all(2097152)), is_less(high, all(2097152)));
}

INLINE void search_affine(
  int count, int absolute, const struct affine_rule *rule, const floats *x, const floats *w,
  struct affine_lanes *result
) {
  const unsigned every = (1u << LANES) - 1;
  floats first = x[0], last = x[0];
  floats sum_w = w[0], sum_x = sum_w * x[0];
  for (int i = 1; i < count; i++) {
    first = lesser(x[i], first);
    last = greater(x[i], last);
    sum_w = sum_w + w[i];
    sum_x = sum_x + w[i] * x[i];
  }
  floats least = lesser(all(0), first);
  mask is_flat = is_at_most(last, least);
  floats highest = all((float)rule->highest);
  floats inverse = highest / (last - least);
  floats scale = all(1) / inverse;
  floats best_inverse = inverse, best_least = least;
  floats codes[32];
  mask near = either(is_flat, are_near(inverse, first, last, least));
  if (bits_of(near) == every) {
    sum_codes(count, x, w, inverse, least, highest, 1, codes);
  } else {
    sum_codes(count, x, w, inverse, least, highest, 0, codes);
  }
  floats error = sum_errors(count, x, w, codes, scale, least, absolute);
  for (int step = 0; step <= rule->steps; step++) {
    float numerator = rule->first + rule->step * (float)step + (float)rule->highest;
    inverse = all(numerator) / (last - least);
    near = either(is_flat, are_near(inverse, first, last, least));
    struct code_sums sums =
      bits_of(near) == every
      ? sum_codes(count, x, w, inverse, least, highest, 1, codes)
      : sum_codes(count, x, w, inverse, least, highest, 0, codes);
    floats determinant = sum_w * sums.l2 - sums.l * sums.l;
    floats new_scale = (sum_w * sums.xl - sum_x * sums.l) / determinant;
    floats new_least = (sums.l2 * sum_x - sums.l * sums.xl) / determinant;
    mask is_above = is_less(all(0), new_least);
    new_scale = chosen(is_above, sums.xl / sums.l2, new_scale);
    new_least = chosen(is_above, all(0), new_least);
    floats new_error = sum_errors(count, x, w, codes, new_scale, new_least, absolute);
    mask better = both(is_less(all(0), determinant), is_less(new_error, error));
    error = chosen(better, new_error, error);
    scale = chosen(better, new_scale, scale);
    best_inverse = chosen(better, inverse, best_inverse);
    best_least = chosen(better, least, best_least);
    least = chosen(better, new_least, least);
  }
  store(result->scale, chosen(is_flat, all(0), scale));
  store(result->offset, negated(chosen(is_flat, lesser(all(0), first), least)));
  store(result->inverse, chosen(is_flat, all(0), best_inverse));
  store(result->least, chosen(is_flat, all(0), best_least));
}
