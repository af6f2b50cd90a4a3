// Q3_K without importance: `port_search_descent` for LANES groups at once.
//
// Four of five groups of real weights cannot descend at all, which needs no search to see. In a search
// each change waits for the one before, so the other groups are collected until there are several
// vectors of them, which take turns.

/// Codes, as floats, and fit from which `descend` starts, for weights x².
INLINE struct fit_lanes begin_descent(
  int count, int limit, const floats *x, floats inverse, floats *w, floats *codes
) {
  floats low = all((float)-limit), high = all((float)(limit - 1));
  struct fit_lanes fit = {all(0), all(0)};
  for (int i = 0; i < count; i++) {
    floats l = limited_floats(rounded(inverse * x[i]), low, high);
    w[i] = x[i] * x[i];
    fit.xl = fit.xl + w[i] * x[i] * l;
    fit.l2 = fit.l2 + w[i] * l * l;
    codes[i] = l;
  }
  return fit;
}

/// The lanes that `descend` may change: those that it changes and few others.
///
/// Until the first change no element waits for another.
INLINE unsigned may_descend(
  int count, int limit, const floats *x, const floats *w, const floats *codes, struct fit_lanes fit
) {
  floats low = all((float)-limit), high = all((float)(limit - 1));
  mask any = is_less(all(0), all(0));
  for (int i = 0; i < count; i++) {
    floats l = codes[i];
    struct fit_lanes other = {fit.xl - w[i] * x[i] * l, fit.l2 - w[i] * l * l};
    floats ideal = x[i] * other.l2 / other.xl;
    // Beyond 2^22 `nearest` takes low bits of the sum.
    mask is_other = either(
      is_not_less(magnitude(limited_floats(ideal, low, high) - l), all(0.5f)),
      is_not_less(magnitude(ideal), all(2097152)));
    any = either(any, both(is_less(all(0), other.xl), is_other));
  }
  return bits_of(any);
}

enum {
  DESCENT_BLOCKS = 32,
  /// Vectors that take turns.
  WAYS = 8,
  /// The first code of a group whose codes are those where the search starts, and not made: they
  /// matter only where the scale of the group is stored as 0.
  NOT_MADE = 255,
};

struct descent_batch {
  float values[DESCENT_BLOCKS * SUPER];
  struct k_groups groups[DESCENT_BLOCKS];
  /// Groups to search.
  int searched[DESCENT_BLOCKS * 16];
  int searched_count;
};

/// The scales of LANES groups where the search starts; notes which of them it may change.
INLINE void start_descents(int limit, int first, struct descent_batch *batch) {
  struct k_groups *block = &batch->groups[first / 16];
  const float *values = batch->values + first * 16;
  floats x[16], w[16], codes[16];
  transpose_groups(values, 16, x);
  floats most = extreme_of(16, x), inverse = all((float)-limit) / most;
  mask is_negligible = is_less(magnitude(most), all(NEGLIGIBLE));
  unsigned negligible = bits_of(is_negligible);
  struct fit_lanes fit = begin_descent(16, limit, x, inverse, w, codes);
  store(block->scales + first % 16, chosen(is_negligible, all(0), scale_of_fit(fit)));
  for (int l = 0; l < LANES; l++) block->codes[(first % 16 + l) * 16] = NOT_MADE;
  unsigned searched = may_descend(16, limit, x, w, codes, fit) & ~negligible;
  for (; searched; searched &= searched - 1) {
    batch->searched[batch->searched_count++] = first + __builtin_ctz(searched);
  }
}

/// Scales and codes of up to WAYS · LANES groups that are searched.
INLINE void finish_descents(
  int limit, const int *searched, int count, struct descent_batch *batch
) {
  float values[WAYS * LANES * 16];
  floats x[WAYS * 16], w[WAYS * 16], codes[WAYS * 16];
  struct fit_lanes fits[WAYS];
  int ways = (count + LANES - 1) / LANES;
  memset(values, 0, sizeof values);
  for (int i = 0; i < count; i++) {
    memcpy(values + i * 16, batch->values + searched[i] * 16, 64);
  }
  for (int way = 0; way < ways; way++) {
    floats *own = x + 16 * way;
    transpose_groups(values + way * LANES * 16, 16, own);
    floats inverse = all((float)-limit) / extreme_of(16, own);
    fits[way] = begin_descent(16, limit, own, inverse, w + 16 * way, codes + 16 * way);
  }
  descend(ways, 16, all((float)-limit), all((float)(limit - 1)), 0, x, w, codes, fits);
  for (int way = 0; way < ways; way++) {
    float scales[LANES];
    uint8_t bytes[LANES][16];
    store(scales, scale_of_fit(fits[way]));
    for (int i = 0; i < 16; i += LANES) {
      floats rows[LANES];
      transpose((const float *)(codes + 16 * way + i), LANES, rows);
      for (int l = 0; l < LANES; l++) {
        store_bytes(bytes[l] + i, to_ints(rows[l] + all((float)limit)));
      }
    }
    for (int l = 0; l < LANES && way * LANES + l < count; l++) {
      int group = searched[way * LANES + l];
      struct k_groups *block = &batch->groups[group / 16];
      block->scales[group % 16] = scales[l];
      memcpy(block->codes + group % 16 * 16, bytes[l], 16);
    }
  }
}

/// The codes where the search of a group starts.
VECTOR static void make_codes(int limit, const float *x, uint8_t *codes) {
  float most = 0;
  for (int i = 0; i < 16; i++) {
    if (fabsf(x[i]) > fabsf(most)) most = x[i];
  }
  if (fabsf(most) < NEGLIGIBLE) {
    memset(codes, 0, 16);
  } else {
    quantize(16, x, (float)-limit / most, 0, -limit, limit - 1, codes);
  }
}

/// `requantize`, and the codes that stay where they were not made.
VECTOR static void requantize_descended(
  int count, const float *x, const float *scales, const float *offsets, int low, int high,
  uint8_t *codes
) {
  for (int i = 0; i < 16; i++) {
    uint8_t *own = codes + 16 * i;
    if (scales[i] == 0 && *own == NOT_MADE) make_codes(high + 1, x + 16 * i, own);
  }
  requantize(count, x, scales, offsets, low, high, codes);
}

VECTOR static void encode_q3_k_plainly(const struct port_rows *rows, uint8_t *to) {
  const uint8_t *from = rows->values;
  size_t total = rows->row_count * (rows->row_length / SUPER);
  struct descent_batch batch;
  memset(batch.groups, 0, sizeof batch.groups);
  for (size_t start = 0; start < total; start += DESCENT_BLOCKS) {
    int count = total - start < DESCENT_BLOCKS ? (int)(total - start) : DESCENT_BLOCKS;
    memcpy(batch.values, from, (size_t)count * SUPER * sizeof(float));
    from += (size_t)count * SUPER * sizeof(float);
    batch.searched_count = 0;
    for (int first = 0; first < count * 16; first += LANES) start_descents(4, first, &batch);
    for (int first = 0; first < batch.searched_count; first += WAYS * LANES) {
      int left = batch.searched_count - first;
      finish_descents(
        4, batch.searched + first, left < WAYS * LANES ? left : WAYS * LANES, &batch);
    }
    for (int b = 0; b < count; b++, to += 110) {
      batch.groups[b].requantize = requantize_descended;
      port_finish_q3_k(batch.values + b * SUPER, &batch.groups[b], to);
    }
  }
}
