#include "Encoders.h"

#define DECODER static inline
#define PORT_DECODER(type, elements, bytes) \
  void port_decode_##type(const void *from, void *to, size_t count) { \
    const uint8_t *block = from; \
    loose_float *y = to; \
    for (size_t i = 0; i < count / elements; i++, block += bytes, y += elements) { \
      decode_block_##type(block, y); \
    } \
  }
#include "Decoders.h"

#define REFINER static inline __attribute__((always_inline))
#include "Refine.h"

void port_portable_refine(
  enum port_block_name name, const struct port_rows *rows, void *blocks
) {
  refine_rows(port_refinement_of(name), rows, blocks);
}

// Q8_0 is among the plain kernels.

void port_encode_q8_0(
  const struct port_rows *rows, void *to, const struct port_codebook *codebook
) {
  (void)codebook;
  port_portable_kernels.f32_to_q8_0(rows->values, to, rows->row_length * rows->row_count);
}

void port_decode_q8_0(const void *from, void *to, size_t count) {
  port_portable_kernels.q8_0_to_f32(from, to, count);
}

#define ROW(type) {port_encode_##type, port_decode_##type},

const struct port_block_kernels port_portable_blocks[PORT_BLOCK_COUNT] = {PORT_BLOCKS(ROW)};
