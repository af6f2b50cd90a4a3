#ifndef PORT_IQ1_H
#define PORT_IQ1_H

// IQ1_S and IQ1_M: eight elements become a point of a codebook with the values −1, 0, 1, all moved up
// or down by ⅛.
//
// The best scale is found by trying every way to cut the sorted elements of a group into those that
// become the lowest, the middle and the highest value.

#include "Blocks.h"

/// The values of the levels, moved up and down.
extern const float port_values_iq1[2][3];

/// The best cut of a group.
struct cut {
  /// The sorted elements from `first` on are in the middle, from `second` on at the top; −1: none.
  int first, second;
  /// Which halves of the group are moved down: bit 1 for the first half, bit 0 for the second. IQ1_S
  /// has one for the whole group, in bit 0.
  int down;
  float scale;
};

/// The sums over the elements below each cut, one more than there are elements, and room to read
/// beyond.
struct cut_sums {
  float x[2][48];  // Σ w x, of each half
  float w[2][48];  // Σ w
};

/// The steps of the search that every path does its own way.
struct iq1_steps {
  /// Orders the elements by value; equal ones stay in order.
  void (*sort)(int count, const float *x, uint8_t *order);
  struct cut (*cut)(const struct cut_sums *sums);
  /// The nearest of the neighbours of an entry by Σ w · (scale · value − x)²; of equals, the first.
  uint32_t (*neighbour)(
    const struct port_codebook *book, uint32_t entry, const float *x, const float *w,
    const float *values, float scale);
};

void port_encode_with_iq1_s(const struct block *block, uint8_t *to, const struct iq1_steps *steps);
void port_encode_with_iq1_m(const struct block *block, uint8_t *to, const struct iq1_steps *steps);

#endif
