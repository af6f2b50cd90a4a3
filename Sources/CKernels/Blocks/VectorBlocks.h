// The vector kernels of every block type, for the vectors that the including file has chosen.

#include "Lanes.h"

#include "LanesAffine.h"
#include "LanesSymmetric.h"
#include "LanesQ4Q5.h"
#include "LanesSmall.h"
#include "LanesDescent.h"
#include "LanesKQuants.h"
#include "LanesIQ4.h"
#include "LanesGrid.h"
#include "LanesIQ1.h"

#define DECODER VECTOR static inline
#define PORT_DECODER(type, elements, bytes) \
  VECTOR static void decode_##type(const void *from, void *to, size_t count) { \
    const uint8_t *block = from; \
    loose_float *y = to; \
    for (size_t i = 0; i < count / elements; i++, block += bytes, y += elements) { \
      decode_block_##type(block, y); \
    } \
  }
#include "Decoders.h"

#define REFINER INLINE
#include "Refine.h"

VECTOR void PATH_REFINE(enum port_block_name name, const struct port_rows *rows, void *blocks) {
  refine_rows(port_refinement_of(name), rows, blocks);
}

#define ROW(type) {encode_##type, decode_##type},

const struct port_block_kernels PATH_BLOCKS[PORT_BLOCK_COUNT] = {PORT_BLOCKS(ROW)};
