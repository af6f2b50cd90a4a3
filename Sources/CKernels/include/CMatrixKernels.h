#ifndef CMATRIXKERNELS_H
#define CMATRIXKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Kernels on rows of matrices whose scales lie beside the codes. Rows do not overlap; floats are
// aligned to their size. Every path gives the same bits; nothing is contracted or reassociated.

/// The kernels of one path.
struct port_matrix_kernels {
  /// Exact; both NaN codes give the positive quiet NaN. The floats may lie at any address.
  void (*f8e4m3_to_f32)(const void *codes, void *values, size_t count);
  /// values[i] = codes[i] · scales[(column + i) / width], one rounding; a width of 0 stands for one
  /// scale.
  void (*scale_f8e4m3)(
    const uint8_t *codes, const float *scales, size_t column, size_t width, float *values,
    size_t count);
  /// The bits of the greatest magnitude: above 0x7F7FFFFF when one value is infinite or NaN.
  uint32_t (*greatest)(const float *values, size_t count);
  /// codes[i] = values[i] / scale, rounded half to even, within −limit−1 and limit; NaN gives 0.
  void (*f32_to_integers)(
    const float *values, float scale, int32_t limit, int8_t *codes, size_t count);
  /// codes[i] = values[i] / scale as F8_E4M3, rounded half to even, saturating at 448; NaN gives
  /// 0x7F.
  void (*f32_to_scaled_f8e4m3)(const float *values, float scale, uint8_t *codes, size_t count);
  /// Σ codes[i].
  int64_t (*sum)(const int8_t *codes, size_t count);
  /// Codes of one group that shares the scale 2^exponent, halves away from zero, saturating.
  void (*f32_to_mxfp8)(const float *values, int32_t exponent, uint8_t *codes, size_t count);
  /// The same in E2M1, two codes a byte, the first in the low nibble; `count` is even.
  void (*f32_to_mxfp4)(const float *values, int32_t exponent, uint8_t *codes, size_t count);
};

/// Magnitudes that a search has room for beside those of the row.
enum { PORT_SEARCH_PADDING = 16 };

/// The scale with the least square error that is met on the way from `first`, always to the best
/// scale for the codes of the last one, in at most 50 steps. Codes are values[i] / scale, rounded
/// half to even, within −8 and 7; sums are in F64. The same on every path.
///
/// `greatest` is the greatest magnitude, finite and not 0; there is room for `count` magnitudes and
/// the padding.
float port_searched_scale(
  const float *values, size_t count, float greatest, float first, uint32_t *magnitudes);

#endif
