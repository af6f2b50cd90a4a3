#include "CKernels.h"

#include <string.h>

// The greatest magnitude as bits: those of floats without sign are ordered like integers, and
// infinities and NaNs are the greatest.
static inline uint32_t greatest(const void *source, size_t count) {
  const uint8_t *from = source;
  uint32_t most = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, from + 4 * i, 4);
    bits &= 0x7FFFFFFFu;
    most = bits > most ? bits : most;
  }
  return most;
}

static uint32_t portable(const void *source, size_t count) { return greatest(source, count); }

#if defined(__x86_64__)
__attribute__((target("avx2"), flatten))
static uint32_t avx2(const void *source, size_t count) { return greatest(source, count); }
#endif

uint32_t port_greatest_magnitude(const void *source, size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return avx2(source, count);
#endif
  return portable(source, count);
}
