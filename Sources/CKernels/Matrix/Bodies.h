// Bodies that are compiled once for each path, with PATH as its target attribute. Each loop is one
// that compilers turn into vector code, lane by lane the same operations.

#include <math.h>
#include <string.h>

#include "../Portable.h"
#include "FloatBits.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

PATH static inline float decoded_f8e4m3(uint8_t code) {
  uint32_t magnitude = code & 0x7Fu;
  // Subnormal codes are multiples of 2^-9.
  float subnormal = (float)(int32_t)magnitude * 0x1p-9f;
  float normal = float_of((magnitude << 20) + (120u << 23));
  uint32_t bits = bits_of(magnitude < 8 ? subnormal : normal) | (uint32_t)(code & 0x80u) << 24;
  return float_of(magnitude == 0x7F ? 0x7FC00000u : bits);
}

PATH static inline uint8_t encoded_f8e4m3(float value) {
  uint32_t bits = bits_of(value);
  uint32_t sign = bits >> 24 & 0x80u;
  uint32_t magnitude = bits & 0x7FFFFFFFu;
  uint32_t clamped = magnitude > 0x43E00000u ? 0x43E00000u : magnitude;
  // Adding 2^14 leaves the multiple of 2^-9 in the lowest bits, rounded to nearest even.
  uint32_t subnormal = bits_of(float_of(clamped) + 0x1p14f) - 0x46800000u;
  uint32_t normal = ((clamped + 0x7FFFFu + (clamped >> 20 & 1u)) >> 20) - (120u << 3);
  uint32_t code = sign | (clamped < 0x3C800000u ? subnormal : normal);
  return (uint8_t)(magnitude > 0x7F800000u ? 0x7Fu : code);
}

PATH static inline int32_t rounded_quotient(float value, float scale, float limit) {
  float quotient = rintf(value / scale);
  float low = quotient < -limit - 1 ? -limit - 1 : quotient;
  float clamped = low > limit ? limit : low;
  return (int32_t)(quotient == quotient ? clamped : 0);
}

PATH static void body_f8e4m3_to_f32(const void *codes, void *values, size_t count) {
  const uint8_t *restrict from = codes;
  uint8_t *restrict to = values;
  for (size_t i = 0; i < count; i++) {
    float value = decoded_f8e4m3(from[i]);
    memcpy(to + 4 * i, &value, sizeof value);
  }
}

PATH static void body_scale_f8e4m3(
  const uint8_t *restrict codes, const float *restrict scales, size_t column, size_t width,
  float *restrict values, size_t count
) {
  size_t i = 0;
  while (i < count) {
    size_t block = width ? (column + i) / width : 0;
    size_t end = width ? (block + 1) * width - column : count;
    if (end > count) end = count;
    float scale = scales[block];
    for (; i < end; i++) values[i] = decoded_f8e4m3(codes[i]) * scale;
  }
}

PATH static uint32_t body_greatest(const float *restrict values, size_t count) {
  uint32_t most = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t magnitude = bits_of(values[i]) & 0x7FFFFFFFu;
    most = magnitude > most ? magnitude : most;
  }
  return most;
}

PATH static void body_f32_to_integers(
  const float *restrict values, float scale, int32_t limit, int8_t *restrict codes, size_t count
) {
  for (size_t i = 0; i < count; i++) {
    codes[i] = (int8_t)rounded_quotient(values[i], scale, (float)limit);
  }
}

PATH static void body_f32_to_scaled_f8e4m3(
  const float *restrict values, float scale, uint8_t *restrict codes, size_t count
) {
  for (size_t i = 0; i < count; i++) codes[i] = encoded_f8e4m3(values[i] / scale);
}

PATH static int64_t body_sum(const int8_t *restrict codes, size_t count) {
  int64_t total = 0;
  for (size_t start = 0; start < count; start += 1 << 20) {
    size_t end = count - start > 1 << 20 ? start + (1 << 20) : count;
    int32_t sum = 0;
    for (size_t i = start; i < end; i++) sum += codes[i];
    total += sum;
  }
  return total;
}

// A magnitude rounded half up to `bits` of fraction at its own exponent, which is at least `least`.
PATH static inline float rounded_at_own_exponent(float magnitude, int32_t bits, int32_t least) {
  int32_t own = (int32_t)(bits_of(magnitude) >> 23) - 127;
  int32_t exponent = own < least ? least : own;
  float unit = float_of((uint32_t)(exponent - bits + 127) << 23);
  return floorf(magnitude / unit + 0.5f) * unit;
}

// 2^-exponent in two factors, each of which a float holds.
PATH static inline float unscaled(float value, int32_t exponent) {
  int32_t half = exponent / 2;
  float first = float_of((uint32_t)(127 - half) << 23);
  float second = float_of((uint32_t)(127 - (exponent - half)) << 23);
  return value * first * second;
}

PATH static void body_f32_to_mxfp8(
  const float *restrict values, int32_t exponent, uint8_t *restrict codes, size_t count
) {
  for (size_t i = 0; i < count; i++) {
    float magnitude = fabsf(unscaled(values[i], exponent));
    float clamped = magnitude > 448 ? 448 : magnitude;
    float rounded = rounded_at_own_exponent(clamped, 3, -6);
    codes[i] = (uint8_t)(encoded_f8e4m3(rounded) | (values[i] < 0 ? 0x80u : 0));
  }
}

PATH static inline uint8_t encoded_e2m1(float value, int32_t exponent) {
  float magnitude = fabsf(unscaled(value, exponent));
  float clamped = magnitude < 6 ? magnitude : magnitude == magnitude ? 6 : 0;
  float rounded = rounded_at_own_exponent(clamped, 1, 0);
  // Twice the value is 0, 1, 2, 3, 4, 6, 8, 12.
  int32_t twice = (int32_t)(rounded * 2);
  int32_t code = twice <= 4 ? twice : twice == 6 ? 5 : twice == 8 ? 6 : 7;
  return (uint8_t)((value < 0 ? 8 : 0) | code);
}

PATH static void body_f32_to_mxfp4(
  const float *restrict values, int32_t exponent, uint8_t *restrict codes, size_t count
) {
  for (size_t i = 0; i < count / 2; i++) {
    uint8_t low = encoded_e2m1(values[2 * i], exponent);
    uint8_t high = encoded_e2m1(values[2 * i + 1], exponent);
    codes[i] = (uint8_t)(high << 4 | low);
  }
}
