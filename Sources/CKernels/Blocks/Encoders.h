#ifndef PORT_ENCODERS_H
#define PORT_ENCODERS_H

// The portable kernels of every block type.

#include "Blocks.h"

/// Every type, in the order of `port_block_name`.
#define PORT_BLOCKS(each) \
  each(q4_0) each(q4_1) each(q5_0) each(q5_1) each(q8_0) \
  each(q2_k) each(q3_k) each(q4_k) each(q5_k) each(q6_k) \
  each(iq2_xxs) each(iq2_xs) each(iq2_s) each(iq3_xxs) each(iq3_s) each(iq1_s) each(iq1_m) \
  each(iq4_nl) each(iq4_xs) each(tq1_0) each(tq2_0) each(mxfp4) each(nvfp4) each(q1_0) each(q2_0)

#define PORT_DECLARE(type) \
  void port_encode_##type(const struct port_rows *, void *, const struct port_codebook *); \
  void port_decode_##type(const void *, void *, size_t);
PORT_BLOCKS(PORT_DECLARE)
#undef PORT_DECLARE

/// The kernel of a type that has `encode_<type>` for one block.
#define PORT_ENCODER(type, elements, bytes, row_energy) \
  void port_encode_##type( \
    const struct port_rows *rows, void *to, const struct port_codebook *codebook \
  ) { \
    port_encode_each(rows, to, codebook, elements, bytes, row_energy, encode_##type); \
  }

#endif
