// The vectors of AVX2: eight lanes. The names are those of `Vector512.h`.

#include <immintrin.h>

#define VECTOR __attribute__((target("avx2,f16c")))
#define INLINE VECTOR static inline __attribute__((always_inline))

enum { LANES = 8 };

typedef __m256 floats;
typedef __m256i ints;
/// A truth value for each lane: all bits set or none.
typedef __m256 mask;

INLINE floats load(const float *from) { return _mm256_loadu_ps(from); }
INLINE void store(float *to, floats v) { _mm256_storeu_ps(to, v); }
INLINE floats all(float value) { return _mm256_set1_ps(value); }
INLINE ints all_int(int value) { return _mm256_set1_epi32(value); }

/// a where it is less, otherwise b: what `a < b ? a : b` gives, also for zeros and NaN.
INLINE floats lesser(floats a, floats b) { return _mm256_min_ps(a, b); }
/// `a > b ? a : b`.
INLINE floats greater(floats a, floats b) { return _mm256_max_ps(a, b); }
INLINE floats magnitude(floats v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
INLINE floats root(floats v) { return _mm256_sqrt_ps(v); }
INLINE floats negated(floats v) { return _mm256_xor_ps(v, _mm256_set1_ps(-0.0f)); }

INLINE mask is_less(floats a, floats b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE mask is_at_most(floats a, floats b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
INLINE mask is_equal(floats a, floats b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
INLINE mask is_unequal(floats a, floats b) { return _mm256_cmp_ps(a, b, _CMP_NEQ_UQ); }
INLINE mask is_not_less(floats a, floats b) { return _mm256_cmp_ps(a, b, _CMP_NLT_UQ); }
INLINE mask both(mask a, mask b) { return _mm256_and_ps(a, b); }
INLINE mask either(mask a, mask b) { return _mm256_or_ps(a, b); }
/// Bit i is lane i.
INLINE unsigned bits_of(mask m) { return (unsigned)_mm256_movemask_ps(m); }
/// Bit i is the sign of lane i.
INLINE unsigned bits_of_signs(ints v) {
  return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(v));
}
INLINE floats chosen(mask m, floats a, floats b) { return _mm256_blendv_ps(b, a, m); }
INLINE ints chosen_int(mask m, ints a, ints b) {
  return _mm256_blendv_epi8(b, a, _mm256_castps_si256(m));
}

/// Of integral values.
INLINE ints to_ints(floats v) { return _mm256_cvtps_epi32(v); }
INLINE ints truncated_ints(floats v) { return _mm256_cvttps_epi32(v); }
INLINE floats to_floats(ints v) { return _mm256_cvtepi32_ps(v); }
INLINE ints bit_pattern(floats v) { return _mm256_castps_si256(v); }
INLINE floats of_pattern(ints v) { return _mm256_castsi256_ps(v); }
INLINE ints add_ints(ints a, ints b) { return _mm256_add_epi32(a, b); }
INLINE ints and_ints(ints a, ints b) { return _mm256_and_si256(a, b); }
INLINE ints or_ints(ints a, ints b) { return _mm256_or_si256(a, b); }
INLINE ints limited_ints(ints v, ints low, ints high) {
  return _mm256_max_epi32(low, _mm256_min_epi32(high, v));
}
#define shifted_left(v, count) _mm256_slli_epi32(v, count)
#define shifted_right(v, count) _mm256_srli_epi32(v, count)

INLINE void store_ints(int32_t *to, ints v) { _mm256_storeu_si256((__m256i *)to, v); }
INLINE ints load_ints(const uint32_t *from) {
  return _mm256_loadu_si256((const __m256i *)from);
}
/// The lowest byte of each lane.
INLINE void store_bytes(uint8_t *to, ints v) {
  __m256i pick = _mm256_setr_epi8(
    0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  __m256i four = _mm256_shuffle_epi8(v, pick);
  __m128i low = _mm256_castsi256_si128(four), high = _mm256_extracti128_si256(four, 1);
  _mm_storel_epi64((__m128i *)to, _mm_unpacklo_epi32(low, high));
}
INLINE ints load_bytes(const uint8_t *from) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from));
}
INLINE ints gathered(const uint32_t *table, ints places) {
  return _mm256_i32gather_epi32((const int *)table, places, 4);
}

/// The lane of the table that the lowest bits of each lane name.
INLINE floats picked(floats table, ints places) { return _mm256_permutevar8x32_ps(table, places); }

/// The entry of a table of 16 that the lowest four bits of each lane name.
INLINE floats looked_up(const float *table, ints places) {
  floats low = _mm256_permutevar8x32_ps(load(table), places);
  floats high = _mm256_permutevar8x32_ps(load(table + 8), places);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(places, 28)));
}

/// The entry of a table of 8 that the lowest three bits of each lane name.
INLINE floats looked_up_in_8(const float *table, ints places) {
  return _mm256_permutevar8x32_ps(load(table), places);
}

/// 2 v, and 1 more where m is true.
INLINE ints doubled_plus(ints v, mask m) {
  return _mm256_sub_epi32(_mm256_add_epi32(v, v), _mm256_castps_si256(m));
}

/// Column i of the 8 × 8 tile whose rows begin `stride` floats apart becomes to[i].
INLINE void transpose(const float *from, size_t stride, floats *to) {
  floats r[8], t[8];
  for (int i = 0; i < 8; i++) r[i] = load(from + (size_t)i * stride);
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
  // Now half h of r[4 k + c] holds rows 4 k ... 4 k + 3 of column 4 h + c.
  for (int c = 0; c < 4; c++) {
    to[c] = _mm256_permute2f128_ps(r[c], r[c + 4], 0x20);
    to[c + 4] = _mm256_permute2f128_ps(r[c], r[c + 4], 0x31);
  }
}

/// Rounds to F16; NaN keeps some of its bits.
INLINE uint16_t narrowed(float value) {
  return (uint16_t)_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(value), _MM_FROUND_TO_NEAREST_INT));
}

INLINE float least_lane(floats v) {
  __m128 four = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)));
}
INLINE float greatest_lane(floats v) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
