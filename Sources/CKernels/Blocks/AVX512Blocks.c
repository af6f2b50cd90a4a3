#include "Encoders.h"

#ifdef __x86_64__

#include "Vector512.h"

#define PATH_BLOCKS port_avx512_blocks
#define PATH_REFINE port_avx512_refine
#define PATH_KERNELS port_avx512_kernels
#include "VectorBlocks.h"

#endif
