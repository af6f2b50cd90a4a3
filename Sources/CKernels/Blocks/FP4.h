#ifndef PORT_FP4_H
#define PORT_FP4_H

#include <stdint.h>

/// Half of 2^(exponent − 127).
float port_half_e8m0(uint8_t exponent);

/// The E8M0 exponent for a group with this greatest magnitude.
uint8_t port_mxfp4_exponent(float greatest);

/// Half of an unsigned E4M3 value; 0 for the code that is NaN.
float port_half_ue4m3(uint8_t code);

/// Rounds to unsigned E4M3, halves up; 256 and more become 448.
uint8_t port_ue4m3(float value);

#endif
