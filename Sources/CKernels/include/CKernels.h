#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Row kernels. Source and destination may lie at any address and do not overlap; nothing outside
// the stated elements is read or written. Every path gives the same bits.

/// Converts `count` elements.
typedef void (*port_row_kernel)(const void *source, void *destination, size_t count);

/// The kernels of one path.
struct port_kernels {
  /// As in messages: "portable", "avx2", "avx512".
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
};

/// The kernels of path `index`, from the portable one up; NULL when the CPU lacks it or there is
/// none.
const struct port_kernels *port_kernels_for(int index);

/// The kernels of the fastest path that the CPU has.
const struct port_kernels *port_best_kernels(void);

#endif
