#ifndef PORT_PORTABLE_H
#define PORT_PORTABLE_H

// The portable kernels, which the other paths use for the ends of rows.

#include "CKernels.h"

float port_half_to_float(uint16_t half);
uint16_t port_float_to_half(float value);

extern const struct port_kernels port_portable_kernels;
extern const struct port_kernels port_avx2_kernels;
extern const struct port_kernels port_avx512_kernels;
extern const struct port_kernels port_neon_kernels;
extern const struct port_matrix_kernels port_portable_matrix;
extern const struct port_matrix_kernels port_avx2_matrix;
extern const struct port_matrix_kernels port_avx512_matrix;
void port_portable_refine(enum port_block_name, const struct port_rows *, void *);
void port_avx2_refine(enum port_block_name, const struct port_rows *, void *);
void port_avx512_refine(enum port_block_name, const struct port_rows *, void *);
void port_neon_refine(enum port_block_name, const struct port_rows *, void *);
extern const struct port_block_kernels port_portable_blocks[PORT_BLOCK_COUNT];
extern const struct port_block_kernels port_avx2_blocks[PORT_BLOCK_COUNT];
extern const struct port_block_kernels port_avx512_blocks[PORT_BLOCK_COUNT];
extern const struct port_block_kernels port_neon_blocks[PORT_BLOCK_COUNT];

#endif
