// Q2_K to Q6_K.

/// y = scale · code − offset.
DECODER void decode_affine(
  int count, const uint8_t *restrict codes, int shift, int bits, float scale, float offset,
  loose_float *restrict y
) {
  for (int i = 0; i < count; i++) {
    y[i] = scale * (float)(codes[i] >> shift & ((1 << bits) - 1)) - offset;
  }
}

/// y = (d · scale) · code − dmin · offset.
DECODER void decode_block_q2_k(const uint8_t *restrict from, loose_float *restrict y) {
  const struct q2_k *block = (const struct q2_k *)from;
  float scale = load_half(block->scale), offset = load_half(block->offset);
  for (int i = 0; i < 16; i++) {
    float group_scale = scale * (float)(block->scales[i] & 15);
    float group_offset = offset * (float)(block->scales[i] >> 4);
    const uint8_t *codes = block->codes + i / 8 * 32 + i % 2 * 16;
    decode_affine(16, codes, i / 2 % 4 * 2, 2, group_scale, group_offset, y + 16 * i);
  }
}

/// y = (d · (scale − 32)) · (code − 4).
DECODER void decode_block_q3_k(const uint8_t *restrict from, loose_float *restrict y) {
  const struct q3_k *block = (const struct q3_k *)from;
  const uint8_t *scales = block->scales;
  float scale = load_half(block->scale);
  for (int i = 0; i < 16; i++) {
    int code = (scales[i % 8] >> i / 8 * 4 & 15) | (scales[8 + i % 4] >> i / 4 * 2 & 3) << 4;
    float group_scale = scale * (float)(code - 32);
    const uint8_t *low = block->codes + i / 8 * 32 + i % 2 * 16, *high = block->high + i % 2 * 16;
    int shift = i / 2 % 4 * 2, bit = i / 2;
    for (int l = 0; l < 16; l++) {
      int level = (low[l] >> shift & 3) + (high[l] >> bit & 1) * 4 - 4;
      y[16 * i + l] = group_scale * (float)level;
    }
  }
}

/// The 6-bit scales and offsets of Q4_K and Q5_K.
DECODER void unpack_k_scales(const uint8_t *from, float *scales, float *offsets) {
  for (int i = 0; i < 4; i++) {
    scales[i] = (float)(from[i] & 63);
    offsets[i] = (float)(from[i + 4] & 63);
    scales[i + 4] = (float)((from[i + 8] & 15) | from[i] >> 6 << 4);
    offsets[i + 4] = (float)(from[i + 8] >> 4 | from[i + 4] >> 6 << 4);
  }
}

/// y = (d · scale) · code − dmin · offset.
DECODER void decode_block_q4_k(const uint8_t *restrict from, loose_float *restrict y) {
  const struct q4_k *block = (const struct q4_k *)from;
  float scale = load_half(block->scale), offset = load_half(block->offset);
  float scales[8], offsets[8];
  unpack_k_scales(block->scales, scales, offsets);
  for (int i = 0; i < 8; i += 2) {
    const uint8_t *codes = block->codes + 16 * i;
    decode_affine(32, codes, 0, 4, scale * scales[i], offset * offsets[i], y + 32 * i);
    decode_affine(32, codes, 4, 4, scale * scales[i + 1], offset * offsets[i + 1], y + 32 * i + 32);
  }
}

/// As Q4_K with a fifth bit.
DECODER void decode_block_q5_k(const uint8_t *restrict from, loose_float *restrict y) {
  const struct q5_k *block = (const struct q5_k *)from;
  float scale = load_half(block->scale), offset = load_half(block->offset);
  float scales[8], offsets[8];
  unpack_k_scales(block->scales, scales, offsets);
  for (int i = 0; i < 8; i++) {
    const uint8_t *codes = block->codes + i / 2 * 32;
    float group_scale = scale * scales[i], group_offset = offset * offsets[i];
    int shift = i % 2 * 4;
    for (int l = 0; l < 32; l++) {
      int code = (codes[l] >> shift & 15) + (block->high[l] >> i & 1) * 16;
      y[32 * i + l] = group_scale * (float)code - group_offset;
    }
  }
}

/// y = (d · scale) · (code − 32).
DECODER void decode_block_q6_k(const uint8_t *restrict from, loose_float *restrict y) {
  const struct q6_k *block = (const struct q6_k *)from;
  float scale = load_half(block->scale);
  for (int i = 0; i < 16; i++) {
    // Group i is half of part k of one of two halves.
    int half = i / 8, k = i / 2 % 4, first = i % 2 * 16;
    const uint8_t *low = block->low + 64 * half + k % 2 * 32 + first;
    const uint8_t *high = block->high + 32 * half + first;
    float group_scale = scale * (float)block->scales[i];
    int low_shift = k / 2 * 4, high_shift = 2 * k;
    for (int l = 0; l < 16; l++) {
      int code = (low[l] >> low_shift & 15) + (high[l] >> high_shift & 3) * 16 - 32;
      y[16 * i + l] = group_scale * (float)code;
    }
  }
}
