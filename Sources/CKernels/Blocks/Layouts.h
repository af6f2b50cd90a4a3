#ifndef PORT_LAYOUTS_H
#define PORT_LAYOUTS_H

// The bytes of the blocks that have more than a scale and codes. All numbers are little-endian.

#include <stdint.h>

struct q2_k {
  uint8_t scales[16];  // a scale in the low, an offset in the high nibble
  uint8_t codes[64];
  uint8_t scale[2], offset[2];
};

struct q3_k {
  uint8_t high[32];
  uint8_t codes[64];
  uint8_t scales[12];
  uint8_t scale[2];
};

struct q4_k {
  uint8_t scale[2], offset[2];
  uint8_t scales[12];
  uint8_t codes[128];
};

struct q5_k {
  uint8_t scale[2], offset[2];
  uint8_t scales[12];
  uint8_t high[32];
  uint8_t codes[128];
};

struct q6_k {
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];
  uint8_t scale[2];
};

struct iq4_xs {
  uint8_t scale[2];
  uint8_t scales_high[2];
  uint8_t scales_low[4];
  uint8_t codes[128];
};

struct iq2_xxs {
  uint8_t scale[2];
  /// For 32 elements: four indices, then four times 7 bits of signs and 4 of scale.
  uint8_t groups[8][8];
};

struct iq2_xs {
  uint8_t scale[2];
  /// 9 bits of index and 7 of signs.
  uint8_t points[32][2];
  /// Two nibbles, each for 16 elements.
  uint8_t scales[8];
};

struct iq2_s {
  uint8_t scale[2];
  uint8_t points[32];
  uint8_t signs[32];
  /// Two more bits for each index.
  uint8_t high[8];
  uint8_t scales[8];
};

struct iq3_xxs {
  uint8_t scale[2];
  uint8_t points[64];
  /// For 32 elements four times 7 bits of signs, then 4 of scale.
  uint8_t tails[8][4];
};

struct iq3_s {
  uint8_t scale[2];
  uint8_t points[64];
  /// The ninth bits of the indices.
  uint8_t high[8];
  uint8_t signs[32];
  /// Two nibbles, each for 32 elements.
  uint8_t scales[4];
};

struct iq1_s {
  uint8_t scale[2];
  uint8_t points[32];
  /// For 32 elements: four times three bits of index, three of scale, one for moved down.
  uint8_t high[8][2];
};

struct iq1_m {
  uint8_t points[32];
  /// For 16 elements twice: three bits of index, one for moved down.
  uint8_t high[16];
  /// Four words: four scales of three bits, and four bits of the scale of all.
  uint8_t scales[8];
};

#endif
