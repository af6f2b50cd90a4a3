#ifndef PORT_CODEBOOK_H
#define PORT_CODEBOOK_H

// The codebooks of the IQ1, IQ2 and IQ3 types: groups of elements become the nearest of a set of
// points, whose index is stored.
//
// A point has eight levels of 0 ... 2 or four of 0 ... 7. Here it is eight nibbles, the first element
// lowest: of eight levels, nibble i is level + 4 · (i % 4); of four, level + 8 · (i % 2). So the low
// bits of a nibble select from a small table that serves neighbouring elements together.

#include "CKernels.h"

extern const uint16_t port_points_iq2_xxs[256];
extern const uint16_t port_points_iq2_xs[512];
extern const uint16_t port_points_iq2_s[1024];
extern const uint16_t port_points_iq1[2048];
extern const uint16_t port_points_iq3_xxs[256];
extern const uint16_t port_points_iq3_s[512];

/// The entries of a list of neighbours come in chunks of so many, the last repeated.
enum { CHUNK = 16 };

struct port_codebook {
  /// 8 or 4.
  int element_count;
  /// 3 or 8.
  int level_count;
  /// For each combination of levels, the first most significant, base `level_count`: the index of
  /// the point where it is one; otherwise OFF_GRID | chunks << 16 | first chunk.
  uint32_t map[6561];
  /// The points by index, in nibbles.
  uint32_t points[2048];
  /// The nearest points of each combination off the grid, in nibbles, by distance, then index.
  uint32_t neighbours[];
};

#define OFF_GRID 0x80000000u

/// The level of element `i` of a point.
static inline int codebook_level(const struct port_codebook *book, uint32_t point, int i) {
  return (int)(point >> 4 * i & (book->level_count == 3 ? 3u : 7u));
}

/// The place in the map of these levels.
static inline int codebook_place(const struct port_codebook *book, const uint8_t *levels) {
  int place = 0;
  for (int i = 0; i < book->element_count; i++) place = place * book->level_count + levels[i];
  return place;
}

/// The index of a point that is on the grid.
static inline int codebook_index(const struct port_codebook *book, uint32_t point) {
  int place = 0;
  for (int i = 0; i < book->element_count; i++) {
    place = place * book->level_count + codebook_level(book, point, i);
  }
  return (int)(book->map[place] & 0xFFFFu);
}

#endif
