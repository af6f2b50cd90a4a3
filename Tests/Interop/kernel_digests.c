// Prints a digest of what every kernel of every path makes of the golden inputs and of seeded random
// ones, so that machines can be compared: one line for each path, kernel and input.
//
//   kernel_digests SEED FOLDER
//
// Writes to the folder what the fastest path makes of the golden inputs, in the files of
// Fixtures/quants/ggml/golden.

#include "CKernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct type {
  const char *name;
  size_t element_count, byte_count;
  /// −1: none.
  int codebook;
  int needs_importance;
};

/// In the order of `port_block_name`.
static const struct type types[PORT_BLOCK_COUNT] = {
  {"q4_0", 32, 18, -1, 0}, {"q4_1", 32, 20, -1, 0}, {"q5_0", 32, 22, -1, 0},
  {"q5_1", 32, 24, -1, 0}, {"q8_0", 32, 34, -1, 0}, {"q2_k", 256, 84, -1, 0},
  {"q3_k", 256, 110, -1, 0}, {"q4_k", 256, 144, -1, 0}, {"q5_k", 256, 176, -1, 0},
  {"q6_k", 256, 210, -1, 0}, {"iq2_xxs", 256, 66, PORT_CODEBOOK_IQ2_XXS, 1},
  {"iq2_xs", 256, 74, PORT_CODEBOOK_IQ2_XS, 1}, {"iq2_s", 256, 82, PORT_CODEBOOK_IQ2_S, 0},
  {"iq3_xxs", 256, 98, PORT_CODEBOOK_IQ3_XXS, 0}, {"iq3_s", 256, 110, PORT_CODEBOOK_IQ3_S, 0},
  {"iq1_s", 256, 50, PORT_CODEBOOK_IQ1, 1}, {"iq1_m", 256, 56, PORT_CODEBOOK_IQ1, 0},
  {"iq4_nl", 32, 18, -1, 0}, {"iq4_xs", 256, 136, -1, 0}, {"tq1_0", 256, 54, -1, 0},
  {"tq2_0", 256, 66, -1, 0}, {"mxfp4", 32, 17, -1, 0}, {"nvfp4", 64, 36, -1, 0},
  {"q1_0", 128, 18, -1, 0}, {"q2_0", 64, 18, -1, 0},
};

static struct port_codebook *codebooks[PORT_CODEBOOK_COUNT];

static uint64_t state;

/// 24 random bits.
static uint32_t next(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 40);
}

static float next_normal(void) {
  int sum = -8190;
  for (int i = 0; i < 4; i++) sum += (int)(next() >> 12);
  return (float)sum / 262144;
}

static float next_power(int least, int most) {
  return ldexpf(1, least + (int)(next() % (uint32_t)(most - least + 1)));
}

static void *room(size_t byte_count) {
  void *memory = malloc(byte_count);
  if (!memory) exit(70);
  return memory;
}

/// FNV-1a.
static uint64_t digest(const void *bytes, size_t count) {
  const uint8_t *byte = bytes;
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < count; i++) hash = (hash ^ byte[i]) * 1099511628211u;
  return hash;
}

struct input {
  const char *name;
  size_t row_count, row_length;
  float *values;
};

enum { GOLDEN_COUNT = 6, RANDOM_COUNT = 8 };

static struct input rows_of(const char *name, size_t row_count, size_t row_length) {
  return (struct input){name, row_count, row_length, room(4 * row_count * row_length)};
}

/// As Fixtures/quants/ggml/README.md has them.
static struct input golden_input(int index) {
  static const char *const names[GOLDEN_COUNT] = {
    "normal", "constant", "tiny", "huge", "ties", "outliers",
  };
  struct input input = rows_of(names[index], 8, 1024);
  state = 42;
  for (size_t i = 0; i < 8 * 1024; i++) {
    size_t row = i / 1024, column = i % 1024;
    float x = next_normal();
    if (index == 1) {
      if (row == 0 && column / 256 == 1) x = 0;
      if (row == 1 && column < 256) x = 0.0078125f;
      if (row == 2) x = 0;
      if (row == 3) x = -0.0078125f;
    }
    if (index == 2) x = ldexpf(x, -4 * (int)row);
    if (index == 3) x *= 300000;
    if (index == 4) x = rintf(x * 64) / 64;
    if (index == 5) {
      if (column % 97 == 5) x *= 32;
      if (column % 8 == 3) x = 0;
      if (column % 101 == 7) x *= -64;
    }
    input.values[i] = x;
  }
  return input;
}

/// Nine blocks of 256 in each of five rows: what fills no batch of any path.
static struct input random_input(int index, uint64_t seed) {
  static const char *const names[RANDOM_COUNT] = {
    "scales of groups", "scales of rows", "subnormal", "few values", "sparse", "one sign",
    "offset", "outliers of groups",
  };
  struct input input = rows_of(names[index], 5, 2304);
  state = seed + (uint64_t)index;
  float scale = 1;
  for (size_t i = 0; i < 5 * 2304; i++) {
    float x = next_normal();
    if (index == 0 && i % 32 == 0) scale = next_power(-40, 12);
    if (index == 1 && i % 2304 == 0) scale = next_power(-40, 16);
    if (index == 2 && i % 2304 == 0) scale = next_power(-148, -60);
    x *= scale;
    if (index == 3) x = (float)((int)(next() % 5) - 2) / 2;
    if (index == 4 && next() % 20 != 0) x = 0;
    if (index == 5) x = i / 2304 % 2 ? fabsf(x) : -fabsf(x);
    if (index == 6) x = x / 64 + 3;
    if (index == 7 && next() % 16 == 0) x *= 100;
    input.values[i] = x;
  }
  return input;
}

/// Weights for the elements of a row: those of the golden files, or of many magnitudes, some 0.
static float *importance_of(size_t row_length, int is_golden) {
  float *weights = room(4 * row_length);
  state = 7;
  for (size_t i = 0; i < row_length; i++) {
    float w = (float)(1 + (next() >> 14)) / 1024;
    if (!is_golden) w = next() % 10 == 0 ? 0 : w * next_power(-20, 8);
    weights[i] = w;
  }
  return weights;
}

static void write_golden(
  const char *folder, const char *type, const char *input, const char *kind, const void *bytes,
  size_t byte_count
) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s.%s.%s.bin", folder, type, input, kind);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, byte_count, file) != byte_count || fclose(file) != 0) {
    perror(path);
    exit(74);
  }
}

static void digest_blocks(
  const struct port_kernels *path, const struct input *input, int is_golden, const char *folder
) {
  float *importance = importance_of(input->row_length, is_golden);
  size_t count = input->row_count * input->row_length;
  float *decoded = room(4 * count);
  for (int t = 0; t < PORT_BLOCK_COUNT; t++) {
    const struct type *type = &types[t];
    size_t byte_count = count / type->element_count * type->byte_count;
    uint8_t *encoded = room(byte_count);
    for (int weighs = type->needs_importance; weighs < 2; weighs++) {
      const char *kind = weighs ? "imatrix" : "plain";
      const struct port_rows rows = {
        input->values, input->row_length, input->row_count, weighs ? importance : NULL,
      };
      path->blocks[t].encode(&rows, encoded, type->codebook < 0 ? NULL : codebooks[type->codebook]);
      path->blocks[t].decode(encoded, decoded, count);
      printf(
        "%s: %s of %s, %s: %016llx, decoded %016llx\n", path->name, type->name, input->name, kind,
        (unsigned long long)digest(encoded, byte_count),
        (unsigned long long)digest(decoded, 4 * count));
      int is_kept = !strcmp(input->name, "normal") || !strcmp(input->name, "constant");
      if (folder && is_golden && is_kept) {
        write_golden(
          folder, type->name, input->name, kind, encoded, byte_count / input->row_count * 2);
      }
      if (is_golden && is_kept && port_can_refine(t)) {
        path->refine(t, &rows, encoded);
        printf(
          "%s: %s of %s, %s, refined: %016llx\n", path->name, type->name, input->name, kind,
          (unsigned long long)digest(encoded, byte_count));
      }
    }
    free(encoded);
  }
  free(decoded);
  free(importance);
}

/// At odd addresses, and of a count that fills no vector.
static void digest_row_kernel(
  const char *path, const char *name, port_row_kernel kernel, const void *from, size_t count,
  size_t from_bytes, size_t to_bytes
) {
  uint8_t *source = room(from_bytes + 1), *destination = room(to_bytes + 1);
  memcpy(source + 1, from, from_bytes);
  kernel(source + 1, destination + 1, count);
  printf(
    "%s: %s: %016llx\n", path, name, (unsigned long long)digest(destination + 1, to_bytes));
  free(source);
  free(destination);
}

static void digest_row_kernels(const struct port_kernels *path, uint64_t seed) {
  enum { COUNT = 65536 + 5, BLOCKS = 4099 };
  uint16_t *halves = room(2 * COUNT);
  uint32_t *singles = room(4 * COUNT);
  uint8_t *blocks = room(34 * BLOCKS);
  state = seed;
  for (uint32_t i = 0; i < COUNT; i++) {
    halves[i] = (uint16_t)i;
    singles[i] = next() << 8 | next() >> 16;
  }
  for (int i = 0; i < 34 * BLOCKS; i++) blocks[i] = (uint8_t)(next() >> 16);
  const char *name = path->name;
  digest_row_kernel(name, "f16 to f32", path->f16_to_f32, halves, COUNT, 2 * COUNT, 4 * COUNT);
  digest_row_kernel(name, "bf16 to f32", path->bf16_to_f32, halves, COUNT, 2 * COUNT, 4 * COUNT);
  digest_row_kernel(name, "f32 to f16", path->f32_to_f16, singles, COUNT, 4 * COUNT, 2 * COUNT);
  digest_row_kernel(name, "f32 to bf16", path->f32_to_bf16, singles, COUNT, 4 * COUNT, 2 * COUNT);
  digest_row_kernel(
    name, "f32 to q8_0", path->f32_to_q8_0, singles, 65536, 4 * 65536, 34 * 65536 / 32);
  digest_row_kernel(
    name, "q8_0 to f32", path->q8_0_to_f32, blocks, 32 * BLOCKS, 34 * BLOCKS, 128 * BLOCKS);
  free(halves);
  free(singles);
  free(blocks);
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: kernel_digests SEED FOLDER\n");
    return 64;
  }
  uint64_t seed = strtoull(arguments[1], NULL, 10);
  for (int name = 0; name < PORT_CODEBOOK_COUNT; name++) {
    size_t byte_count = (port_codebook_byte_count((enum port_codebook_name)name) + 63) / 64 * 64;
    codebooks[name] = aligned_alloc(64, byte_count);
    if (!codebooks[name]) return 70;
    port_codebook_build((enum port_codebook_name)name, codebooks[name]);
  }
  for (int index = 0; index < GOLDEN_COUNT + RANDOM_COUNT; index++) {
    int is_golden = index < GOLDEN_COUNT;
    struct input input =
      is_golden ? golden_input(index) : random_input(index - GOLDEN_COUNT, seed);
    const struct port_kernels *path;
    for (int i = 0; (path = port_kernels_for(i)); i++) {
      const char *folder = path == port_best_kernels() ? arguments[2] : NULL;
      digest_blocks(path, &input, is_golden, folder);
      if (index == 0) digest_row_kernels(path, seed);
    }
    free(input.values);
  }
  for (int name = 0; name < PORT_CODEBOOK_COUNT; name++) free(codebooks[name]);
  return 0;
}
