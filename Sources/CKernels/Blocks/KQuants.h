#ifndef PORT_KQUANTS_H
#define PORT_KQUANTS_H

// The K types: 256 elements in 16 groups of 16 (Q2, Q3, Q6) or 8 groups of 32 (Q4, Q5). Each group has
// a scale, and an offset in Q2, Q4 and Q5; scales and offsets are themselves quantized.
//
// Encoding is a search for the scale and offset of each group, which every path does its own way, and
// a finish that all share.

#include "Search.h"

/// codes = limited(nearest((x + offset) / scale), low, high) − low in each group of `count` elements of
/// a block whose scale is not 0.
typedef void (*k_requantizer)(
  int count, const float *x, const float *scales, const float *offsets, int low, int high,
  uint8_t *codes);

void port_requantize(
  int count, const float *x, const float *scales, const float *offsets, int low, int high,
  uint8_t *codes);

/// What the searches find for the groups of one block.
struct k_groups {
  float scales[16], offsets[16];
  /// Where there is importance: the sum of each group's weights, and the scales and offsets as
  /// quantized by a weighted search.
  float weights[16];
  float scale_step, offset_step;
  uint8_t scale_codes[16], offset_codes[16];
  /// They stay where the quantized scale of a group is 0.
  uint8_t codes[SUPER];
  int has_importance;
  k_requantizer requantize;
};

typedef void (*k_finish)(const float *x, struct k_groups *groups, uint8_t *to);

/// Quantize the scales, quantize the elements again with the scales as stored, and pack.
void port_finish_q2_k(const float *x, struct k_groups *groups, uint8_t *to);
void port_finish_q3_k(const float *x, struct k_groups *groups, uint8_t *to);
void port_finish_q4_k(const float *x, struct k_groups *groups, uint8_t *to);
void port_finish_q5_k(const float *x, struct k_groups *groups, uint8_t *to);
void port_finish_q6_k(const float *x, struct k_groups *groups, uint8_t *to);

/// Without and with importance.
extern const struct affine_rule port_rules_q2_k[2], port_rules_q4_k[2], port_rules_q5_k[2];

#endif
