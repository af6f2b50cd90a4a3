// What `--search thorough` gains and takes, as the table of docs/types/thorough-search.md.
//
//   clang -O2 -I Sources/CKernels/include -o thorough_search Tests/Benchmarks/thorough_search.c \
//     $(find Sources/CKernels -name '*.c') -lm
//   thorough_search [FILE] [PATH]
//
// FILE holds F32, such as the matrices of a model one after the other; without it, or for "-", the
// values are normally distributed. PATH is a number from 0 (portable), the fastest by default.

#include "CKernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 1 << 18 };

static const struct type {
  enum port_block_name row;
  const char *name;
  size_t element_count, byte_count;
} types[] = {
  {PORT_Q4_0, "Q4_0", 32, 18},    {PORT_Q4_1, "Q4_1", 32, 20},    {PORT_Q5_0, "Q5_0", 32, 22},
  {PORT_Q5_1, "Q5_1", 32, 24},    {PORT_Q8_0, "Q8_0", 32, 34},    {PORT_Q2_K, "Q2_K", 256, 84},
  {PORT_Q3_K, "Q3_K", 256, 110},  {PORT_Q4_K, "Q4_K", 256, 144},  {PORT_Q5_K, "Q5_K", 256, 176},
  {PORT_Q6_K, "Q6_K", 256, 210},  {PORT_IQ4_NL, "IQ4_NL", 32, 18},
  {PORT_IQ4_XS, "IQ4_XS", 256, 136},
};

static uint64_t state = 1;

static double uniform(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return ((double)(state >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void) {
  return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/// √ of the mean of w (y − x)².
static double error_of(const float *x, const float *y, const float *w, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    double difference = (double)y[i] - (double)x[i];
    sum += (w ? (double)w[i] : 1) * difference * difference;
  }
  return sqrt(sum / (double)count);
}

int main(int count, char **arguments) {
  static float x[MOST], w[MOST], y[MOST];
  static uint8_t blocks[2 * MOST];
  size_t length = MOST;
  if (count > 1 && strcmp(arguments[1], "-")) {
    FILE *file = fopen(arguments[1], "rb");
    if (!file) {
      perror(arguments[1]);
      return 66;
    }
    length = fread(x, 4, MOST, file) / 256 * 256;
    fclose(file);
  } else {
    for (size_t i = 0; i < length; i++) x[i] = (float)normal();
  }
  for (size_t i = 0; i < length; i++) w[i] = (float)exp(normal());
  const struct port_kernels *kernels =
    count > 2 ? port_kernels_for(atoi(arguments[2])) : port_best_kernels();
  if (!kernels) {
    fprintf(stderr, "this processor has no such path\n");
    return 64;
  }
  printf("%s, %zu values\n", kernels->name, length);
  printf("| type | error | thorough | gain | gain, importance | rate, reference | search |\n");
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    const struct type *type = &types[t];
    double gains[2], errors[2], rates[2];
    for (int weighs = 1; weighs >= 0; weighs--) {
      const float *weights = weighs && type->row != PORT_Q8_0 ? w : NULL;
      const struct port_rows rows = {x, length, 1, weights};
      // Once to warm up.
      kernels->blocks[type->row].encode(&rows, blocks, NULL);
      double start = seconds();
      kernels->blocks[type->row].encode(&rows, blocks, NULL);
      double middle = seconds();
      kernels->blocks[type->row].decode(blocks, y, length);
      errors[0] = error_of(x, y, weights, length);
      double again = seconds();
      kernels->refine(type->row, &rows, blocks);
      double end = seconds();
      kernels->blocks[type->row].decode(blocks, y, length);
      errors[1] = error_of(x, y, weights, length);
      gains[weighs] = 100 * (1 - errors[1] / errors[0]);
      rates[0] = (double)length / (middle - start) / 1e6;
      rates[1] = (double)length / (end - again) / 1e6;
    }
    printf(
      "| %s | %.4g | %.4g | %.1f %% | %.1f %% | %.0f M/s | %.1f M/s |\n", type->name, errors[0],
      errors[1], gains[0], gains[1], rates[0], rates[1]);
  }
  return 0;
}
