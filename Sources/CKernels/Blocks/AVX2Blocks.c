#include "Encoders.h"

#ifdef __x86_64__

#include "Vector256.h"

#define PATH_BLOCKS port_avx2_blocks
#define PATH_REFINE port_avx2_refine
#define PATH_KERNELS port_avx2_kernels
#include "VectorBlocks.h"

#endif
