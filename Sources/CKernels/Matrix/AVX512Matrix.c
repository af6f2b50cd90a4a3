#if defined(__x86_64__)

#include <immintrin.h>

#define PATH __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,f16c")))
#include "Bodies.h"

// 16 codes through F16, whose exponent is 8 too small for them.
PATH static inline __m512 decoded_16(__m128i bytes) {
  __m256i codes = _mm256_cvtepu8_epi16(bytes);
  __m256i sign = _mm256_slli_epi16(_mm256_and_si256(codes, _mm256_set1_epi16(0x80)), 8);
  __m256i magnitude = _mm256_and_si256(codes, _mm256_set1_epi16(0x7F));
  __m256i halves = _mm256_or_si256(sign, _mm256_slli_epi16(magnitude, 7));
  __mmask16 is_nan = _mm256_cmpeq_epi16_mask(magnitude, _mm256_set1_epi16(0x7F));
  __m512 values = _mm512_mul_ps(_mm512_cvtph_ps(halves), _mm512_set1_ps(256));
  return _mm512_mask_blend_ps(
    is_nan, values, _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000)));
}

PATH static void scale_f8e4m3(
  const uint8_t *codes, const float *scales, size_t column, size_t width, float *values,
  size_t count
) {
  size_t i = 0;
  while (i < count) {
    size_t block = width ? (column + i) / width : 0;
    size_t end = width ? (block + 1) * width - column : count;
    if (end > count) end = count;
    __m512 scale = _mm512_set1_ps(scales[block]);
    for (; i + 16 <= end; i += 16) {
      __m512 decoded = decoded_16(_mm_loadu_si128((const __m128i *)(codes + i)));
      _mm512_storeu_ps(values + i, _mm512_mul_ps(decoded, scale));
    }
    body_scale_f8e4m3(codes + i, scales + block, 0, 0, values + i, end - i);
    i = end;
  }
}

PATH static uint32_t greatest(const float *values, size_t count) {
  const __m512i all_but_sign = _mm512_set1_epi32(0x7FFFFFFF);
  __m512i first = _mm512_setzero_si512();
  __m512i second = _mm512_setzero_si512();
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    __m512i low = _mm512_and_si512(_mm512_loadu_si512(values + i), all_but_sign);
    __m512i high = _mm512_and_si512(_mm512_loadu_si512(values + i + 16), all_but_sign);
    first = _mm512_max_epu32(first, low);
    second = _mm512_max_epu32(second, high);
  }
  uint32_t most = _mm512_reduce_max_epu32(_mm512_max_epu32(first, second));
  uint32_t rest = body_greatest(values + i, count - i);
  return rest > most ? rest : most;
}

PATH static void f32_to_integers(
  const float *values, float scale, int32_t limit, int8_t *codes, size_t count
) {
  const __m512 divisor = _mm512_set1_ps(scale);
  const __m512 least = _mm512_set1_ps((float)(-limit - 1));
  const __m512 most = _mm512_set1_ps((float)limit);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    __m512 quotients = _mm512_div_ps(_mm512_loadu_ps(values + i), divisor);
    __mmask16 is_number = _mm512_cmp_ps_mask(quotients, quotients, _CMP_ORD_Q);
    __m512 clamped = _mm512_min_ps(_mm512_max_ps(quotients, least), most);
    __m512i rounded = _mm512_maskz_cvtps_epi32(is_number, clamped);
    _mm_storeu_si128((__m128i *)(codes + i), _mm512_cvtepi32_epi8(rounded));
  }
  body_f32_to_integers(values + i, scale, limit, codes + i, count - i);
}

#define SCALE_F8E4M3 scale_f8e4m3
#define GREATEST greatest
#define F32_TO_INTEGERS f32_to_integers
#define TABLE port_avx512_matrix
#include "Table.h"

#endif
