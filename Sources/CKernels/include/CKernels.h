#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "CMatrixKernels.h"

// Row kernels. Source and destination may lie at any address and do not overlap; nothing outside
// the stated elements is read or written. Every path gives the same bits (encoders of blocks where
// the values are finite).

/// Converts `count` elements.
typedef void (*port_row_kernel)(const void *source, void *destination, size_t count);

/// Rows to encode in blocks, one after the other.
struct port_rows {
  /// F32, at any address.
  const void *values;
  /// Elements; a multiple of the block's.
  size_t row_length;
  size_t row_count;
  /// One F32 weight for each element of a row, none negative; NULL for none.
  const void *importance;
};

/// The blocks of GGUF, by lower-case name.
enum port_block_name {
  PORT_Q4_0, PORT_Q4_1, PORT_Q5_0, PORT_Q5_1, PORT_Q8_0,
  PORT_Q2_K, PORT_Q3_K, PORT_Q4_K, PORT_Q5_K, PORT_Q6_K,
  PORT_IQ2_XXS, PORT_IQ2_XS, PORT_IQ2_S, PORT_IQ3_XXS, PORT_IQ3_S, PORT_IQ1_S, PORT_IQ1_M,
  PORT_IQ4_NL, PORT_IQ4_XS, PORT_TQ1_0, PORT_TQ2_0, PORT_MXFP4, PORT_NVFP4, PORT_Q1_0, PORT_Q2_0,
  PORT_BLOCK_COUNT
};

/// The codebooks that encoders of IQ1, IQ2 and IQ3 search; decoders need none.
enum port_codebook_name {
  PORT_CODEBOOK_IQ2_XXS, PORT_CODEBOOK_IQ2_XS, PORT_CODEBOOK_IQ2_S, PORT_CODEBOOK_IQ1,
  PORT_CODEBOOK_IQ3_XXS, PORT_CODEBOOK_IQ3_S,
  PORT_CODEBOOK_COUNT
};

struct port_codebook;

size_t port_codebook_byte_count(enum port_codebook_name name);

/// Writes a codebook to `memory`, aligned to 64 bytes; takes some milliseconds.
void port_codebook_build(enum port_codebook_name name, void *memory);

/// The kernels of one block type.
struct port_block_kernels {
  /// `codebook` is the type's, or NULL where it has none. Values that are not finite give some
  /// bytes.
  void (*encode)(
    const struct port_rows *rows, void *destination, const struct port_codebook *codebook);
  /// Decodes `count` elements, a multiple of the block's, to F32.
  port_row_kernel decode;
};

/// The kernels of one path.
struct port_kernels {
  /// As in messages: "portable", "avx2", "avx512", "neon".
  const char *name;
  /// Exact.
  port_row_kernel f16_to_f32;
  /// Exact: the upper half of the float.
  port_row_kernel bf16_to_f32;
  /// Rounds to nearest, ties to even; overflow gives infinity, NaN stays NaN and becomes quiet.
  port_row_kernel f32_to_f16;
  /// Rounds to nearest, ties to even; NaN keeps its upper bits and becomes quiet.
  port_row_kernel f32_to_bf16;
  /// Blocks of 32: d = max|x| / 127 as F16, q = round(x · (1/d)) with halves away from zero; codes
  /// of products that are not finite are 0. `count` is a multiple of 32.
  port_row_kernel f32_to_q8_0;
  /// y = q · d. `count` is a multiple of 32.
  port_row_kernel q8_0_to_f32;
  /// By `port_block_name`. The bytes are those of llama.cpp's `ggml_quantize_chunk` on x86-64, whose
  /// arithmetic is F32 in a fixed order without fused multiply-adds.
  const struct port_block_kernels *blocks;
  /// Replaces each encoded block by one of less error, Σ importance · (decoded − value)², where a
  /// search finds scales for one. Only for types of which `port_can_refine` holds.
  void (*refine)(enum port_block_name, const struct port_rows *, void *blocks);
  /// Those for matrices whose scales lie beside the codes.
  const struct port_matrix_kernels *matrix;
};

/// Whether there is a search for better scales.
int port_can_refine(enum port_block_name name);

/// The kernels of path `index`, from the portable one up; NULL when the CPU lacks it or there is
/// none.
const struct port_kernels *port_kernels_for(int index);

/// The kernels of the fastest path that the CPU has.
const struct port_kernels *port_best_kernels(void);

/// The bits of the greatest magnitude of `count` floats, at any address: above 0x7F7FFFFF when one
/// of them is infinite or NaN.
uint32_t port_greatest_magnitude(const void *source, size_t count);

#endif
