#include "Codebook.h"

#include <string.h>

/// What each codebook is made of.
static const struct recipe {
  const uint16_t *points;
  int point_count;
  int element_count, level_count;
  /// Neighbours are all points at the nearest so many distances.
  int distance_count;
  /// What the lists take.
  int chunk_count;
} recipes[PORT_CODEBOOK_COUNT] = {
  [PORT_CODEBOOK_IQ2_XXS] = {port_points_iq2_xxs, 256, 8, 3, 2, 10071},
  [PORT_CODEBOOK_IQ2_XS] = {port_points_iq2_xs, 512, 8, 3, 2, 14410},
  [PORT_CODEBOOK_IQ2_S] = {port_points_iq2_s, 1024, 8, 3, 1, 6286},
  [PORT_CODEBOOK_IQ1] = {port_points_iq1, 2048, 8, 3, 3, 22647},
  [PORT_CODEBOOK_IQ3_XXS] = {port_points_iq3_xxs, 256, 4, 8, 2, 3902},
  [PORT_CODEBOOK_IQ3_S] = {port_points_iq3_s, 512, 4, 8, 3, 3706},
};

size_t port_codebook_byte_count(enum port_codebook_name name) {
  size_t neighbours = (size_t)recipes[name].chunk_count * CHUNK;
  return sizeof(struct port_codebook) + neighbours * sizeof(uint32_t);
}

static int packed_level(const struct recipe *recipe, unsigned packed, int i) {
  return recipe->level_count == 3 ? packed >> 2 * i & 3 : packed >> 3 * i & 7;
}

static uint32_t nibbles_of(const struct recipe *recipe, unsigned packed) {
  uint32_t point = 0;
  for (int i = 0; i < recipe->element_count; i++) {
    unsigned offset = recipe->level_count == 3 ? 4 * (i % 4) : 8 * (i % 2);
    point |= ((unsigned)packed_level(recipe, packed, i) + offset) << 4 * i;
  }
  return point;
}

/// Squared distances of the combinations of half the levels, of which there are 81 or 64.
struct halves {
  int count;
  uint8_t distances[81][81];
  /// The halves of each point.
  uint8_t first[2048], second[2048];
};

static void split_in_halves(const struct recipe *recipe, struct halves *halves) {
  int elements = recipe->element_count / 2, levels = recipe->level_count;
  halves->count = levels == 3 ? 81 : 64;
  for (int a = 0; a < halves->count; a++) {
    for (int b = 0; b < halves->count; b++) {
      int distance = 0;
      for (int i = 0, x = a, y = b; i < elements; i++, x /= levels, y /= levels) {
        distance += (x % levels - y % levels) * (x % levels - y % levels);
      }
      halves->distances[a][b] = (uint8_t)distance;
    }
  }
  for (int p = 0; p < recipe->point_count; p++) {
    int first = 0, second = 0;
    for (int i = 0; i < elements; i++) {
      first = first * levels + packed_level(recipe, recipe->points[p], i);
      second = second * levels + packed_level(recipe, recipe->points[p], elements + i);
    }
    halves->first[p] = (uint8_t)first;
    halves->second[p] = (uint8_t)second;
  }
}

/// Writes the list of neighbours of a place in the map from chunk `first` on; returns its chunks.
static unsigned list_neighbours(
  const struct recipe *recipe, const struct halves *halves, int place, unsigned first,
  struct port_codebook *book
) {
  enum { FARTHEST = 4 * 49 };
  const uint8_t *first_distances = halves->distances[place / halves->count];
  const uint8_t *second_distances = halves->distances[place % halves->count];
  uint8_t distances[2048];
  int counts[FARTHEST + 1] = {0};
  for (int p = 0; p < recipe->point_count; p++) {
    int distance = first_distances[halves->first[p]] + second_distances[halves->second[p]];
    distances[p] = (uint8_t)distance;
    counts[distance] += 1;
  }
  uint32_t *list = book->neighbours + first * CHUNK;
  unsigned count = 0;
  int wanted = recipe->distance_count;
  for (int distance = 0; distance <= FARTHEST && wanted > 0; distance++) {
    if (counts[distance] == 0) continue;
    for (int p = 0; p < recipe->point_count; p++) {
      if (distances[p] == distance) list[count++] = book->points[p];
    }
    wanted -= 1;
  }
  unsigned chunks = (count + CHUNK - 1) / CHUNK;
  for (; count < chunks * CHUNK; count++) list[count] = list[count - 1];
  return chunks;
}

void port_codebook_build(enum port_codebook_name name, void *memory) {
  const struct recipe *recipe = &recipes[name];
  struct port_codebook *book = memory;
  struct halves halves;
  split_in_halves(recipe, &halves);
  memset(book, 0, sizeof *book);
  book->element_count = recipe->element_count;
  book->level_count = recipe->level_count;
  int places = halves.count * halves.count;
  for (int place = 0; place < places; place++) book->map[place] = OFF_GRID;
  for (int p = 0; p < recipe->point_count; p++) {
    book->points[p] = nibbles_of(recipe, recipe->points[p]);
    book->map[halves.first[p] * halves.count + halves.second[p]] = (uint32_t)p;
  }
  unsigned chunk = 0;
  for (int place = 0; place < places; place++) {
    if (book->map[place] != OFF_GRID) continue;
    unsigned chunks = list_neighbours(recipe, &halves, place, chunk, book);
    book->map[place] = OFF_GRID | chunks << 16 | chunk;
    chunk += chunks;
  }
}
