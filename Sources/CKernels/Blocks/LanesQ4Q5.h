// Q4_0, Q4_1, Q5_0 and Q5_1: without importance the elements of a block lie in the lanes, with it
// LANES blocks are searched at once.

enum { VECTORS = 32 / LANES };

/// The nibbles, and the fifth bits before them.
INLINE void pack_q4_q5(int bits, const ints *codes, uint8_t *to) {
  if (bits == 5) {
    uint32_t fifth = 0;
    for (int v = 0; v < VECTORS; v++) {
      fifth |= (uint32_t)bits_of_signs(shifted_left(codes[v], 27)) << v * LANES;
    }
    memcpy(to, &fifth, sizeof fifth);
    to += 4;
  }
  for (int v = 0; v < VECTORS / 2; v++) {
    ints low = and_ints(codes[v], all_int(15));
    store_bytes(to + v * LANES, or_ints(low, shifted_left(codes[v + VECTORS / 2], 4)));
  }
}

/// What is not finite has the lowest byte 0.
INLINE ints truncated_codes(floats v, int highest) {
  return limited_ints(and_ints(truncated_ints(v), all_int(255)), all_int(0), all_int(highest));
}

INLINE void encode_signed_block(int bits, const float *x, uint8_t *to) {
  int half = 1 << (bits - 1);
  floats low = all(0), high = all(0);
  for (int i = 0; i < 32; i += LANES) {
    low = lesser(load(x + i), low);
    high = greater(load(x + i), high);
  }
  float least = least_lane(low), most = greatest_lane(high), extreme = most > -least ? most : least;
  if (most == -least) {
    // The first of equal magnitudes; without any above 0 the scale is −0.
    uint32_t places = most > 0 ? equal_elements(x, most) | equal_elements(x, least) : 0;
    extreme = places ? x[__builtin_ctz(places)] : 0;
  }
  float scale = extreme / (float)-half;
  float inverse = scale != 0 ? 1.0f / scale : 0;
  ints codes[VECTORS];
  for (int v = 0; v < VECTORS; v++) {
    floats value = load(x + v * LANES) * all(inverse) + all((float)half + 0.5f);
    codes[v] = truncated_codes(value, 2 * half - 1);
  }
  store_narrowed(to, scale);
  pack_q4_q5(bits, codes, to + 2);
}

INLINE void encode_offset_block(int bits, const float *x, uint8_t *to) {
  floats low = load(x), high = load(x);
  for (int i = LANES; i < 32; i += LANES) {
    low = lesser(load(x + i), low);
    high = greater(load(x + i), high);
  }
  float least = least_lane(low), most = greatest_lane(high);
  if (least == 0) {
    // The sign is that of the first zero.
    uint32_t zeros = equal_elements(x, 0);
    if (zeros) least = x[__builtin_ctz(zeros)];
    if (most == 0) most = least;
  }
  float scale = (most - least) / (float)((1 << bits) - 1);
  float inverse = scale != 0 ? 1.0f / scale : 0;
  ints codes[VECTORS];
  for (int v = 0; v < VECTORS; v++) {
    floats value = (load(x + v * LANES) - all(least)) * all(inverse) + all(0.5f);
    codes[v] = truncated_codes(value, (1 << bits) - 1);
  }
  store_narrowed(to, scale);
  store_narrowed(to + 2, least);
  pack_q4_q5(bits, codes, to + 4);
}

/// Σ x² / length of each of up to LANES rows.
INLINE void row_energies(const uint8_t *values, size_t length, int count, float *energies) {
  if (count == LANES) {
    store(energies, sums_of_squares((const float *)values, (int)length) / all((float)length));
    return;
  }
  for (int row = 0; row < count; row++, values += 4 * length) {
    float sum = 0;
    for (size_t i = 0; i < length; i++) {
      float x;
      memcpy(&x, values + 4 * i, sizeof x);
      sum += x * x;
    }
    energies[row] = sum / (float)length;
  }
}

/// LANES blocks of a batch with importance.
INLINE void encode_weighted_blocks(
  int bits, int has_offset, const struct batch *batch, const float *energies, int count,
  uint8_t *to
) {
  int highest = (1 << bits) - 1, half = 1 << (bits - 1);
  const struct affine_rule rule = {highest, -0.9f, 0.05f, 36, 0};
  struct affine_lanes affine;
  struct symmetric_lanes symmetric;
  floats x[32], w[32];
  transpose_groups(batch->values, 32, x);
  weigh_lanes(32, x, batch->importance, load(energies), w);
  if (has_offset) {
    search_affine(32, 0, &rule, x, w, &affine);
  } else {
    search_symmetric(32, half, x, w, &symmetric);
  }
  for (int b = 0; b < count; b++) {
    uint8_t codes[32] = {0};
    const float *values = batch->values + b * 32;
    store_narrowed(to, has_offset ? affine.scale[b] : symmetric.scale[b]);
    to += 2;
    if (has_offset) {
      store_narrowed(to, -affine.offset[b]);
      to += 2;
      quantize(32, values, affine.inverse[b], affine.least[b], 0, highest, codes);
    } else if (!(symmetric.negligible >> b & 1)) {
      quantize(32, values, symmetric.inverse[b], 0, -half, half - 1, codes);
    }
    ints lanes[VECTORS];
    for (int v = 0; v < VECTORS; v++) lanes[v] = load_bytes(codes + v * LANES);
    pack_q4_q5(bits, lanes, to);
    to += bits == 5 ? 20 : 16;
  }
}

INLINE void encode_q4_q5_weighted(
  const struct port_rows *rows, int bits, int has_offset, uint8_t *to
) {
  size_t blocks = rows->row_length / 32, total = rows->row_count * blocks;
  int bytes = 2 + 2 * has_offset + 4 * bits;
  struct batch batch;
  float energies[LANES], lanes[LANES] = {0};
  size_t next_row = 0, first_row = 0;
  for (size_t start = 0; start < total; start += LANES) {
    int count = total - start < LANES ? (int)(total - start) : LANES;
    load_batch(rows, start, count, 32, &batch);
    for (int b = 0; b < count; b++) {
      size_t row = (start + (size_t)b) / blocks;
      if (row >= next_row) {
        size_t left = rows->row_count - row;
        first_row = row;
        next_row = row + (left < LANES ? left : LANES);
        row_energies(
          (const uint8_t *)rows->values + 4 * row * rows->row_length, rows->row_length,
          (int)(next_row - row), energies);
      }
      lanes[b] = energies[row - first_row];
    }
    encode_weighted_blocks(bits, has_offset, &batch, lanes, count, to);
    to += count * bytes;
  }
}

#define Q4_Q5_ENCODER(type, bits, has_offset, encode_one) \
  VECTOR static void encode_##type##_weighted(const struct port_rows *rows, uint8_t *to) { \
    encode_q4_q5_weighted(rows, bits, has_offset, to); \
  } \
  VECTOR static void encode_##type( \
    const struct port_rows *rows, void *to, const struct port_codebook *codebook \
  ) { \
    (void)codebook; \
    if (rows->importance) return encode_##type##_weighted(rows, to); \
    const uint8_t *from = rows->values; \
    uint8_t *block = to; \
    for (size_t i = 0; i < rows->row_count * (rows->row_length / 32); i++) { \
      float x[32]; \
      memcpy(x, from, sizeof x); \
      encode_one(bits, x, block); \
      from += sizeof x; \
      block += 2 + 2 * has_offset + 4 * bits; \
    } \
  }

Q4_Q5_ENCODER(q4_0, 4, 0, encode_signed_block)
Q4_Q5_ENCODER(q4_1, 4, 1, encode_offset_block)
Q4_Q5_ENCODER(q5_0, 5, 0, encode_signed_block)
Q4_Q5_ENCODER(q5_1, 5, 1, encode_offset_block)
