#include "Portable.h"

#if defined(__x86_64__)

const struct port_kernels *port_kernels_for(int index) {
  switch (index) {
    case 0:
      return &port_portable_kernels;
    case 1:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c")
        ? &port_avx2_kernels : NULL;
    case 2:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
        ? &port_avx512_kernels : NULL;
    default:
      return NULL;
  }
}

#elif defined(__aarch64__)

// NEON belongs to every arm64.
const struct port_kernels *port_kernels_for(int index) {
  return index == 0 ? &port_portable_kernels : index == 1 ? &port_neon_kernels : NULL;
}

#else

const struct port_kernels *port_kernels_for(int index) {
  return index == 0 ? &port_portable_kernels : NULL;
}

#endif

const struct port_kernels *port_best_kernels(void) {
  for (int index = 2; index > 0; index--) {
    const struct port_kernels *kernels = port_kernels_for(index);
    if (kernels) return kernels;
  }
  return &port_portable_kernels;
}
