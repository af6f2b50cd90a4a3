// MXFP4 and NVFP4: E2M1 elements (0, ½, 1, 1½, 2, 3, 4, 6 and their negatives) with the scale of 32
// elements as E8M0, or of each 16 elements as unsigned E4M3.

#include "FP4.h"

#include "Encoders.h"

/// Twice the values of the codes.
static const int8_t doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// The code of the nearest multiple of half the scale; of equally near ones, the first.
static int nearest_code(float x, float half_scale) {
  int best = 0;
  float least = fabsf((float)doubled[0] * half_scale - x);
  for (int code = 1; code < 16; code++) {
    float error = fabsf((float)doubled[code] * half_scale - x);
    if (error < least) {
      least = error;
      best = code;
    }
  }
  return best;
}

float port_half_e8m0(uint8_t exponent) {
  // The two smallest are subnormal.
  uint32_t bits = exponent < 2 ? 0x200000u << exponent : (uint32_t)(exponent - 1) << 23;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

uint8_t port_mxfp4_exponent(float greatest) {
  if (!(greatest > 0)) return 0;
  if (isinf(greatest)) return 0;
  int exponent;
  float fraction = frexpf(greatest, &exponent);
  exponent -= 1;
  // ⌊log₂⌋ as F32 computes it: just below a power of two, the logarithm rounds up to the integer
  // when its distance, units / 2²⁴ / ln 2, is below half a step of the floats there.
  int above = exponent + 1;
  if (above != 0) {
    int magnitude = above < 0 ? -above : above;
    float step = 1;
    while (2 * step <= (float)magnitude) step *= 2;
    // The floats below a power of two are closer.
    if (above > 0 && step == (float)magnitude) step /= 2;
    float units = (1 - fraction) * 0x1p24f;
    if (units < step * 0.693147181f) exponent = above;
  }
  return (uint8_t)(exponent - 2 + 127);
}

float port_half_ue4m3(uint8_t code) {
  uint32_t exponent = code >> 3 & 15, fraction = code & 7;
  if (code == 0 || code == 127) return 0;
  if (exponent == 0) return (float)fraction * 0x1p-10f;
  uint32_t bits = (exponent + 119) << 23 | fraction << 20;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

uint8_t port_ue4m3(float value) {
  if (!(value > 0)) return 0;
  if (value >= 256) return 126;
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  int exponent = (int)(bits >> 23) - 120;
  if (exponent <= 0) {
    int fraction = (int)(value * 512 + 0.5f);
    return (uint8_t)(fraction < 7 ? fraction : 7);
  }
  // Halves round up, and may carry into the exponent.
  int code = (exponent << 3 | (int)(bits >> 20 & 7)) + (int)(bits >> 19 & 1);
  return (uint8_t)(code < 120 ? code : 126);
}

static float greatest_magnitude(const float *x, int count) {
  float most = 0;
  for (int i = 0; i < count; i++) {
    if (most < fabsf(x[i])) most = fabsf(x[i]);
  }
  return most;
}

/// Element j in the low and element j + count / 2 in the high nibble of byte j.
static void encode_group(const float *x, int count, float half_scale, uint8_t *to) {
  for (int i = 0; i < count / 2; i++) {
    int low = nearest_code(x[i], half_scale), high = nearest_code(x[i + count / 2], half_scale);
    to[i] = (uint8_t)(low | high << 4);
  }
}

/// E8M0 2^(⌊log₂ max|x|⌋ − 2), then 16 bytes of codes.
static void encode_mxfp4(const struct block *block, uint8_t *to) {
  to[0] = port_mxfp4_exponent(greatest_magnitude(block->values, 32));
  encode_group(block->values, 32, port_half_e8m0(to[0]), to + 1);
}

/// Four scales E4M3(max|x| / 6), then 8 bytes of codes for each.
static void encode_nvfp4(const struct block *block, uint8_t *to) {
  for (int group = 0; group < 4; group++) {
    const float *x = block->values + 16 * group;
    to[group] = port_ue4m3(greatest_magnitude(x, 16) / 6.0f);
    encode_group(x, 16, port_half_ue4m3(to[group]), to + 4 + 8 * group);
  }
}

PORT_ENCODER(mxfp4, 32, 17, 0)
PORT_ENCODER(nvfp4, 64, 36, 0)
