#ifndef PORT_GRID_H
#define PORT_GRID_H

// What IQ2 and IQ3 share: magnitudes from a codebook, signs apart, and the search for the scale of a
// group, x ≈ scale · (2 level + 1).

#include "Search.h"

/// How a type differs from the others.
struct grid_rule {
  /// Elements with one scale: 16 or 32.
  int group;
  /// Levels of an element: 3 or 8.
  int levels;
  /// Signs have 7 bits for 8 elements, an even number of them set.
  int even_signs;
  /// Tries the inverse scales (2 levels − 1 + step · i) / greatest for i in −steps ... steps.
  int steps;
  float step;
  /// Greatest magnitudes below this count as zero.
  float negligible;
  /// The greatest for the steps comes from a search of its own, over the codes 0 ... levels + 1.
  int searches_greatest;
  /// Which points are chosen anew for the best scale: those off the grid; all if any was; always all.
  enum { REFINE_OFF_GRID, REFINE_IF_ANY, REFINE_ALWAYS } refine;
};

extern const struct grid_rule port_rule_iq2_xxs, port_rule_iq2_xs, port_rule_iq2_s;
extern const struct grid_rule port_rule_iq3_xxs, port_rule_iq3_s;

/// One group to search.
struct grid_group {
  float x[32];        // magnitudes; one of eight may be negative for the sake of even signs
  float w[32];        // weights
  float root[32];     // their square roots
  uint8_t signs[4];   // a bit for each negative element
};

struct grid_result {
  /// Whether there is anything to store: not where all elements are negligible.
  int found;
  float scale;
  /// A point of the codebook for each 8 or 4 elements, in nibbles.
  uint32_t points[8];
};

/// Searches the groups of a block; room for 16, whose sums over the missing ones may be taken too.
typedef void (*grid_search)(
  const struct grid_rule *rule, const struct port_codebook *book, struct grid_group *groups,
  struct grid_result *results);

void port_search_grid(
  const struct grid_rule *rule, const struct port_codebook *book, struct grid_group *groups,
  struct grid_result *results);

/// The magnitudes, signs and roots of a group whose weights are set.
void port_split_signs(const struct grid_rule *rule, const float *x, struct grid_group *group);

/// Encodes one block with a search of the path's own.
void port_encode_with_iq2_xxs(const struct block *block, uint8_t *to, grid_search search);
void port_encode_with_iq2_xs(const struct block *block, uint8_t *to, grid_search search);
void port_encode_with_iq2_s(const struct block *block, uint8_t *to, grid_search search);
void port_encode_with_iq3_xxs(const struct block *block, uint8_t *to, grid_search search);
void port_encode_with_iq3_s(const struct block *block, uint8_t *to, grid_search search);

static inline float greatest_scale(const struct grid_result *results, int count) {
  float most = 0;
  for (int i = 0; i < count; i++) {
    if (results[i].scale > most) most = results[i].scale;
  }
  return most;
}

/// The code of a scale relative to the greatest, whose step is `1 / inverse`.
static inline int grid_scale_code(float inverse, float scale, int highest) {
  return limited(nearest(0.5f * (inverse * scale - 1)), 0, highest);
}

#endif
