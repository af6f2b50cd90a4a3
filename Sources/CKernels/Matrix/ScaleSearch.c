#define PATH
#include "CKernels.h"
#include "FloatBits.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

// The search for a scale needs, in each round, Σ w·q and Σ q² over a row. As |q| is the number of
// thresholds that |w| reaches, both are sums over thresholds T_j, the least magnitude with a code of
// j: Σ w·q of the magnitudes that reach T_j, Σ q² of 2j − 1 for each. The magnitudes are sorted into
// buckets once, with the number and the sum of all that are greater; only the bucket that holds T_j
// is walked in a round. Codes are those of w / scale in F32, to the last bit.

enum {
  // Codes are within -8 and 7.
  LIMIT = 7,
  // An octave has 128 buckets; the last one holds all that is less than 2^-8 of the greatest.
  BUCKET_SHIFT = 16,
  BUCKET_COUNT = 8 << 7,
  // Magnitudes of 0 behind those of each sign, so that buckets can be walked in whole groups.
  GROUP = PORT_SEARCH_PADDING / 2,
};

// The magnitudes of one sign.
struct side {
  // Where each bucket begins; the greatest magnitudes come first.
  uint32_t start[BUCKET_COUNT + 1];
  // The sum of the buckets before.
  double sum[BUCKET_COUNT];
};

struct search {
  struct side sides[2];
  uint32_t greatest;
  const uint32_t *magnitudes;
};

struct sums {
  double products, squares;
};

static inline uint32_t bucket(const struct search *search, uint32_t magnitude) {
  uint32_t number = (search->greatest - magnitude) >> BUCKET_SHIFT;
  return number < BUCKET_COUNT ? number : BUCKET_COUNT - 1;
}

// Whether a magnitude divided by the scale, rounded half to even, is at least `code`; quotients are
// far below 2^22.
static inline int reaches(uint32_t magnitude, float scale, float code) {
  float shifted = float_of(magnitude) / scale + 0x1.8p23f;
  return shifted - 0x1.8p23f >= code;
}

// The least magnitudes with codes of 1, 2 … Each is one before to two after the middle between two
// codes as F32: rounding that takes half a step, rounding the quotient a whole one at most.
static void find_thresholds(float scale, uint32_t *least) {
  for (int32_t i = 0; i <= LIMIT; i++) {
    uint32_t middle = bits_of((float)((i + 0.5) * (double)scale));
    uint32_t found = middle + 2;
    for (uint32_t candidate = middle + 1; candidate != middle - 2; candidate--) {
      found = reaches(candidate, scale, (float)(i + 1)) ? candidate : found;
    }
    least[i] = found;
  }
}

static struct sums sums_at(const struct search *search, float scale) {
  uint32_t thresholds[LIMIT + 1];
  find_thresholds(scale, thresholds);
  struct sums sums = {0, 0};
  for (int32_t code = 1; code <= LIMIT + 1; code++) {
    uint32_t least = thresholds[code - 1];
    if (least > search->greatest) break;
    uint32_t number = bucket(search, least);
    uint32_t counts[GROUP] = {0};
    double parts[GROUP] = {0};
    uint32_t count = 0;
    double sum = 0;
    // The code after the limit is for negative values only.
    for (int sign = code > LIMIT; sign < 2; sign++) {
      const struct side *side = &search->sides[sign];
      count += side->start[number] - side->start[0];
      sum += side->sum[number];
      // What follows the bucket is less.
      for (uint32_t i = side->start[number]; i < side->start[number + 1]; i += GROUP) {
        for (uint32_t lane = 0; lane < GROUP; lane++) {
          uint32_t magnitude = search->magnitudes[i + lane];
          uint32_t reached = magnitude >= least ? ~0u : 0;
          counts[lane] -= reached;
          parts[lane] += float_of(magnitude & reached);
        }
      }
    }
    for (uint32_t lane = 0; lane < GROUP; lane++) {
      count += counts[lane];
      sum += parts[lane];
    }
    sums.products += sum;
    sums.squares += (2.0 * code - 1) * count;
  }
  return sums;
}

static void sort(struct search *search, const float *values, size_t count, uint32_t *magnitudes) {
  uint32_t next[2][BUCKET_COUNT];
  memset(next, 0, sizeof next);
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = bits_of(values[i]);
    next[bits >> 31][bucket(search, bits & 0x7FFFFFFFu)]++;
  }
  uint32_t start = 0;
  for (int sign = 0; sign < 2; sign++) {
    uint32_t *starts = search->sides[sign].start;
    for (size_t number = 0; number < BUCKET_COUNT; number++) {
      uint32_t own = next[sign][number];
      starts[number] = next[sign][number] = start;
      start += own;
    }
    starts[BUCKET_COUNT] = start;
    memset(magnitudes + start, 0, GROUP * sizeof *magnitudes);
    start += GROUP;
  }
  double sums[2][BUCKET_COUNT] = {0};
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = bits_of(values[i]);
    uint32_t magnitude = bits & 0x7FFFFFFFu;
    uint32_t number = bucket(search, magnitude);
    magnitudes[next[bits >> 31][number]++] = magnitude;
    sums[bits >> 31][number] += float_of(magnitude);
  }
  search->magnitudes = magnitudes;
  double totals[2] = {0};
  for (size_t number = 0; number < BUCKET_COUNT; number++) {
    for (int sign = 0; sign < 2; sign++) {
      search->sides[sign].sum[number] = totals[sign];
      totals[sign] += sums[sign][number];
    }
  }
}

float port_searched_scale(
  const float *values, size_t count, float greatest, float first, uint32_t *magnitudes
) {
  struct search search;
  search.greatest = bits_of(greatest);
  sort(&search, values, count, magnitudes);
  float best = first;
  float scale = first;
  struct sums sums = sums_at(&search, first);
  // The square error without Σ w².
  double least = scale * (scale * sums.squares - 2 * sums.products);
  for (int round = 0; round < 50 && sums.squares > 0; round++) {
    float next = (float)(sums.products / sums.squares);
    // The codes stay the same, or all are 0.
    if (next == scale || !(next > 0)) break;
    scale = next;
    sums = sums_at(&search, scale);
    double error = scale * (scale * sums.squares - 2 * sums.products);
    if (error < least) {
      best = scale;
      least = error;
    }
  }
  return best;
}
