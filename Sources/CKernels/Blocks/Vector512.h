// The vectors of AVX-512: sixteen lanes. The names are those of `Vector256.h`.

#include <immintrin.h>

#define VECTOR __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,f16c")))
#define INLINE VECTOR static inline __attribute__((always_inline))

enum { LANES = 16 };

typedef __m512 floats;
typedef __m512i ints;
/// A truth value for each lane.
typedef __mmask16 mask;

INLINE floats load(const float *from) { return _mm512_loadu_ps(from); }
INLINE void store(float *to, floats v) { _mm512_storeu_ps(to, v); }
INLINE floats all(float value) { return _mm512_set1_ps(value); }
INLINE ints all_int(int value) { return _mm512_set1_epi32(value); }

/// a where it is less, otherwise b: what `a < b ? a : b` gives, also for zeros and NaN.
INLINE floats lesser(floats a, floats b) { return _mm512_min_ps(a, b); }
/// `a > b ? a : b`.
INLINE floats greater(floats a, floats b) { return _mm512_max_ps(a, b); }
INLINE floats magnitude(floats v) { return _mm512_abs_ps(v); }
INLINE floats root(floats v) { return _mm512_sqrt_ps(v); }
INLINE floats negated(floats v) { return _mm512_xor_ps(v, _mm512_set1_ps(-0.0f)); }

INLINE mask is_less(floats a, floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE mask is_at_most(floats a, floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
INLINE mask is_equal(floats a, floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
INLINE mask is_unequal(floats a, floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
INLINE mask is_not_less(floats a, floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ); }
INLINE mask both(mask a, mask b) { return a & b; }
INLINE mask either(mask a, mask b) { return a | b; }
/// Bit i is lane i.
INLINE unsigned bits_of(mask m) { return m; }
/// Bit i is the sign of lane i.
INLINE unsigned bits_of_signs(ints v) { return _mm512_movepi32_mask(v); }
INLINE floats chosen(mask m, floats a, floats b) { return _mm512_mask_blend_ps(m, b, a); }
INLINE ints chosen_int(mask m, ints a, ints b) { return _mm512_mask_blend_epi32(m, b, a); }

/// Of integral values.
INLINE ints to_ints(floats v) { return _mm512_cvtps_epi32(v); }
INLINE ints truncated_ints(floats v) { return _mm512_cvttps_epi32(v); }
INLINE floats to_floats(ints v) { return _mm512_cvtepi32_ps(v); }
INLINE ints bit_pattern(floats v) { return _mm512_castps_si512(v); }
INLINE floats of_pattern(ints v) { return _mm512_castsi512_ps(v); }
INLINE ints add_ints(ints a, ints b) { return _mm512_add_epi32(a, b); }
INLINE ints and_ints(ints a, ints b) { return _mm512_and_si512(a, b); }
INLINE ints or_ints(ints a, ints b) { return _mm512_or_si512(a, b); }
INLINE ints limited_ints(ints v, ints low, ints high) {
  return _mm512_max_epi32(low, _mm512_min_epi32(high, v));
}
#define shifted_left(v, count) _mm512_slli_epi32(v, count)
#define shifted_right(v, count) _mm512_srli_epi32(v, count)

INLINE void store_ints(int32_t *to, ints v) { _mm512_storeu_si512(to, v); }
INLINE ints load_ints(const uint32_t *from) { return _mm512_loadu_si512(from); }
/// The lowest byte of each lane.
INLINE void store_bytes(uint8_t *to, ints v) {
  _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(v));
}
INLINE ints load_bytes(const uint8_t *from) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from));
}
INLINE ints gathered(const uint32_t *table, ints places) {
  return _mm512_i32gather_epi32(places, table, 4);
}

/// The lane of the table that the lowest bits of each lane name.
INLINE floats picked(floats table, ints places) { return _mm512_permutexvar_ps(places, table); }

/// The entry of a table of 16 that the lowest four bits of each lane name.
INLINE floats looked_up(const float *table, ints places) {
  return _mm512_permutexvar_ps(places, _mm512_loadu_ps(table));
}

/// The entry of a table of 8 that the lowest three bits of each lane name.
INLINE floats looked_up_in_8(const float *table, ints places) {
  return _mm512_permutexvar_ps(places, _mm512_broadcast_f32x8(_mm256_loadu_ps(table)));
}

/// 2 v, and 1 more where m is true.
INLINE ints doubled_plus(ints v, mask m) {
  ints twice = _mm512_add_epi32(v, v);
  return _mm512_mask_add_epi32(twice, m, twice, _mm512_set1_epi32(1));
}

/// Column i of the 16 × 16 tile whose rows begin `stride` floats apart becomes to[i].
INLINE void transpose(const float *from, size_t stride, floats *to) {
  floats r[16], t[16];
  for (int i = 0; i < 16; i++) r[i] = load(from + (size_t)i * stride);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_castpd_ps(
      _mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
    r[i + 1] = _mm512_castpd_ps(
      _mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
    r[i + 2] = _mm512_castpd_ps(
      _mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    r[i + 3] = _mm512_castpd_ps(
      _mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
  }
  // Now quarter q of r[4 k + c] holds rows 4 k ... 4 k + 3 of column 4 q + c.
  for (int c = 0; c < 4; c++) {
    floats low = _mm512_shuffle_f32x4(r[c], r[c + 4], 0x88);
    floats odd = _mm512_shuffle_f32x4(r[c], r[c + 4], 0xDD);
    floats low2 = _mm512_shuffle_f32x4(r[c + 8], r[c + 12], 0x88);
    floats odd2 = _mm512_shuffle_f32x4(r[c + 8], r[c + 12], 0xDD);
    to[c] = _mm512_shuffle_f32x4(low, low2, 0x88);
    to[c + 8] = _mm512_shuffle_f32x4(low, low2, 0xDD);
    to[c + 4] = _mm512_shuffle_f32x4(odd, odd2, 0x88);
    to[c + 12] = _mm512_shuffle_f32x4(odd, odd2, 0xDD);
  }
}

/// Rounds to F16; NaN keeps some of its bits.
INLINE uint16_t narrowed(float value) {
  return (uint16_t)_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(value), _MM_FROUND_TO_NEAREST_INT));
}

INLINE float least_lane(floats v) { return _mm512_reduce_min_ps(v); }
INLINE float greatest_lane(floats v) { return _mm512_reduce_max_ps(v); }
