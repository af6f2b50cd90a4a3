#include "Portable.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

// Loads and stores go through bytes, which need no alignment.

static inline float32x4_t load_floats(const uint8_t *from) {
  return vreinterpretq_f32_u8(vld1q_u8(from));
}

static inline void store_floats(uint8_t *to, float32x4_t values) {
  vst1q_u8(to, vreinterpretq_u8_f32(values));
}

static void f16_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    float16x8_t halves = vreinterpretq_f16_u8(vld1q_u8(from + 2 * i));
    store_floats(to + 4 * i, vcvt_f32_f16(vget_low_f16(halves)));
    store_floats(to + 4 * i + 16, vcvt_high_f32_f16(halves));
  }
  port_portable_kernels.f16_to_f32(from + 2 * i, to + 4 * i, count - i);
}

static void bf16_to_f32(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    uint16x8_t halves = vreinterpretq_u16_u8(vld1q_u8(from + 2 * i));
    vst1q_u8(to + 4 * i, vreinterpretq_u8_u32(vshll_n_u16(vget_low_u16(halves), 16)));
    vst1q_u8(to + 4 * i + 16, vreinterpretq_u8_u32(vshll_high_n_u16(halves, 16)));
  }
  port_portable_kernels.bf16_to_f32(from + 2 * i, to + 4 * i, count - i);
}

static void f32_to_f16(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    float16x4_t low = vcvt_f16_f32(load_floats(from + 4 * i));
    float16x8_t halves = vcvt_high_f16_f32(low, load_floats(from + 4 * i + 16));
    vst1q_u8(to + 2 * i, vreinterpretq_u8_f16(halves));
  }
  port_portable_kernels.f32_to_f16(from + 4 * i, to + 2 * i, count - i);
}

static inline uint32x4_t rounded_bf16(const uint8_t *from) {
  uint32x4_t bits = vreinterpretq_u32_u8(vld1q_u8(from));
  uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
  uint32x4_t magnitude = vandq_u32(bits, vdupq_n_u32(0x7FFFFFFF));
  uint32x4_t is_nan = vcgtq_u32(magnitude, vdupq_n_u32(0x7F800000));
  return vbslq_u32(is_nan, vorrq_u32(bits, vdupq_n_u32(0x400000)), rounded);
}

static void f32_to_bf16(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    uint16x4_t low = vshrn_n_u32(rounded_bf16(from + 4 * i), 16);
    uint16x8_t halves = vshrn_high_n_u32(low, rounded_bf16(from + 4 * i + 16), 16);
    vst1q_u8(to + 2 * i, vreinterpretq_u8_u16(halves));
  }
  port_portable_kernels.f32_to_bf16(from + 4 * i, to + 2 * i, count - i);
}

/// Rounds halves away from zero; what is not finite becomes 0.
static inline int16x4_t codes(float32x4_t values, float inverse) {
  float32x4_t product = vmulq_n_f32(values, inverse);
  uint32x4_t is_finite = vcltq_f32(vabsq_f32(product), vdupq_n_f32(__builtin_inff()));
  int32x4_t code = vcvtaq_s32_f32(product);
  return vmovn_s32(vandq_s32(code, vreinterpretq_s32_u32(is_finite)));
}

static void f32_to_q8_0(const void *source, void *destination, size_t count) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  for (size_t block = 0; block < count / 32; block++, from += 128, to += 34) {
    float32x4_t values[8];
    uint32x4_t most = vdupq_n_u32(0);
    for (int i = 0; i < 8; i++) {
      values[i] = load_floats(from + 16 * i);
      // The bits of magnitudes are ordered as they are; those above infinity are NaN and count as 0.
      uint32x4_t bits = vreinterpretq_u32_f32(vabsq_f32(values[i]));
      uint32x4_t is_nan = vcgtq_u32(bits, vdupq_n_u32(0x7F800000));
      most = vmaxq_u32(most, vbicq_u32(bits, is_nan));
    }
    float scale = vmaxvq_f32(vreinterpretq_f32_u32(most)) / 127.0f;
    float inverse = scale != 0 ? 1.0f / scale : 0.0f;
    uint16_t half = port_float_to_half(scale);
    memcpy(to, &half, 2);
    for (int i = 0; i < 4; i++) {
      int16x8_t eight =
        vcombine_s16(codes(values[2 * i], inverse), codes(values[2 * i + 1], inverse));
      vst1_s8((int8_t *)to + 2 + 8 * i, vmovn_s16(eight));
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
    for (int i = 0; i < 4; i++) {
      int16x8_t eight = vmovl_s8(vld1_s8((const int8_t *)from + 2 + 8 * i));
      float32x4_t low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(eight)));
      float32x4_t high = vcvtq_f32_s32(vmovl_high_s16(eight));
      store_floats(to + 32 * i, vmulq_n_f32(low, scale));
      store_floats(to + 32 * i + 16, vmulq_n_f32(high, scale));
    }
  }
}

const struct port_kernels port_neon_kernels = {
  "neon", f16_to_f32, bf16_to_f32, f32_to_f16, f32_to_bf16, f32_to_q8_0, q8_0_to_f32,
  port_neon_blocks, port_neon_refine, &port_portable_matrix,
};

#endif
