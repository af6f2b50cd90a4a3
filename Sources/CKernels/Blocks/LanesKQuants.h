// The K types with LANES groups at once.

enum k_search { AFFINE, SYMMETRIC };

/// What a K type is made of.
struct k_recipe {
  /// Elements of a group.
  int group;
  /// Bytes of a block.
  int bytes;
  enum k_search search;
  const struct affine_rule *rule;
  /// The limit of a symmetric search.
  int limit;
  /// The energy of the weights is Σ x² / 256 times this; 0: weights are the importance itself.
  int energy_factor;
  /// The highest code of a scale.
  int highest_scale;
  k_finish finish;
};

/// The weights without importance: x² for symmetric searches, |x| for groups of 16 and
/// √(Σ x² / 32) + |x| for groups of 32.
INLINE void weigh_plainly(const struct k_recipe *recipe, const floats *x, floats *w) {
  if (recipe->search != AFFINE) {
    for (int i = 0; i < recipe->group; i++) w[i] = x[i] * x[i];
  } else if (recipe->group == 16) {
    for (int i = 0; i < recipe->group; i++) w[i] = magnitude(x[i]);
  } else {
    floats average = all(0);
    for (int i = 0; i < recipe->group; i++) average = average + x[i] * x[i];
    average = root(average / all(32));
    for (int i = 0; i < recipe->group; i++) w[i] = average + magnitude(x[i]);
  }
}

/// Searches LANES groups from group `first` of the batch on.
INLINE void search_k_groups(
  const struct k_recipe *recipe, int has_importance, const struct batch *batch,
  const float *energies, int first, struct k_groups *groups
) {
  int group = recipe->group, group_count = SUPER / group;
  const float *values = batch->values + first * group;
  const float *importance = batch->importance + first * group;
  floats x[32], w[32];
  transpose_groups(values, group, x);
  if (!has_importance) {
    weigh_plainly(recipe, x, w);
  } else if (recipe->energy_factor == 0) {
    transpose_groups(importance, group, w);
  } else {
    float energy[LANES];
    for (int l = 0; l < LANES; l++) energy[l] = energies[(first + l) / group_count];
    weigh_lanes(group, x, importance, load(energy), w);
  }
  struct affine_lanes affine;
  struct symmetric_lanes symmetric;
  float weights[LANES];
  floats sum = all(0);
  if (recipe->search == AFFINE) {
    search_affine(group, recipe->rule->absolute, recipe->rule, x, w, &affine);
  } else {
    search_symmetric(group, recipe->limit, x, w, &symmetric);
  }
  if (has_importance) {
    for (int i = 0; i < group; i++) sum = sum + w[i];
    store(weights, sum);
  }
  for (int l = 0; l < LANES; l++) {
    struct k_groups *block = &groups[(first + l) / group_count];
    int place = (first + l) % group_count;
    uint8_t *to = block->codes + place * group;
    if (has_importance) block->weights[place] = weights[l];
    if (recipe->search == AFFINE) {
      block->scales[place] = affine.scale[l];
      block->offsets[place] = affine.offset[l];
      quantize(
        group, values + l * group, affine.inverse[l], affine.least[l], 0, recipe->rule->highest,
        to);
      continue;
    }
    block->scales[place] = symmetric.scale[l];
    if (symmetric.negligible >> l & 1) {
      memset(to, 0, (size_t)group);
    } else {
      quantize(
        group, values + l * group, symmetric.inverse[l], 0, -recipe->limit, recipe->limit - 1, to);
    }
  }
}

/// Quantizes the scales (or offsets) of a batch of blocks by weighted search.
INLINE void quantize_k_scales(
  const struct k_recipe *recipe, struct k_groups *groups, size_t scales, size_t codes, size_t step
) {
  int count = SUPER / recipe->group;
  const size_t stride = sizeof(struct k_groups) / sizeof(float);
  const float *first = (const float *)((const uint8_t *)groups + scales);
  floats x[16], w[16], levels[16];
  for (int i = 0; i < count; i += LANES) {
    transpose(first + i, stride, x + i);
    transpose(groups[0].weights + i, stride, w + i);
  }
  float steps[LANES];
  struct symmetric_lanes symmetric;
  if (recipe->search == AFFINE) {
    store(steps, search_positive(count, recipe->highest_scale, x, w, levels));
  } else {
    search_symmetric(count, 32, x, w, &symmetric);
    memcpy(steps, symmetric.scale, sizeof steps);
    floats inverse = load(symmetric.inverse);
    for (int i = 0; i < count; i++) {
      floats level = limited_floats(rounded(inverse * x[i]), all(-32), all(31));
      levels[i] = level + all(32);
    }
  }
  for (int i = 0; i < count; i++) {
    uint8_t column[LANES];
    store_bytes(column, to_ints(levels[i]));
    for (int l = 0; l < BATCH; l++) ((uint8_t *)&groups[l])[codes + (size_t)i] = column[l];
  }
  for (int l = 0; l < BATCH; l++) {
    memcpy((uint8_t *)&groups[l] + step, &steps[l], sizeof(float));
    if (recipe->search == SYMMETRIC && symmetric.negligible >> l & 1) {
      memset((uint8_t *)&groups[l] + codes, 0, 16);
    }
  }
}

INLINE void encode_k(
  const struct port_rows *rows, uint8_t *to, const struct k_recipe *recipe, int has_importance
) {
  int group_count = SUPER / recipe->group;
  size_t total = rows->row_count * (rows->row_length / SUPER);
  struct batch batch;
  struct k_groups groups[BATCH];
  float energies[BATCH] = {0};
  memset(groups, 0, sizeof groups);
  for (size_t start = 0; start < total; start += BATCH) {
    int count = total - start < BATCH ? (int)(total - start) : BATCH;
    load_batch(rows, start, count, SUPER, &batch);
    if (has_importance && recipe->energy_factor) {
      floats sums = sums_of_squares(batch.values, SUPER);
      store(energies, all((float)recipe->energy_factor) * sums / all(SUPER));
    }
    // What is searched beyond the last block are the zeros of the batch.
    for (int first = 0; first < count * group_count; first += LANES) {
      search_k_groups(recipe, has_importance, &batch, energies, first, groups);
    }
    if (has_importance && recipe->energy_factor) {
      quantize_k_scales(
        recipe, groups, offsetof(struct k_groups, scales), offsetof(struct k_groups, scale_codes),
        offsetof(struct k_groups, scale_step));
    }
    if (has_importance && recipe->search == AFFINE) {
      quantize_k_scales(
        recipe, groups, offsetof(struct k_groups, offsets),
        offsetof(struct k_groups, offset_codes), offsetof(struct k_groups, offset_step));
    }
    for (int b = 0; b < count; b++) {
      groups[b].has_importance = has_importance;
      groups[b].requantize = requantize;
      recipe->finish(batch.values + b * SUPER, &groups[b], to);
      to += recipe->bytes;
    }
  }
}

/// An encoder with a recipe without importance.
#define K_PLAIN_ENCODER(type, ...) \
  VECTOR static void encode_##type##_plainly(const struct port_rows *rows, uint8_t *to) { \
    const struct k_recipe recipe = {__VA_ARGS__}; \
    encode_k(rows, to, &recipe, 0); \
  }

/// An encoder with a recipe with importance.
#define K_ENCODER(type, ...) \
  VECTOR static void encode_##type( \
    const struct port_rows *rows, void *to, const struct port_codebook *codebook \
  ) { \
    (void)codebook; \
    const struct k_recipe recipe = {__VA_ARGS__}; \
    if (!rows->importance) return encode_##type##_plainly(rows, to); \
    encode_k(rows, to, &recipe, 1); \
  }

K_PLAIN_ENCODER(q2_k, 16, 84, AFFINE, &port_rules_q2_k[0], 0, 0, 15, port_finish_q2_k)
K_PLAIN_ENCODER(q4_k, 32, 144, AFFINE, &port_rules_q4_k[0], 0, 0, 63, port_finish_q4_k)
K_PLAIN_ENCODER(q5_k, 32, 176, AFFINE, &port_rules_q5_k[0], 0, 0, 63, port_finish_q5_k)
K_PLAIN_ENCODER(q6_k, 16, 210, SYMMETRIC, NULL, 32, 0, 0, port_finish_q6_k)

K_ENCODER(q2_k, 16, 84, AFFINE, &port_rules_q2_k[1], 0, 1, 15, port_finish_q2_k)
K_ENCODER(q3_k, 16, 110, SYMMETRIC, NULL, 4, 2, 0, port_finish_q3_k)
K_ENCODER(q4_k, 32, 144, AFFINE, &port_rules_q4_k[1], 0, 2, 63, port_finish_q4_k)
K_ENCODER(q5_k, 32, 176, AFFINE, &port_rules_q5_k[1], 0, 2, 63, port_finish_q5_k)
K_ENCODER(q6_k, 16, 210, SYMMETRIC, NULL, 32, 0, 0, port_finish_q6_k)
