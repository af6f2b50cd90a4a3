#ifndef PORT_REFINEMENT_H
#define PORT_REFINEMENT_H

// What the types have in common whose scales can be chosen better than the reference chooses them:
//
//   y = (scale · factor) · level − offset · share
//
// with an F16 scale and offset for the block, and a small factor and share for each of its groups.
// `Refine.h` is the search.

#include "Blocks.h"

/// The scales of one block as they are stored.
struct block_scales {
  /// Values of F16.
  float scale, offset;
  int factors[16], shares[16];
};

/// What a type stores, and how its scales are sought.
struct refinement {
  int group_count, group_size, byte_count;
  /// Whole numbers as levels.
  int lowest, highest;
  /// The sixteen levels where they are others, or NULL.
  const int8_t *levels;
  /// Whether there is one group, whose scale and offset are the F16: factor and share are 1.
  int is_simple;
  int lowest_factor, highest_factor;
  /// 0 without offsets.
  int highest_share;
  /// The level at which trials put the extreme element rises by this.
  float step;
  void (*read)(const uint8_t *from, struct block_scales *scales);
  void (*write)(const struct block_scales *scales, uint8_t *codes, uint8_t *to);
  void (*decode)(const void *from, void *to, size_t count);
};

/// 32 codes of Q4 or Q5 without their scale: fifth bits, then nibbles.
void port_pack_q4_q5(const uint8_t *codes, int bits, uint8_t *to);
/// The factors and shares of Q4_K and Q5_K.
void port_unpack_k_scales(const uint8_t *from, uint8_t *scales, uint8_t *offsets);
/// The codes of Q6_K.
void port_pack_q6_k(const uint8_t *codes, uint8_t *to);

/// NULL where there is none.
const struct refinement *port_refinement_of(enum port_block_name name);

#endif
