#include "Portable.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

#define AVX2 __attribute__((target("avx2,f16c")))

AVX2 static void f16_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m128i halves = _mm_loadu_si128((const __m128i *)(from + 2 * i));
    _mm256_storeu_ps((float *)(to + 4 * i), _mm256_cvtph_ps(halves));
  }
  port_portable_kernels.f16_to_f32(from + 2 * i, to + 4 * i, count - i);
}

AVX2 static void bf16_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(from + 2 * i)));
    _mm256_storeu_si256((__m256i *)(to + 4 * i), _mm256_slli_epi32(wide, 16));
  }
  port_portable_kernels.bf16_to_f32(from + 2 * i, to + 4 * i, count - i);
}

AVX2 static void f32_to_f16(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 values = _mm256_loadu_ps((const float *)(from + 4 * i));
    __m128i halves = _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm_storeu_si128((__m128i *)(to + 2 * i), halves);
  }
  port_portable_kernels.f32_to_f16(from + 4 * i, to + 2 * i, count - i);
}

AVX2 static inline __m256i rounded_bf16(__m256i bits) {
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
  __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF));
  __m256i is_nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7F800000));
  __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
}

AVX2 static void f32_to_bf16(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    __m256i low = rounded_bf16(_mm256_loadu_si256((const __m256i *)(from + 4 * i)));
    __m256i high = rounded_bf16(_mm256_loadu_si256((const __m256i *)(from + 4 * i + 32)));
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8);
    _mm256_storeu_si256((__m256i *)(to + 2 * i), packed);
  }
  port_portable_kernels.f32_to_bf16(from + 4 * i, to + 2 * i, count - i);
}

AVX2 static inline __m256i codes(__m256 values, __m256 inverse) {
  __m256 product = _mm256_mul_ps(values, inverse);
  __m256 sign = _mm256_and_ps(product, _mm256_set1_ps(-0.0f));
  // Truncating after adding the float below 1/2 rounds halves away from zero.
  __m256 half = _mm256_or_ps(sign, _mm256_set1_ps(0x1.fffffep-2f));
  __m256i code = _mm256_cvttps_epi32(_mm256_add_ps(product, half));
  // What is not finite became INT_MIN, whose lowest byte is 0.
  return _mm256_and_si256(code, _mm256_set1_epi32(0xFF));
}

AVX2 static void f32_to_q8_0(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
  for (size_t block = 0; block < count / 32; block++, from += 128, to += 34) {
    __m256 v[4];
    __m256 most = _mm256_setzero_ps();
    for (int i = 0; i < 4; i++) {
      v[i] = _mm256_loadu_ps((const float *)(from + 32 * i));
      // The second operand is taken when the first is NaN.
      most = _mm256_max_ps(_mm256_and_ps(v[i], magnitude), most);
    }
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    float greatest = _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    float scale = greatest / 127.0f;
    __m256 inverse = _mm256_set1_ps(scale != 0 ? 1.0f / scale : 0.0f);
    __m128i half = _mm_cvtps_ph(_mm_set_ss(scale), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    uint16_t stored = (uint16_t)_mm_cvtsi128_si32(half);
    memcpy(to, &stored, 2);
    __m256i low = _mm256_packus_epi32(codes(v[0], inverse), codes(v[1], inverse));
    __m256i high = _mm256_packus_epi32(codes(v[2], inverse), codes(v[3], inverse));
    __m256i packed = _mm256_packus_epi16(low, high);
    __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256((__m256i *)(to + 2), _mm256_permutevar8x32_epi32(packed, order));
  }
}

AVX2 static void q8_0_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t block = 0; block < count / 32; block++, from += 34, to += 128) {
    uint16_t half;
    memcpy(&half, from, 2);
    __m256 scale = _mm256_set1_ps(port_half_to_float(half));
    for (int i = 0; i < 4; i++) {
      __m128i eight = _mm_loadl_epi64((const __m128i *)(from + 2 + 8 * i));
      __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
      _mm256_storeu_ps((float *)(to + 32 * i), _mm256_mul_ps(values, scale));
    }
  }
}

const struct port_kernels port_avx2_kernels = {
  "avx2", f16_to_f32, bf16_to_f32, f32_to_f16, f32_to_bf16, f32_to_q8_0, q8_0_to_f32,
  port_avx2_blocks, port_avx2_refine, &port_avx2_matrix,
};

#endif
