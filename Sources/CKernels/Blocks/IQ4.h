#ifndef PORT_IQ4_H
#define PORT_IQ4_H

// IQ4_NL and IQ4_XS: 4-bit codes for the 16 values below, which lie denser around 0.

#include "Blocks.h"

extern const int8_t port_values_iq4[16];

/// codes = those of the values nearest to inverse · x.
typedef void (*iq4_requantizer)(const float *x, float inverse, uint8_t *codes);

/// Quantizes the scales of eight groups of 32, then the elements, and packs.
void port_finish_iq4_xs(
  const float *x, const float *scales, iq4_requantizer requantize, uint8_t *to);

/// Stores the scale of 32 elements, quantizes the elements with it before rounding, and packs.
void port_finish_iq4_nl(const float *x, float scale, iq4_requantizer requantize, uint8_t *to);

#endif
