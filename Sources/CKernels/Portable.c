#include "Portable.h"

#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float port_half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
  uint32_t exponent = (half >> 10) & 31u;
  uint32_t fraction = half & 0x3FFu;
  if (exponent == 31) {
    uint32_t quiet = fraction ? 0x400000u : 0;
    return float_of(sign | 0x7F800000u | quiet | fraction << 13);
  }
  if (exponent != 0) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
  // A subnormal half is a multiple of 2^-24, which a float holds exactly.
  float magnitude = (float)fraction * 0x1p-24f;
  return float_of(sign | bits_of(magnitude));
}

uint16_t port_float_to_half(float value) {
  uint32_t bits = bits_of(value);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
  uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return sign | 0x7E00u | (uint16_t)(magnitude >> 13 & 0x3FFu);
  if (magnitude >= 0x477FF000u) return sign | 0x7C00u;
  if (magnitude >= 0x38800000u) {
    uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u);
    return sign | (uint16_t)((rounded - 0x38000000u) >> 13);
  }
  // Adding 1/2 leaves the multiple of 2^-24 in the lowest bits, rounded to nearest even.
  float shifted = float_of(magnitude) + 0.5f;
  return sign | (uint16_t)(bits_of(shifted) - 0x3F000000u);
}

static void f16_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, from + 2 * i, 2);
    float value = port_half_to_float(half);
    memcpy(to + 4 * i, &value, 4);
  }
}

static void bf16_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, from + 2 * i, 2);
    uint32_t bits = (uint32_t)half << 16;
    memcpy(to + 4 * i, &bits, 4);
  }
}

static void f32_to_f16(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t i = 0; i < count; i++) {
    float value;
    memcpy(&value, from + 4 * i, 4);
    uint16_t half = port_float_to_half(value);
    memcpy(to + 2 * i, &half, 2);
  }
}

static void f32_to_bf16(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, from + 4 * i, 4);
    uint32_t rounded = bits + 0x7FFFu + (bits >> 16 & 1u);
    int is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    uint16_t half = (uint16_t)((is_nan ? bits | 0x400000u : rounded) >> 16);
    memcpy(to + 2 * i, &half, 2);
  }
}

static void f32_to_q8_0(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t block = 0; block < count / 32; block++, from += 128, to += 34) {
    float values[32];
    memcpy(values, from, sizeof values);
    float greatest = 0;
    for (int i = 0; i < 32; i++) {
      float magnitude = fabsf(values[i]);
      if (magnitude > greatest) greatest = magnitude;
    }
    float scale = greatest / 127.0f;
    float inverse = scale != 0 ? 1.0f / scale : 0.0f;
    uint16_t half = port_float_to_half(scale);
    memcpy(to, &half, 2);
    for (int i = 0; i < 32; i++) {
      float product = values[i] * inverse;
      to[2 + i] = isfinite(product) ? (uint8_t)(int8_t)roundf(product) : 0;
    }
  }
}

static void q8_0_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t block = 0; block < count / 32; block++, from += 34, to += 128) {
    uint16_t half;
    memcpy(&half, from, 2);
    float scale = port_half_to_float(half);
    for (int i = 0; i < 32; i++) {
      float value = (float)(int8_t)from[2 + i] * scale;
      memcpy(to + 4 * i, &value, 4);
    }
  }
}

const struct port_kernels port_portable_kernels = {
  "portable", f16_to_f32, bf16_to_f32, f32_to_f16, f32_to_bf16, f32_to_q8_0, q8_0_to_f32,
  port_portable_blocks, port_portable_refine, &port_portable_matrix,
};
