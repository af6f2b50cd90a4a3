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

/// The sums over the elements below each cut, one more than there are elements.
struct cut_sums {
  float x[2][33];  // Σ w x, of each half
  float w[2][33];  // Σ w
};

typedef struct cut (*cut_search)(const struct cut_sums *sums);

struct cut port_search_cut_iq1_s(const struct cut_sums *sums);
struct cut port_search_cut_iq1_m(const struct cut_sums *sums);

void port_encode_with_iq1_s(const struct block *block, uint8_t *to, cut_search search);
void port_encode_with_iq1_m(const struct block *block, uint8_t *to, cut_search search);

#endif
