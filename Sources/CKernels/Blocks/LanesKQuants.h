// The K types with LANES groups at once.

/// The weights without importance: |x| (Q2_K), or √(Σ x² / 32) + |x|.
INLINE void weigh_plainly(int count, const floats *x, floats *w) {
  floats average = all(0);
  if (count == 32) {
    for (int i = 0; i < count; i++) average = average + x[i] * x[i];
    average = root(average / all(32));
  }
  for (int i = 0; i < count; i++) w[i] = count == 32 ? average + magnitude(x[i]) : magnitude(x[i]);
}

/// Q2_K, Q4_K and Q5_K: groups of `group` elements with scale and offset.
INLINE void encode_affine_k(
  const struct port_rows *rows, uint8_t *to, int group, int bytes,
  const struct affine_rule *rules, float energy_factor, k_finish finish
) {
  int has_importance = rows->importance != NULL;
  const struct affine_rule *rule = &rules[has_importance];
  int group_count = SUPER / group;
  size_t total = rows->row_count * (rows->row_length / SUPER);
  struct batch batch;
  for (size_t start = 0; start < total; start += BATCH) {
    int count = total - start < BATCH ? (int)(total - start) : BATCH;
    load_batch(rows, start, count, SUPER, &batch);
    struct k_groups groups[BATCH];
    float energies[BATCH];
    if (has_importance) {
      floats sums = sums_of_squares(batch.values, SUPER);
      store(energies, all(energy_factor) * sums / all(SUPER));
    }
    for (int g = 0; g < count * group_count; g += LANES) {
      floats x[32], w[32];
      struct affine_lanes result;
      transpose_groups(batch.values + g * group, group, x);
      if (has_importance) {
        float energy[LANES];
        for (int l = 0; l < LANES; l++) energy[l] = energies[(g + l) / group_count];
        weigh_lanes(group, x, batch.importance + g * group, load(energy), w);
      } else {
        weigh_plainly(group, x, w);
      }
      if (rule->absolute) {
        search_affine(group, 1, rule, x, w, &result);
      } else {
        search_affine(group, 0, rule, x, w, &result);
      }
      float weights[LANES];
      floats sum = all(0);
      for (int i = 0; i < group; i++) sum = sum + w[i];
      store(weights, sum);
      for (int l = 0; l < LANES; l++) {
        struct k_groups *block = &groups[(g + l) / group_count];
        int place = (g + l) % group_count;
        block->scales[place] = result.scale[l];
        block->offsets[place] = result.offset[l];
        block->weights[place] = weights[l];
        quantize(
          group, batch.values + (g + l) * group, result.inverse[l], result.least[l], 0,
          rule->highest, block->codes + place * group);
      }
    }
    for (int b = 0; b < count; b++) {
      groups[b].has_importance = has_importance;
      groups[b].requantize = requantize;
      finish(batch.values + b * SUPER, &groups[b], to);
      to += bytes;
    }
  }
}

VECTOR static void encode_q2_k(
  const struct port_rows *rows, void *to, const struct port_codebook *codebook
) {
  (void)codebook;
  encode_affine_k(rows, to, 16, 84, port_rules_q2_k, 1, port_finish_q2_k);
}

VECTOR static void encode_q4_k(
  const struct port_rows *rows, void *to, const struct port_codebook *codebook
) {
  (void)codebook;
  encode_affine_k(rows, to, 32, 144, port_rules_q4_k, 2, port_finish_q4_k);
}

VECTOR static void encode_q5_k(
  const struct port_rows *rows, void *to, const struct port_codebook *codebook
) {
  (void)codebook;
  encode_affine_k(rows, to, 32, 176, port_rules_q5_k, 2, port_finish_q5_k);
}
