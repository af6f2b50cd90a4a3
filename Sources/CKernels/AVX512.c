#include "Portable.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,f16c")))

AVX512 static void f16_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    __m256i halves = _mm256_loadu_si256((const __m256i *)(from + 2 * i));
    _mm512_storeu_ps(to + 4 * i, _mm512_cvtph_ps(halves));
  }
  port_portable_kernels.f16_to_f32(from + 2 * i, to + 4 * i, count - i);
}

AVX512 static void bf16_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(from + 2 * i)));
    _mm512_storeu_si512(to + 4 * i, _mm512_slli_epi32(wide, 16));
  }
  port_portable_kernels.bf16_to_f32(from + 2 * i, to + 4 * i, count - i);
}

AVX512 static void f32_to_f16(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    __m512 values = _mm512_loadu_ps(from + 4 * i);
    __m256i halves = _mm512_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm256_storeu_si256((__m256i *)(to + 2 * i), halves);
  }
  port_portable_kernels.f32_to_f16(from + 4 * i, to + 2 * i, count - i);
}

AVX512 static void f32_to_bf16(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    __m512i bits = _mm512_loadu_si512(from + 4 * i);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF));
    __mmask16 is_nan = _mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7F800000));
    __m512i chosen = _mm512_mask_or_epi32(rounded, is_nan, bits, _mm512_set1_epi32(0x400000));
    __m256i halves = _mm512_cvtepi32_epi16(_mm512_srli_epi32(chosen, 16));
    _mm256_storeu_si256((__m256i *)(to + 2 * i), halves);
  }
  port_portable_kernels.f32_to_bf16(from + 4 * i, to + 2 * i, count - i);
}

AVX512 static inline __m128i codes(__m512 values, __m512 inverse) {
  __m512 product = _mm512_mul_ps(values, inverse);
  __m512 sign = _mm512_and_ps(product, _mm512_set1_ps(-0.0f));
  // Truncating after adding the float below 1/2 rounds halves away from zero.
  __m512 half = _mm512_or_ps(sign, _mm512_set1_ps(0x1.fffffep-2f));
  // What is not finite becomes INT_MIN, whose lowest byte is 0.
  return _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(_mm512_add_ps(product, half)));
}

AVX512 static void f32_to_q8_0(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t block = 0; block < count / 32; block++, from += 128, to += 34) {
    __m512 low = _mm512_loadu_ps(from);
    __m512 high = _mm512_loadu_ps(from + 64);
    // The second operand is taken when the first is NaN.
    __m512 most = _mm512_max_ps(_mm512_abs_ps(low), _mm512_setzero_ps());
    most = _mm512_max_ps(_mm512_abs_ps(high), most);
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(most), _mm512_extractf32x8_ps(most, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    float greatest = _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    float scale = greatest / 127.0f;
    __m512 inverse = _mm512_set1_ps(scale != 0 ? 1.0f / scale : 0.0f);
    __m128i half = _mm_cvtps_ph(_mm_set_ss(scale), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    uint16_t stored = (uint16_t)_mm_cvtsi128_si32(half);
    memcpy(to, &stored, 2);
    _mm_storeu_si128((__m128i *)(to + 2), codes(low, inverse));
    _mm_storeu_si128((__m128i *)(to + 18), codes(high, inverse));
  }
}

AVX512 static void q8_0_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t block = 0; block < count / 32; block++, from += 34, to += 128) {
    uint16_t half;
    memcpy(&half, from, 2);
    __m512 scale = _mm512_set1_ps(port_half_to_float(half));
    for (int i = 0; i < 2; i++) {
      __m128i sixteen = _mm_loadu_si128((const __m128i *)(from + 2 + 16 * i));
      __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen));
      _mm512_storeu_ps(to + 64 * i, _mm512_mul_ps(values, scale));
    }
  }
}

const struct port_kernels port_avx512_kernels = {
  "avx512", f16_to_f32, bf16_to_f32, f32_to_f16, f32_to_bf16, f32_to_q8_0, q8_0_to_f32,
  port_avx512_blocks, port_avx512_refine, &port_avx512_matrix,
};

#endif
