// IQ1, IQ2 and IQ3, whose magnitudes come from the points of a codebook.

/// Eight signs from seven: the last makes their number even.
DECODER unsigned even_signs(unsigned code) {
  return code | (unsigned)(__builtin_popcount(code) & 1) << 7;
}

/// y = scale · ±magnitude, with the magnitudes 8, 25 and 43 of IQ2.
DECODER void decode_iq2_point(
  float scale, unsigned point, unsigned signs, loose_float *restrict y
) {
  for (int i = 0; i < 8; i++) {
    int level = point >> 2 * i & 3;
    float value = scale * (float)(8 + 17 * level + (level >> 1));
    y[i] = signs >> i & 1 ? -value : value;
  }
}

/// y = d · (½ + scale) / 4 · ±magnitude.
DECODER void decode_block_iq2_xxs(const uint8_t *restrict from, loose_float *restrict y) {
  const struct iq2_xxs *block = (const struct iq2_xxs *)from;
  float scale = load_half(block->scale);
  for (int i = 0; i < 8; i++) {
    uint32_t tail;
    memcpy(&tail, block->groups[i] + 4, 4);
    float group_scale = scale * (0.5f + (float)(tail >> 28)) * 0.25f;
    for (int k = 0; k < 4; k++) {
      decode_iq2_point(
        group_scale, port_points_iq2_xxs[block->groups[i][k]], even_signs(tail >> 7 * k & 127),
        y + 32 * i + 8 * k);
    }
  }
}

DECODER float iq2_scale(float scale, const uint8_t *scales, int point) {
  return scale * (0.5f + (float)(scales[point / 4] >> point / 2 % 2 * 4 & 15)) * 0.25f;
}

DECODER void decode_block_iq2_xs(const uint8_t *restrict from, loose_float *restrict y) {
  const struct iq2_xs *block = (const struct iq2_xs *)from;
  float scale = load_half(block->scale);
  for (int i = 0; i < 32; i++) {
    unsigned point = (unsigned)block->points[i][0] | (unsigned)block->points[i][1] << 8;
    decode_iq2_point(
      iq2_scale(scale, block->scales, i), port_points_iq2_xs[point & 511], even_signs(point >> 9),
      y + 8 * i);
  }
}

DECODER void decode_block_iq2_s(const uint8_t *restrict from, loose_float *restrict y) {
  const struct iq2_s *block = (const struct iq2_s *)from;
  float scale = load_half(block->scale);
  for (int i = 0; i < 32; i++) {
    unsigned point = block->points[i] | (unsigned)(block->high[i / 4] >> i % 4 * 2 & 3) << 8;
    decode_iq2_point(
      iq2_scale(scale, block->scales, i), port_points_iq2_s[point], block->signs[i], y + 8 * i);
  }
}

/// y = d · (½ + scale) / 2 · ±magnitude, with the magnitudes 4, 12, 20, 28, 36, 44, 52 and 62.
DECODER void decode_block_iq3_xxs(const uint8_t *restrict from, loose_float *restrict y) {
  const struct iq3_xxs *block = (const struct iq3_xxs *)from;
  float scale = load_half(block->scale);
  for (int i = 0; i < 32; i++) {
    uint32_t tail;
    memcpy(&tail, block->tails[i / 4], 4);
    float group_scale = scale * (0.5f + (float)(tail >> 28)) * 0.5f;
    unsigned signs = even_signs(tail >> i % 4 * 7 & 127);
    // Three bits for each of eight elements.
    unsigned points = port_points_iq3_xxs[block->points[2 * i]]
      | (unsigned)port_points_iq3_xxs[block->points[2 * i + 1]] << 12;
    for (int l = 0; l < 8; l++) {
      int level = points >> 3 * l & 7;
      float value = group_scale * (float)(4 + 8 * level + ((level + 1) >> 3) * 2);
      y[8 * i + l] = signs >> l & 1 ? -value : value;
    }
  }
}

/// y = d · (1 + 2 scale) · ±(2 level + 1).
DECODER void decode_block_iq3_s(const uint8_t *restrict from, loose_float *restrict y) {
  const struct iq3_s *block = (const struct iq3_s *)from;
  float scale = load_half(block->scale);
  for (int i = 0; i < 32; i++) {
    float group_scale = scale * (float)(1 + 2 * (block->scales[i / 8] >> i / 4 % 2 * 4 & 15));
    unsigned high = block->high[i / 4] >> i % 4 * 2, signs = block->signs[i];
    unsigned first = block->points[2 * i] | (high & 1) << 8;
    unsigned second = block->points[2 * i + 1] | (high >> 1 & 1) << 8;
    unsigned points = port_points_iq3_s[first] | (unsigned)port_points_iq3_s[second] << 12;
    for (int l = 0; l < 8; l++) {
      float value = group_scale * (float)(2 * (points >> 3 * l & 7) + 1);
      y[8 * i + l] = signs >> l & 1 ? -value : value;
    }
  }
}

/// y = d · (2 scale + 1) · (level − 1 ± ⅛).
DECODER void decode_iq1_point(
  float scale, unsigned index, int down, loose_float *restrict y
) {
  float moved = down ? -0.125f : 0.125f;
  unsigned point = port_points_iq1[index];
  for (int i = 0; i < 8; i++) y[i] = scale * ((float)((int)(point >> 2 * i & 3) - 1) + moved);
}

DECODER void decode_block_iq1_s(const uint8_t *restrict from, loose_float *restrict y) {
  const struct iq1_s *block = (const struct iq1_s *)from;
  float scale = load_half(block->scale);
  for (int i = 0; i < 8; i++) {
    unsigned high = (unsigned)block->high[i][0] | (unsigned)block->high[i][1] << 8;
    float group_scale = scale * (float)(2 * (high >> 12 & 7) + 1);
    for (int k = 0; k < 4; k++) {
      unsigned index = block->points[4 * i + k] | (high >> 3 * k & 7) << 8;
      decode_iq1_point(group_scale, index, high >> 15 & 1, y + 32 * i + 8 * k);
    }
  }
}

DECODER void decode_block_iq1_m(const uint8_t *restrict from, loose_float *restrict y) {
  const struct iq1_m *block = (const struct iq1_m *)from;
  unsigned words[4];
  uint8_t half[2] = {0};
  for (int i = 0; i < 4; i++) {
    words[i] = (unsigned)block->scales[2 * i] | (unsigned)block->scales[2 * i + 1] << 8;
    half[i / 2] |= (uint8_t)(words[i] >> 12 << i % 2 * 4);
  }
  float scale = load_half(half);
  for (int i = 0; i < 32; i++) {
    float group_scale = scale * (float)(2 * (words[i / 8] >> i / 2 % 4 * 3 & 7) + 1);
    unsigned high = block->high[i / 2] >> i % 2 * 4;
    decode_iq1_point(group_scale, block->points[i] | (high & 7) << 8, high >> 3 & 1, y + 8 * i);
  }
}
