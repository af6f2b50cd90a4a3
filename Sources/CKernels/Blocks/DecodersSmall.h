// Q4_0 to Q5_1, IQ4, MXFP4, NVFP4, Q1_0, Q2_0, TQ1_0 and TQ2_0.

/// y = (code − half) · d for the low nibbles, then for the high ones.
DECODER void decode_block_q4_0(const uint8_t *restrict from, loose_float *restrict y) {
  float scale = load_half(from);
  for (int i = 0; i < 16; i++) {
    y[i] = (float)((from[2 + i] & 15) - 8) * scale;
    y[i + 16] = (float)((from[2 + i] >> 4) - 8) * scale;
  }
}

/// y = code · d + min.
DECODER void decode_block_q4_1(const uint8_t *restrict from, loose_float *restrict y) {
  float scale = load_half(from), least = load_half(from + 2);
  for (int i = 0; i < 16; i++) {
    y[i] = (float)(from[4 + i] & 15) * scale + least;
    y[i + 16] = (float)(from[4 + i] >> 4) * scale + least;
  }
}

DECODER void decode_block_q5_0(const uint8_t *restrict from, loose_float *restrict y) {
  float scale = load_half(from);
  uint32_t fifth;
  memcpy(&fifth, from + 2, sizeof fifth);
  for (int i = 0; i < 16; i++) {
    int low = (from[6 + i] & 15) | (fifth >> i & 1) << 4;
    int high = from[6 + i] >> 4 | (fifth >> (i + 16) & 1) << 4;
    y[i] = (float)(low - 16) * scale;
    y[i + 16] = (float)(high - 16) * scale;
  }
}

DECODER void decode_block_q5_1(const uint8_t *restrict from, loose_float *restrict y) {
  float scale = load_half(from), least = load_half(from + 2);
  uint32_t fifth;
  memcpy(&fifth, from + 4, sizeof fifth);
  for (int i = 0; i < 16; i++) {
    int low = (from[8 + i] & 15) | (fifth >> i & 1) << 4;
    int high = from[8 + i] >> 4 | (fifth >> (i + 16) & 1) << 4;
    y[i] = (float)low * scale + least;
    y[i + 16] = (float)high * scale + least;
  }
}

/// y = d · value, low nibbles first; `count` is 16 or 32.
DECODER void decode_nibbles(
  int count, const uint8_t *restrict from, const float *restrict values, float scale,
  loose_float *restrict y
) {
  uint8_t codes[32];
  for (int i = 0; i < count / 2; i += 8) {
    uint64_t bytes;
    memcpy(&bytes, from + i, 8);
    uint64_t low = bytes & 0x0F0F0F0F0F0F0F0Fu, high = bytes >> 4 & 0x0F0F0F0F0F0F0F0Fu;
    memcpy(codes + i, &low, 8);
    memcpy(codes + count / 2 + i, &high, 8);
  }
#ifdef VECTOR
  for (int i = 0; i < count; i += LANES) {
    store((float *)(y + i), all(scale) * looked_up(values, load_bytes(codes + i)));
  }
#else
  for (int i = 0; i < count; i++) y[i] = scale * values[codes[i]];
#endif
}

static const float decoded_iq4[16] = {
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};

/// Twice the values of E2M1.
static const float decoded_e2m1[16] = {
  0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
};

DECODER void decode_block_iq4_nl(const uint8_t *restrict from, loose_float *restrict y) {
  decode_nibbles(32, from + 2, decoded_iq4, load_half(from), y);
}

DECODER void decode_block_iq4_xs(const uint8_t *restrict from, loose_float *restrict y) {
  const struct iq4_xs *block = (const struct iq4_xs *)from;
  float scale = load_half(block->scale);
  unsigned high = (unsigned)block->scales_high[0] | (unsigned)block->scales_high[1] << 8;
  for (int i = 0; i < 8; i++) {
    unsigned code = (block->scales_low[i / 2] >> i % 2 * 4 & 15) | (high >> 2 * i & 3) << 4;
    float group_scale = scale * (float)((int)code - 32);
    decode_nibbles(32, block->codes + 16 * i, decoded_iq4, group_scale, y + 32 * i);
  }
}

DECODER void decode_block_mxfp4(const uint8_t *restrict from, loose_float *restrict y) {
  decode_nibbles(32, from + 1, decoded_e2m1, port_half_e8m0(from[0]), y);
}

DECODER void decode_block_nvfp4(const uint8_t *restrict from, loose_float *restrict y) {
  for (int group = 0; group < 4; group++) {
    decode_nibbles(
      16, from + 4 + 8 * group, decoded_e2m1, port_half_ue4m3(from[group]), y + 16 * group);
  }
}

/// y = ±d.
DECODER void decode_block_q1_0(const uint8_t *restrict from, loose_float *restrict y) {
  float scale = load_half(from);
  for (int byte = 0; byte < 16; byte++) {
    unsigned bits = from[2 + byte];
    for (int i = 0; i < 8; i++) y[8 * byte + i] = bits >> i & 1 ? scale : -scale;
  }
}

/// y = (code − 1) · d.
DECODER void decode_block_q2_0(const uint8_t *restrict from, loose_float *restrict y) {
  float scale = load_half(from);
  for (int word = 0; word < 4; word++) {
    uint32_t codes;
    memcpy(&codes, from + 2 + 4 * word, sizeof codes);
    for (int i = 0; i < 16; i++) {
      y[16 * word + i] = (float)((int)(codes >> 2 * i & 3) - 1) * scale;
    }
  }
}

/// y = (trit − 1) · d; trit n of byte b is ⌊3 · (b · 3ⁿ mod 256) / 256⌋.
DECODER void decode_trits(
  int stride, int count, const uint8_t *restrict bytes, float scale, loose_float *restrict y
) {
  int power = 1;
  for (int n = 0; n < count; n++, power *= 3) {
    for (int i = 0; i < stride; i++) {
      int rest = bytes[i] * power & 255;
      y[stride * n + i] = (float)((rest * 3 >> 8) - 1) * scale;
    }
  }
}

DECODER void decode_block_tq1_0(const uint8_t *restrict from, loose_float *restrict y) {
  float scale = load_half(from + 52);
  decode_trits(32, 5, from, scale, y);
  decode_trits(16, 5, from + 32, scale, y + 160);
  decode_trits(4, 4, from + 48, scale, y + 240);
}

/// y = (code − 1) · d.
DECODER void decode_block_tq2_0(const uint8_t *restrict from, loose_float *restrict y) {
  float scale = load_half(from + 64);
  for (int part = 0; part < 8; part++) {
    const uint8_t *codes = from + part / 4 * 32;
    int shift = part % 4 * 2;
    for (int i = 0; i < 32; i++) {
      y[32 * part + i] = (float)((codes[i] >> shift & 3) - 1) * scale;
    }
  }
}
