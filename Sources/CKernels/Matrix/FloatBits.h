// Floats as their bits and back, compiled with PATH as their target attribute.

#include <stdint.h>
#include <string.h>

PATH static inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

PATH static inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
