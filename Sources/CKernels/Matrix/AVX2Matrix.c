#if defined(__x86_64__)

#define PATH __attribute__((target("avx2,f16c")))
#include "Bodies.h"

#define TABLE port_avx2_matrix
#include "Table.h"

#endif
