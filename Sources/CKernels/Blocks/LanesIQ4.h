// IQ4_NL and IQ4_XS with LANES groups at once.

#include "IQ4.h"

/// The values of the codes.
static const float iq4_values[16] = {
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};

/// Halfway between the values, as a binary tree: below entry k lie 2 k and 2 k + 1.
///
/// The differences that the portable search compares are exact near the middle, so whether x is
/// below it decides.
static const float iq4_middles[16] = {
  0, -4.5f, -57, 45.5f, -93.5f, -28.5f, 19, 79,
  -115.5f, -74, -42, -16, 7, 31.5f, 61, 101,
};

/// Codes in the lowest four bits.
INLINE ints iq4_codes(floats x) {
  ints k = doubled_plus(all_int(1), is_not_less(x, all(iq4_middles[1])));
  k = doubled_plus(k, is_not_less(x, looked_up_in_8(iq4_middles, k)));
  k = doubled_plus(k, is_not_less(x, looked_up_in_8(iq4_middles, k)));
  return doubled_plus(k, is_not_less(x, looked_up_in_8(iq4_middles + 8, k)));
}

VECTOR static void requantize_iq4(const float *x, float inverse, uint8_t *codes) {
  for (int i = 0; i < 32; i += LANES) {
    store_bytes(codes + i, and_ints(iq4_codes(all(inverse) * load(x + i)), all_int(15)));
  }
}

INLINE floats search_iq4(const floats *x, const floats *w) {
  floats extreme = extreme_of(32, x), scale = all(0), best = all(0);
  mask negligible = is_less(magnitude(extreme), all(NEGLIGIBLE));
  for (int step = -8; step <= 7; step++) {
    floats inverse =
      step == -8
      ? all(1) / (negated(extreme) / all(iq4_values[0]))
      : all((float)step + iq4_values[0]) / extreme;
    floats qx = all(0), q2 = all(0);
    for (int i = 0; i < 32; i++) {
      floats q = looked_up(iq4_values, iq4_codes(inverse * x[i]));
      floats wq = w[i] * q;
      qx = qx + wq * x[i];
      q2 = q2 + wq * q;
    }
    mask is_positive = is_less(all(0), q2);
    floats new_scale = qx / q2;
    if (step == -8) {
      scale = chosen(is_positive, new_scale, all(0));
      best = scale * qx;
    } else {
      mask better = both(is_positive, is_less(best * q2, qx * qx));
      scale = chosen(better, new_scale, scale);
      best = chosen(better, scale * qx, best);
    }
  }
  return chosen(negligible, all(0), scale);
}

/// Blocks of `elements`: 32 (IQ4_NL) or 256 (IQ4_XS).
INLINE void encode_iq4(
  const struct port_rows *rows, uint8_t *to, int elements, int has_importance
) {
  int group_count = elements / 32;
  size_t total = rows->row_count * (rows->row_length / (size_t)elements);
  struct batch batch;
  float energies[BATCH] = {0}, scales[BATCH * 8];
  for (size_t start = 0; start < total; start += BATCH) {
    int count = total - start < BATCH ? (int)(total - start) : BATCH;
    load_batch(rows, start, count, elements, &batch);
    if (has_importance) {
      store(energies, sums_of_squares(batch.values, elements) * all(2.0f / (float)elements));
    }
    for (int first = 0; first < count * group_count; first += LANES) {
      floats x[32], w[32];
      transpose_groups(batch.values + first * 32, 32, x);
      if (has_importance) {
        float energy[LANES];
        for (int l = 0; l < LANES; l++) energy[l] = energies[(first + l) / group_count];
        weigh_lanes(32, x, batch.importance + first * 32, load(energy), w);
      } else {
        for (int i = 0; i < 32; i++) w[i] = x[i] * x[i];
      }
      store(scales + first, search_iq4(x, w));
    }
    for (int b = 0; b < count; b++) {
      if (elements == 32) {
        port_finish_iq4_nl(batch.values + b * 32, scales[b], requantize_iq4, to);
        to += 18;
      } else {
        port_finish_iq4_xs(batch.values + b * SUPER, scales + b * 8, requantize_iq4, to);
        to += 136;
      }
    }
  }
}

#define IQ4_ENCODER(type, elements) \
  VECTOR static void encode_##type##_plainly(const struct port_rows *rows, uint8_t *to) { \
    encode_iq4(rows, to, elements, 0); \
  } \
  VECTOR static void encode_##type( \
    const struct port_rows *rows, void *to, const struct port_codebook *codebook \
  ) { \
    (void)codebook; \
    if (!rows->importance) return encode_##type##_plainly(rows, to); \
    encode_iq4(rows, to, elements, 1); \
  }

IQ4_ENCODER(iq4_nl, 32)
IQ4_ENCODER(iq4_xs, SUPER)
